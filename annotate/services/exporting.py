"""Annotations as streams of JSONL and CSV: one row an annotation, and one for a document without any."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Prefetch

from annotate.models import Annotation, AnnotationLabel, Document, Project

CHUNK = 1000
COLUMNS = (
    "document", "external_id", "text", "lane", "labels", "annotator", "outcome", "is_gold", "source",
    "reason", "seconds", "created", "updated", "meta",
)  # fmt: skip
FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
# What makes a spreadsheet run a cell as a formula.
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def rows(project: Project, *, everything: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the annotations of a project in the order of their documents, a chunk in memory at a time.

    With `everything`, a document that nobody has decided on gives one row, with an empty outcome.
    """
    names = dict(project.labels.values_list("pk", "name"))
    for chunk in _chunks(project, everything=everything):
        for document in chunk:
            annotations = document.annotations.all()
            for annotation in annotations:
                yield {**_document(document), **_annotation(annotation, names)}
            if everything and not annotations:
                yield _document(document)


def _chunks(project: Project, *, everything: bool) -> Iterator[Sequence[Document]]:
    """NB: by key, not by offset or one cursor: no page is slower than the first, no lock is held."""
    choices = Prefetch(
        "choices", AnnotationLabel.objects.only("annotation_id", "label_id").order_by("label_id")
    )
    annotations = Annotation.objects.select_related("annotator").prefetch_related(choices).order_by("pk")
    documents = Document.objects.filter(project=project).order_by("pk")
    if not everything:
        documents = documents.filter(pk__in=Annotation.objects.filter(project=project).values("document"))
    last = 0
    while chunk := list(
        documents.filter(pk__gt=last).prefetch_related(Prefetch("annotations", annotations))[:CHUNK]
    ):
        yield chunk
        last = chunk[-1].pk


def _document(document: Document) -> dict[str, Any]:
    return {
        "document": document.pk,
        "external_id": document.external_id or "",
        "text": document.text,
        "lane": document.lane,
        "meta": document.meta,
    }


def _annotation(annotation: Annotation, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "labels": [names[choice.label_id] for choice in annotation.choices.all()],
        "annotator": annotation.annotator.get_username(),
        "outcome": annotation.outcome,
        "is_gold": annotation.is_gold,
        "source": annotation.source,
        "reason": annotation.reason,
        "seconds": annotation.seconds,
        "created": annotation.created_at.isoformat(),
        "updated": annotation.updated_at.isoformat(),
    }


def jsonl(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


class _Line:
    """Takes what the csv module writes and gives it back, so that no file is needed."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Yield CSV with a byte order mark, without which Excel takes UTF-8 for another encoding.

    Labels are joined by "|"; cells that a spreadsheet would run begin with an apostrophe.
    """
    writer = csv.writer(_Line())
    yield b"\xef\xbb\xbf" + writer.writerow(COLUMNS).encode()
    for row in rows:
        yield writer.writerow([_cell(row.get(name)) for name in COLUMNS]).encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        value = "|".join(value)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False) if value else ""
    return _harmless(value or "")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(RUNS) else text


def stream(project: Project, format: str, *, everything: bool = False) -> Iterator[bytes]:
    source = rows(project, everything=everything)
    lines = {"jsonl": jsonl, "csv": csv_lines}[format](source)
    return _joined(lines)


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Send some 64 KB at once; a network packet a row would take longer than the rows."""
    block = bytearray()
    for line in lines:
        block += line
        if len(block) > 65_536:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
