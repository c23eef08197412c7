"""Makes documents again what they were before an import, as far as nobody has changed them since."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.utils import timezone

from annotate.models import Annotation, Assignment, Decision, Document, ImportChange, Project
from annotate.services.imports.labels import MACHINE, said_by, standing
from annotate.services.imports.matching import forget_texts
from annotate.task_types import answers
from training import splits


def restore(project: Project, changes: Collection[ImportChange]) -> int:
    """Restore what can be restored, in the caller's transaction; return how many documents are as they were.

    Each part is restored where it is still as the import left it. A text that somebody has decided on, or has
    before them, stays, as theirs is an answer to that text.
    """
    keys = [change.document_id for change in changes]
    locked = Document.objects.select_for_update().filter(project=project, pk__in=keys).order_by("pk")
    found = {document.pk: document for document in locked}
    decided = Annotation.objects.filter(document__in=keys, annotator__is_machine=False)
    held = Assignment.objects.leased().filter(document__in=keys, expires_at__gt=timezone.now())
    fixed = {
        *held.values_list("document_id", flat=True),
        *decided.values_list("document_id", flat=True),
    }
    retexted: dict[int, str] = {}
    restored = 0
    for change in changes:
        if (document := found.get(change.document_id)) is None:
            continue
        digest = document.sha256
        is_whole = _restore_row(document, change, is_fixed=document.pk in fixed)
        if document.sha256 != digest:
            retexted[document.pk] = digest
        if "answer" in change.after:
            is_whole = _restore_answer(document, change.before["answer"], change.after["answer"]) and is_whole
        restored += is_whole
    forget_texts(retexted)
    return restored


def _restore_row(document: Document, change: ImportChange, *, is_fixed: bool) -> bool:
    """Restore text, external id and metadata, and save them; tell whether all of it could be."""
    before, after, written = change.before, change.after, []
    is_whole = True
    if "text" in after:
        digest = hashlib.sha256(before["text"].encode()).hexdigest()
        others = Document.objects.filter(project=document.project_id, sha256=digest, external_id=None)
        is_same = document.sha256 == after["text"] and not is_fixed
        if is_same and (document.external_id or not others.exists()):
            document.text, document.sha256 = before["text"], digest
            document.split_key = splits.split_key(before["text"])
            written += ["text", "sha256", "split_key"]
        else:
            is_whole = False
    if "external_id" in after:
        others = Document.objects.filter(
            project=document.project_id, sha256=document.sha256, external_id=None
        )
        if document.external_id == after["external_id"] and not others.exists():
            document.external_id = before["external_id"]
            written.append("external_id")
        else:
            is_whole = False
    if "meta" in after:
        meta = _restored(document.meta, before["meta"], after["meta"])
        is_whole = is_whole and all(
            meta.get(key) == before["meta"].get(key) and (key in meta) == (key in before["meta"])
            for key in after["meta"]
        )
        document.meta = meta
        written.append("meta")
    if written:
        document.save(update_fields=written)
    return is_whole


def _restored(meta: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in meta.items() if key not in after or value != after[key]}
    ours = {key for key in after if key in meta and key not in kept}
    return kept | {key: before[key] for key in ours if key in before}


def _restore_answer(document: Document, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Restore the answer of the annotator "import"; what it said by this import stays in its history."""
    annotation = (
        Annotation.objects.filter(document=document, annotator__username=MACHINE, annotator__is_machine=True)
        .prefetch_related("choices", "spans")
        .first()
    )
    if annotation is None or standing(annotation) != after:
        return False
    if before is None:
        annotation.delete()
        return True
    Decision.objects.create(
        annotation=annotation,
        card=uuid.uuid4(),
        outcome=annotation.outcome,
        answer=said_by(after),
    )
    said = said_by(before)
    known = set(document.project.labels.values_list("pk", flat=True))
    restored = answers.without(said, known)
    annotation.say(restored)
    others = Annotation.objects.filter(document=document, is_gold=True).exclude(pk=annotation.pk)
    annotation.is_gold = before["gold"] and not others.exists()
    annotation.outcome = before["outcome"]
    annotation.save()
    return annotation.is_gold == before["gold"] and restored == said
