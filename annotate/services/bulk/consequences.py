"""What a bulk change means beyond its documents, in sentences for its preview."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import BulkChange
from annotate.models.bulk import BulkAction
from annotate.models.documents import Lane
from annotate.services.deletion.document import FirstAnswer, made_of

READ = 5000  # documents in one statement


def told(bulk: BulkChange) -> list[str]:
    if bulk.action == BulkAction.MOVE:
        return _of_move(bulk)
    if bulk.action == BulkAction.DELETE:
        return _of_deletion(bulk)
    if bulk.action in (BulkAction.LABEL, BulkAction.ADD, BulkAction.REMOVE) and bulk.wanted.gold:
        return [
            _(
                "A gold answer settles what a document is: models learn it and are measured by it, whatever "
                "others said. An answer that was gold stays as its annotator's."
            )
        ]
    if bulk.action in (BulkAction.LABEL, BulkAction.ADD, BulkAction.REMOVE):
        return [
            _(
                "They become answers of yours beside those of others, which stay. Models learn what most "
                "people said, or the gold answer where there is one."
            )
        ]
    return []


def _of_move(bulk: BulkChange) -> list[str]:
    to_holdout = bulk.wanted.lane == Lane.HOLDOUT
    answered, first = _answers(bulk, lane=Lane.POOL if to_holdout else Lane.HOLDOUT)
    said = [_of_figures(answered, to_holdout=to_holdout)]
    if near := len(bulk.keys) - bulk.hits:
        sentence = ngettext(
            "%(n)s near duplicate of them does not fit the filter and moves as well: near duplicates stay on "
            "one side, or a model would be measured on what it has learned.",
            "%(n)s near duplicates of them do not fit the filter and move as well: near duplicates stay on "
            "one side, or a model would be measured on what it has learned.",
            near,
        )
        said.append(sentence % {"n": f"{near:,}"})
    versions = made_of(bulk.project, first)
    if versions and to_holdout:
        said.append(
            _(
                "These versions may have learned from them, so what is measured of them from now on is too "
                "good: %(versions)s. Train anew before you compare."
            )
            % {"versions": ", ".join(map(str, versions))}
        )
    return said


def _of_figures(answered: int, *, to_holdout: bool) -> str:
    if to_holdout:
        sentence = ngettext(
            "%(n)s of them is answered: models learn from it no longer, and figures rest on one more.",
            "%(n)s of them are answered: models learn from them no longer, and figures rest on as many more.",
            answered,
        )
    else:
        sentence = ngettext(
            "%(n)s of them is answered: figures rest on one less, and models learn from it.",
            "%(n)s of them are answered: figures rest on as many less, and models learn from them.",
            answered,
        )
    return sentence % {"n": f"{answered:,}"}


def _of_deletion(bulk: BulkChange) -> list[str]:
    answered, first = _answers(bulk)
    said = [
        _(
            "What is deleted is gone, and this cannot be undone: the documents go with their answers, places "
            "in queues, predictions, suggestions and comments, and their vectors where no other document has "
            "the same text. The imported files that may hold their texts are removed from the disk."
        )
    ]
    if answered:
        sentence = ngettext(
            "%(n)s of them is answered.",
            "%(n)s of them are answered.",
            answered,
        )
        said.append(sentence % {"n": f"{answered:,}"})
    if versions := made_of(bulk.project, first):
        said.append(
            _("These versions may have learned from them, and their weights keep a trace: %(versions)s.")
            % {"versions": ", ".join(map(str, versions))}
        )
    return said


def _answers(bulk: BulkChange, **of_documents: str) -> tuple[int, FirstAnswer | None]:
    """Return how many of the documents are answered, and the oldest of the answers."""
    keys, answered, oldest = bulk.keys, 0, None
    for start in range(0, len(keys), READ):
        documents = bulk.project.documents.filter(pk__in=keys[start : start + READ], **of_documents)
        answers = bulk.project.annotations.answered().filter(document__in=documents)
        answered += answers.values("document").distinct().count()
        first = FirstAnswer.of(answers)
        if first and (oldest is None or first.key < oldest.key):
            oldest = first
    return answered, oldest
