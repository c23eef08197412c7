"""What an export holds: of which documents, one row for what, and with which parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from annotate.models import Annotation, Decision, Document, Prediction, Project
from annotate.services.corpus import snapshots
from annotate.services.documents import filters, spreadsheet
from annotate.task_types import TaskType, answers
from training.types import Answer

CHUNK = 1000  # documents in memory at a time
FIRST_KEYS = 100  # so few first, so that the first row is there at once
MOST_KEYS = 50_000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """What an export holds. `per` says what one row is about, `parts` which columns it has besides.

    `wanted` are the values of filters as `filters.find` takes them. With `is_whole`, a document without an
    answer or a decision has a row as well.
    """

    per: str = "annotation"
    parts: tuple[str, ...] = spreadsheet.USUAL
    is_whole: bool = False
    wanted: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Contents:
        return cls(**{**stored, "parts": tuple(stored["parts"])})

    def dump(self) -> dict[str, Any]:
        return {
            "per": self.per,
            "parts": list(self.parts),
            "is_whole": self.is_whole,
            "wanted": dict(self.wanted),
        }

    @property
    def columns(self) -> tuple[str, ...]:
        return spreadsheet.columns(self.per, self.parts)

    def columns_for(self, task_type: TaskType) -> tuple[str, ...]:
        return spreadsheet.columns(self.per, self.parts, task_type.answer_columns)

    def documents(self, project: Project) -> QuerySet[Document]:
        """Return the documents that have at least one row."""
        found = filters.find(project, self.wanted)
        if self.is_whole:
            return found
        decided = Annotation.objects.filter(document=OuterRef("pk"))
        return found.filter(Exists(decided.answered() if self.per == "document" else decided))


def rows(project: Project, contents: Contents) -> Iterator[Row]:
    """Yield the rows in the order of their documents, a chunk of documents in memory at a time.

    A document that nobody has decided on has the columns of `spreadsheet.undecided` alone.
    """
    told = _InNames(project.task_type, dict(project.labels.values_list("pk", "name")))
    offered = set(project.labels.live().values_list("pk", flat=True))
    columns = ["pk", "external_id", "text", "lane", *(["meta"] if "meta" in contents.parts else [])]
    for keys in _keys(contents.documents(project)):
        if contents.per == "document":
            found = _resolved(project, keys, offered, told)
        else:
            found = _annotations(keys, told, contents)
        predictions = _predictions(keys, told) if "predictions" in contents.parts else {}
        documents = Document.objects.filter(pk__in=keys).order_by("pk").values_list(*columns)
        for pk, external_id, text, lane, *meta in documents:
            row = {"document": pk, "external_id": external_id or "", "text": text, "lane": lane}
            if meta:
                row["meta"] = meta[0]
            if "predictions" in contents.parts:
                row |= predictions.get(pk, _NOT_PREDICTED)
            decided = found.get(pk, ())
            for one in decided:
                yield {**row, **one}
            if contents.is_whole and not decided:
                yield row


def _keys(documents: QuerySet[Document]) -> Iterator[list[int]]:
    """Yield the documents' keys by the thousand.

    They are read from the last key on, so that no cursor holds the database while somebody downloads; and
    many at once, as a filter may have to look at all documents each time.
    """
    keys, last, most = documents.order_by("pk").values_list("pk", flat=True), 0, FIRST_KEYS
    while found := list(keys.filter(pk__gt=last)[:most]):
        yield from (found[start : start + CHUNK] for start in range(0, len(found), CHUNK))
        last, most = found[-1], MOST_KEYS


@dataclass(frozen=True, slots=True)
class _InNames:
    """Writes answers as the task does, with the names of labels."""

    task_type: TaskType
    names: Mapping[int, str]

    def __call__(self, answer: Answer) -> Any:
        """Return an answer in names; a label that was never the project's is left out."""
        return self.task_type.write(self._named(answer))

    def in_columns(self, answer: Answer) -> Row:
        """Return it by the columns that say what was answered."""
        return self.task_type.in_columns(self._named(answer))

    def _named(self, answer: Answer) -> Answer:
        known = answers.without(answer, set(self.names))
        return answers.translated(known, self.names)


def _resolved(
    project: Project, documents: Sequence[int], offered: set[int], told: _InNames
) -> dict[int, list[Row]]:
    """Return the answer that a run would learn of each document; it knows no label that is archived."""
    _newest, cast = snapshots.votes(project, labels=offered, document__in=documents)
    return {
        document: [
            {
                **told.in_columns(snapshots.resolve(project, votes)),
                "outcome": "answered",
                "is_gold": any(vote.is_gold for vote in votes),
                "answers": len(votes),
            }
        ]
        for document, votes in cast.items()
    }


def _annotations(documents: Sequence[int], told: _InNames, contents: Contents) -> dict[int, list[Row]]:
    """Return the annotations by document. NB: as plain columns; a model object each takes twice as long."""
    said = Annotation.objects.filter(document__in=documents).answers(*told.task_type.answer_rows)
    columns = [
        "pk", "document_id", "annotator__username", "outcome", "is_gold", "source",
        "reason", "seconds", "created_at", "updated_at",
    ]  # fmt: skip
    if "suggestions" in contents.parts:
        columns += ["shown", "shown_version__number"]
    earlier = _decisions(documents) if contents.per == "decision" else {}
    found: dict[int, list[Row]] = {}
    annotations = Annotation.objects.filter(document__in=documents).order_by("pk").values_list(*columns)
    for pk, document, annotator, outcome, gold, source, reason, seconds, made, updated, *shown in annotations:
        row: Row = {
            **told.in_columns(said[pk]),
            "annotator": annotator,
            "outcome": outcome,
            "is_gold": gold,
            "source": source,
            "reason": reason,
            "seconds": seconds,
            "created": made.isoformat(),
            "updated": updated.isoformat(),
        }
        if "origin" not in contents.parts:
            del row["source"]
        if shown:
            row["suggested"] = None if shown[0] is None else told(shown[0])
            row["suggested_by"] = shown[1]
        kept = found.setdefault(document, [])
        if contents.per == "decision":
            kept += _history(pk, row, earlier.get(pk, ()), told)
        else:
            kept.append(row)
    return found


def _decisions(documents: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    columns = ("annotation_id", "outcome", "answer", "reason", "seconds", "created_at")
    found: dict[int, list[tuple[Any, ...]]] = {}
    rows = Decision.objects.filter(annotation__document__in=documents).order_by("pk").values_list(*columns)
    for annotation, *told in rows:
        found.setdefault(annotation, []).append(tuple(told))
    return found


def _history(annotation: int, row: Row, decisions: Sequence[tuple[Any, ...]], told: _InNames) -> list[Row]:
    """Return every decision of an annotation, the oldest first.

    What an import said, and what was withdrawn, stands in the annotation alone: it is the last of them.
    """
    del row["is_gold"]
    row |= {"created": row.pop("updated"), "annotation": annotation, "is_current": True}
    found = [
        {
            **row,
            **told.in_columns(answer),
            "outcome": outcome,
            "reason": reason,
            "seconds": seconds,
            "created": made.isoformat(),
            "is_current": False,
        }
        for outcome, answer, reason, seconds, made in decisions
    ]
    last = found[-1] if found else None
    said = told.task_type.answer_columns
    if last and last["outcome"] == row["outcome"] and all(_is_same(last[name], row[name]) for name in said):
        last["is_current"] = True
        return found
    return [*found, row]


def _is_same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Tell whether two answers say the same, in whatever order."""
    return sorted(map(str, one)) == sorted(map(str, other))


_NOT_PREDICTED: Row = {"predicted": None, "predicted_by": None, "scores": None}


def _predictions(documents: Sequence[int], told: _InNames) -> dict[int, Row]:
    columns = ("document_id", "version__number", "version__calibrated", "answer")
    found = Prediction.objects.filter(document__in=documents).values_list(*columns)
    return {
        document: {
            "predicted": told(answer),
            "predicted_by": number,
            "scores": {
                told.names[label]: score
                for label, score in answer.told(calibrated=calibrated).scores
                if label in told.names
            },
        }
        for document, number, calibrated, answer in found
    }
