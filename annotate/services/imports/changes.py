"""Notes what an import changes of documents that were there before it, so that it can be undone."""

from __future__ import annotations

from typing import Any

from annotate.models import Document, Import, ImportChange

Parts = dict[str, Any]


class Changes:
    """What one chunk changes of documents of other imports, or of none.

    Nothing is noted where rows come without an import, as over the API.
    """

    def __init__(self, source: Import | None) -> None:
        self.source = source
        self.parts: dict[int, tuple[Parts, Parts]] = {}

    def note(self, document: Document, part: str, before: Any, after: Any) -> None:
        """Note one part of a document, as it was before the first time that this chunk changed it."""
        if self.source is None or document.pk is None or document.source_id == self.source.pk:
            return
        first, last = self.parts.setdefault(document.pk, ({}, {}))
        first.setdefault(part, before)
        last[part] = after

    def note_meta(self, document: Document, merged: dict[str, Any]) -> None:
        old = document.meta
        changed = {key for key, value in merged.items() if key not in old or old[key] != value}
        before = {key: old[key] for key in changed if key in old}
        self.note(document, "meta", before, {key: merged[key] for key in changed})

    def save(self) -> None:
        """Keep what was noted; of a document that this import has changed already, what it was at first."""
        if self.source is None or not self.parts:
            return
        for change in ImportChange.objects.filter(source=self.source, document__in=self.parts):
            before, after = self.parts[change.document_id]
            known = change.after.get("meta", {})
            meta = {key: value for key, value in before.get("meta", {}).items() if key not in known}
            if "meta" in before:
                before["meta"], after["meta"] = meta, known | after["meta"]
            if "meta" in change.before:
                before["meta"] = meta | change.before["meta"]
            self.parts[change.document_id] = (before | _without_meta(change.before), change.after | after)
        ImportChange.objects.bulk_create(
            [
                ImportChange(source=self.source, document_id=document, before=before, after=after)
                for document, (before, after) in self.parts.items()
            ],
            batch_size=200,
            update_conflicts=True,
            unique_fields=["source", "document"],
            update_fields=["before", "after"],
        )


def _without_meta(parts: Parts) -> Parts:
    return {part: value for part, value in parts.items() if part != "meta"}
