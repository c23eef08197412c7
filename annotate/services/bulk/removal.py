"""Deletes documents in bulk. What is deleted is gone, so that nothing of it can be undone."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from annotate.models import BulkChange, BulkItem
from annotate.services.bulk.found import Found
from annotate.services.deletion import document, documents
from annotate.services.projects.refused import Refused


class DeleteAction:
    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found:
        return Found(dict.fromkeys(keys))

    def change(self, bulk: BulkChange, found: Found) -> None:
        if bulk.project.imports.live().exists():
            raise Refused(
                _(
                    "An import is under way and may bring these texts again. Wait for its end or cancel it, "
                    "and change the documents anew."
                )
            )
        sources = document.sources_of(bulk.project, found.wanted)
        documents.remove(project=bulk.project, keys=list(found.wanted))
        document.forget_files(bulk.project, sources)

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        raise Refused(_("What is deleted is gone: it cannot be brought back."))
