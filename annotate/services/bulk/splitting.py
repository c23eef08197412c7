"""Splitting a label: it is archived, and its documents are labelled again between several others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Annotation, BulkChange, Label, User
from annotate.models.bulk import BulkAction, BulkOptions
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.bulk import job
from annotate.services.projects import labels
from annotate.services.projects.refused import Refused

FEWEST_PARTS = 2


def split(
    *, label: Label, parts: Sequence[tuple[str, str]], people: Collection[int], by: User
) -> list[BulkChange]:
    """Archive a label, add those of its `parts` that are not there, and make a list of its documents.

    Return the row to wake a worker for; none where no document has the label. Whoever of the people answered
    a document with it is asked again, and their earlier answer stays until they have. Raises `Refused`.
    """
    project = label.project
    names = list(dict.fromkeys(name for name, _description in parts))
    if len(names) < FEWEST_PARTS or label.name in names:
        raise Refused(_("Name two labels or more that take the place of “%(name)s”.") % {"name": label.name})
    options = BulkOptions(
        labels=(label.pk,),
        name=_("Split: %(name)s") % {"name": label.name[:80]},
        people=tuple(people),
        second=True,
    )
    bulk = None
    if Annotation.objects.with_label(label.pk).exists():
        # NB: before the lock of the project, for it reads every document.
        bulk = job.preview(
            project=project, by=by, action=BulkAction.LIST, options=options, wanted={"label": label.pk}
        )
    with transaction.atomic():
        known = set(project.labels.live().values_list("name", flat=True))
        fresh = [part for part in parts if part[0] not in known]
        labels.add_labels(project=project, labels=fresh, by=by, of_spans=label.of_spans)
        labels.archive_label(label=label, by=by)
        events.record(
            EventKind.LABEL_SPLIT,
            by=by,
            project=project,
            subject=label.name,
            into=", ".join(names),
            documents=bulk.hits if bulk else 0,
        )
        return job.confirm(bulk=bulk, by=by) if bulk else []
