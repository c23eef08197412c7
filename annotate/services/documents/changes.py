"""What stands beside a text, changed key by key."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Document, User
from annotate.models.events import EventKind
from annotate.services import events
from training.storable import json_fault
from training.types import Json


@transaction.atomic
def change_metadata(*, document: Document, changes: Mapping[str, Json], by: User) -> Document:
    """Set the named keys, and remove those whose value is None; other keys stay as they are.

    Raises `ValueError` where it would be more than is kept beside a text.

    NB: the document is read anew under a lock, as two programs may change two keys at once.
    """
    standing = Document.objects.select_for_update(no_key=True).get(pk=document.pk)
    changed = {**standing.meta, **changes}
    for key in [key for key, value in changes.items() if value is None]:
        del changed[key]
    if fault := json_fault(changed):
        raise ValueError(_("What is kept beside the text %(reason)s.") % {"reason": fault.reason})
    if changed != standing.meta:
        standing.meta = changed
        standing.save(update_fields=["meta"])
        events.record(EventKind.DOCUMENT_CHANGED, by=by, project=document.project, document=standing)
    return standing
