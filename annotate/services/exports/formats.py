"""Files of an export that are written while they are sent: JSONL, CSV, and what other programs read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from django.utils.translation import gettext_lazy as _

from annotate.models import Project, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.documents.spreadsheet import COLUMNS, LABELS, SPANS, marked
from annotate.services.exports import contents, spans
from annotate.services.exports.contents import Contents, Row
from annotate.task_types import TaskType
from training.storable import mended, printable

ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
LONGEST_PREVIEW = 4_000  # characters
BLOCK = 65_536  # bytes: a network packet for each row takes longer


def jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield _written(row) + b"\n"


def _written(value: Any) -> bytes:
    try:
        return ENCODER.encode(value).encode()
    except ValueError:  # of a row that an earlier version let in: half a character, or an infinite number
        return ENCODER.encode(mended(value)).encode()


class _Line:
    """Stands in for a file: it returns each line that the csv module writes."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Row], task_type: TaskType, columns: Sequence[str] = COLUMNS) -> Iterator[bytes]:
    """Yield CSV with a byte order mark, without which Excel takes UTF-8 for another encoding.

    The task writes its answers as it reads them; cells that a spreadsheet would run begin with an apostrophe.
    """
    writer = csv.writer(_Line())
    yield b"\xef\xbb\xbf" + writer.writerow(columns).encode()
    for row in rows:
        told = dict(row)
        told |= task_type.cells(task_type.read_columns(row, ""))
        for name in ("predicted", "suggested"):
            told[name] = task_type.write_cell(task_type.parsed(row.get(name)))
        yield printable(writer.writerow([_cell(told.get(name)) for name in columns])).encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        value = _written(value).decode() if value else ""
    return marked(value or "")


def fasttext_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a line for each row with labels, as fastText learns from: it reads words between blanks.

    A blank in a label becomes a low line, and a break in a text a blank: fastText has no way to write them.
    """
    for row in rows:
        if row.get("outcome") == "answered" and row["labels"]:
            labels = ("__label__" + "_".join(name.split()) for name in row["labels"])
            yield printable(f"{' '.join(labels)} {' '.join(row['text'].split())}\n").encode()


def doccano_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        labels = _doccano(row) if row.get("outcome") == "answered" else []
        told = {"id": row["document"], "text": row["text"], "label": labels, **_beside(row)}
        yield _written(told) + b"\n"


def _doccano(row: Row) -> list[Any]:
    return spans.doccano(row) if "spans" in row else row["labels"]


def _beside(row: Row) -> Row:
    """Return what other tools keep beside a text."""
    names = ("external_id", "lane", "meta", "annotator", "source")
    return {name: row[name] for name in names if row.get(name)}


def label_studio(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield one JSON list of tasks as Label Studio exports it, each with the annotations of its document."""
    before = b"[\n"
    for document, found in groupby(rows, key=lambda row: row["document"]):
        of_one = list(found)
        beside = {name: of_one[0][name] for name in ("external_id", "lane", "meta") if of_one[0].get(name)}
        task: Row = {
            "id": document,
            "data": {"text": of_one[0]["text"], **beside},
            "annotations": [_annotation(row) for row in of_one if "outcome" in row],
        }
        if of_one[0].get("predicted") is not None:
            scores = of_one[0]["scores"].values()
            task["predictions"] = [
                {
                    "model_version": str(of_one[0]["predicted_by"]),
                    "result": _results(of_one[0], of_one[0]["predicted"]),
                    "score": next(iter(scores), None),
                }
            ]
        yield before + _written(task)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _annotation(row: Row) -> Row:
    is_answered = row["outcome"] == "answered"
    return {
        "result": _results(row, row["spans"] if "spans" in row else row["labels"]) if is_answered else [],
        "was_cancelled": not is_answered,
        "ground_truth": bool(row.get("is_gold")),
        "lead_time": row.get("seconds"),
        "created_username": row.get("annotator"),
        "created_at": row.get("created"),
        "updated_at": row.get("updated"),
    }


def _results(row: Row, answer: Sequence[Any]) -> list[Row]:
    """Return an answer to the text of a row as Label Studio has it."""
    if not answer:
        return []
    return spans.label_studio(answer, row["text"]) if isinstance(answer[0], dict) else _choices(answer)


def _choices(labels: Sequence[str]) -> list[Row]:
    return [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}]


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write rows; `write` is None where a worker has to, as the file cannot be sent in pieces."""

    title: Any
    suffix: str
    media: str
    write: Callable[[Iterable[Row], TaskType, Sequence[str]], Iterator[bytes]] | None = None
    note: Any = ""
    answers: tuple[str, ...] = (LABELS, SPANS)
    """What it can hold, by the column that says so."""
    overlaps: bool = True
    holds_both: bool = False
    """Whether it has a place for labels of whole texts beside their spans."""

    def holds(self, task_type: TaskType) -> bool:
        """Tell whether it has a way to write every answer of a task."""
        holds_all = {*task_type.answer_columns} <= {*self.answers}
        if task_type.has_kinds and not self.holds_both:
            return False
        return holds_all and (self.overlaps or not task_type.overlaps)

    @property
    def is_streamed(self) -> bool:
        return self.write is not None


ARCHIVE = "archive"  # the whole project, as `exports.archive` writes it
KNOWN: dict[str, Format] = {
    "jsonl": Format(
        "JSONL",
        "jsonl",
        "application/x-ndjson",
        lambda rows, task_type, columns: jsonl(rows),
        holds_both=True,
    ),
    "csv": Format(
        "CSV",
        "csv",
        "text/csv; charset=utf-8",
        csv_lines,
        _("Cells that a spreadsheet would run begin with an apostrophe; an import takes it away again."),
        holds_both=True,
    ),
    "fasttext": Format(
        "fastText",
        "txt",
        "text/plain; charset=utf-8",
        lambda rows, task_type, columns: fasttext_lines(rows),
        _("Rows without labels are left out; line breaks in texts become blanks, blanks in labels “_”."),
        answers=(LABELS,),
    ),
    "labelstudio": Format(
        "Label Studio (JSON)",
        "json",
        "application/json",
        lambda rows, task_type, columns: label_studio(rows),
        _("One task for each document, with its annotations."),
    ),
    "doccano": Format(
        "doccano (JSONL)",
        "jsonl",
        "application/x-ndjson",
        lambda rows, task_type, columns: doccano_lines(rows),
    ),
    "conll": Format(
        "CoNLL (BIO)",
        "conll",
        "text/plain; charset=utf-8",
        lambda rows, task_type, columns: spans.conll(rows),
        _(
            "One token and its tag a line. A line before each text has it whole, so that its blanks come "
            "back; texts without an answer are left out."
        ),
        answers=(SPANS,),
        overlaps=False,
    ),
    "spacy": Format(
        "spaCy (JSONL)",
        "jsonl",
        "application/x-ndjson",
        lambda rows, task_type, columns: spans.spacy(rows),
        _("Each line is a text with its tokens and entities, as Doc.from_json takes it."),
        answers=(SPANS,),
    ),
    "parquet": Format(
        "Parquet",
        "parquet",
        "application/vnd.apache.parquet",
        note=_("What is nested is JSON. A worker writes it."),
        holds_both=True,
    ),
    "datasets": Format(
        "Hugging Face datasets",
        "zip",
        "application/zip",
        note=_(
            "A folder with Parquet files and a card that names the labels: the pool is “train”, the holdout "
            "is “test”. Unpack it, and load it with datasets.load_dataset. A worker writes it."
        ),
        answers=(LABELS,),
    ),
    ARCHIVE: Format(_("Project archive"), "zip", "application/zip", holds_both=True),
}


def known(task_type: TaskType) -> dict[str, Format]:
    """Return the formats that can hold the answers of a task, by their keys."""
    return {name: format for name, format in KNOWN.items() if format.holds(task_type)}


# Those that hold every column, and that an import reads back whole.
FORMATS = {name: KNOWN[name].media for name in ("jsonl", "csv")}


def rows(project: Project, *, everything: bool = False) -> Iterator[Row]:
    """Yield the annotations of a project; with `everything`, documents that nobody has decided on as well."""
    return contents.rows(project, Contents(is_whole=everything))


def stream(
    project: Project, format: str, *, everything: bool = False, by: User | None = None
) -> Iterator[bytes]:
    """Yield a file of annotations in blocks."""
    return written(project, format, Contents(is_whole=everything), by=by)


def written(project: Project, format: str, chosen: Contents, *, by: User | None) -> Iterator[bytes]:
    """Yield a file in blocks; record who took how many rows, also where they left before the end."""
    number = 0

    def counted() -> Iterator[Row]:
        nonlocal number
        for row in contents.rows(project, chosen):
            number += 1
            yield row

    block = bytearray()
    try:
        for line in lines(counted(), project, format, chosen):
            block += line
            if len(block) > BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)
    finally:
        record(project, format, chosen, rows=number, by=by)


def record(project: Project, format: str, chosen: Contents, *, rows: int, by: User | None) -> None:
    # NB: what was searched for may be the text of a document, so that only the names of the filters are told.
    events.record(
        EventKind.EXPORTED,
        by=by,
        project=project,
        subject=str(KNOWN[format].title),
        rows=rows,
        per=chosen.per,
        filters=sorted(chosen.wanted),
    )


def preview(project: Project, format: str, chosen: Contents, *, rows: int) -> str:
    """Return the first rows as they will be written; those of a file for programs alone as JSONL."""
    first = islice(contents.rows(project, chosen), rows)
    whole = b"".join(lines(first, project, format, chosen)).decode().removeprefix("\ufeff")
    return whole if len(whole) <= LONGEST_PREVIEW else f"{whole[:LONGEST_PREVIEW]}…"


def lines(rows: Iterable[Row], project: Project, format: str, chosen: Contents) -> Iterator[bytes]:
    """Yield the pieces of a file; of one that a worker writes otherwise, the same rows as JSONL."""
    write = KNOWN[format].write
    return write(rows, project.task_type, chosen.columns_for(project.task_type)) if write else jsonl(rows)
