"""Streams annotations as JSONL or CSV, with one row for each annotation."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef

from annotate.models import Annotation, AnnotationLabel, Document, Project
from annotate.services.documents.spreadsheet import COLUMNS, marked
from annotate.task_types import TaskType
from training.storable import mended, printable
from training.types import Answer

CHUNK = 1000
ANNOTATION = (
    "pk", "document_id", "annotator__username", "outcome", "is_gold", "source",
    "reason", "seconds", "created_at", "updated_at",
)  # fmt: skip
FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
# A spreadsheet runs a cell that begins with one of these as a formula.
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def rows(project: Project, *, everything: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the annotations of a project in the order of their documents, a chunk in memory at a time.

    With `everything`, a document that nobody has decided on gives one row, with an empty outcome.
    """
    names = dict(project.labels.values_list("pk", "name"))
    documents = Document.objects.filter(project=project).order_by("pk")
    if not everything:
        documents = documents.filter(Exists(Annotation.objects.filter(document=OuterRef("pk"))))
    columns = documents.values_list("pk", "external_id", "text", "lane", "meta")
    last = 0
    # NB: from the last key on; by offset, later pages would be slower, and one cursor would hold a lock.
    while chunk := list(columns.filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1][0]
        annotations = _annotations([pk for pk, *_others in chunk], names)
        for pk, key, text, lane, meta in chunk:
            document = {"document": pk, "external_id": key or "", "text": text, "lane": lane, "meta": meta}
            found = annotations.get(pk, ())
            for annotation in found:
                yield {**document, **annotation}
            if everything and not found:
                yield document


def _annotations(documents: Sequence[int], names: Mapping[int, str]) -> dict[int, list[dict[str, Any]]]:
    """Return the annotations by document. NB: as plain columns; a model object each takes twice as long."""
    labels: dict[int, list[str]] = {}
    choices = AnnotationLabel.objects.filter(annotation__document__in=documents).order_by("label_id")
    for annotation, label in choices.values_list("annotation_id", "label_id"):
        labels.setdefault(annotation, []).append(names[label])
    found: dict[int, list[dict[str, Any]]] = {}
    columns = Annotation.objects.filter(document__in=documents).order_by("pk").values_list(*ANNOTATION)
    for pk, document, annotator, outcome, gold, source, reason, seconds, created, updated in columns:
        row = {
            "labels": labels.get(pk, []),
            "annotator": annotator,
            "outcome": outcome,
            "is_gold": gold,
            "source": source,
            "reason": reason,
            "seconds": seconds,
            "created": created.isoformat(),
            "updated": updated.isoformat(),
        }
        found.setdefault(document, []).append(row)
    return found


def jsonl(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield _written(row) + b"\n"


def _written(value: dict[str, Any]) -> bytes:
    try:
        return ENCODER.encode(value).encode()
    except ValueError:  # of a row that an earlier version let in: half a character, or an infinite number
        return ENCODER.encode(mended(value)).encode()


class _Line:
    """Stands in for a file: it returns each line that the csv module writes."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterator[dict[str, Any]], task_type: TaskType) -> Iterator[bytes]:
    """Yield CSV with a byte order mark, without which Excel takes UTF-8 for another encoding.

    The task writes its answers as it reads them; cells that a spreadsheet would run begin with an apostrophe.
    """
    writer = csv.writer(_Line())
    yield b"\xef\xbb\xbf" + writer.writerow(COLUMNS).encode()
    for row in rows:
        row["labels"] = task_type.write_cell(Answer(tuple(row.get("labels", ()))))
        yield printable(writer.writerow([_cell(row.get(name)) for name in COLUMNS])).encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        value = _written(value).decode() if value else ""
    return marked(value or "")


def stream(project: Project, format: str, *, everything: bool = False) -> Iterator[bytes]:
    """Yield a file of annotations in blocks of about 64 KB: a network packet for each row takes longer."""
    source = rows(project, everything=everything)
    block = bytearray()
    for line in jsonl(source) if format == "jsonl" else csv_lines(source, project.task_type):
        block += line
        if len(block) > 65_536:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
