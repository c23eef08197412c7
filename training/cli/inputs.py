"""Reads what commands are given: labelled files, files of labels, settings, and where to write.

A place that could not be written is refused before any work is done.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path

from training.records import Row, read
from training.tasks import JOINT, MULTI, SINGLE, SPAN
from training.types import Dataset, DocumentTask, Json, LabelSchema, LabelSpec, Objective, TrainingError

Answers = list[tuple[str, ...]]


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `train` and `simulate` ask about their files."""
    parser.add_argument("--train", type=Path, required=True, metavar="F", help="labelled texts to learn from")
    parser.add_argument("--test", type=Path, required=True, metavar="F", help="labelled texts to measure on")
    parser.add_argument("--text", default="", metavar="COL", help="column of the text")
    parser.add_argument("--label", default="", metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument(
        "--task",
        choices=["documents", SPAN.key, JOINT.key],
        default="documents",
        help="what labels stand for",
    )


def check_columns(arguments: argparse.Namespace) -> None:
    """Raise `TrainingError` where the columns of labelled documents were not named."""
    for name in ("text", "label"):
        if not getattr(arguments, name):
            raise TrainingError(f"--{name} is needed: the column of the {name}.")


def labels_spans(arguments: argparse.Namespace) -> bool:
    """Tell whether the files hold texts with spans, labels of whole texts beside them or not."""
    return arguments.task in (SPAN.key, JOINT.key)


def read_texts(path: Path, text: str) -> list[str]:
    """Return the text column; raises `TrainingError` naming the row that lacks it."""
    return [str(_cell(row, text, path)) for row in read(path)]


def read_answers(
    path: Path, text: str, label: str, multi: str | None, *, may_be_empty: bool = False
) -> tuple[list[str], Answers]:
    """Return texts and their label keys; a list in a JSON row is taken as it is."""
    texts: list[str] = []
    answers: Answers = []
    for row in read(path):
        texts.append(str(_cell(row, text, path)))
        value = _cell(row, label, path)
        if isinstance(value, list):
            answers.append(tuple(dict.fromkeys(map(str, value))))
        elif multi is None:
            answers.append((str(value).strip(),))
        else:
            parts = (part.strip() for part in str(value).split(multi))
            answers.append(tuple(dict.fromkeys(filter(None, parts))))
        if answers[-1] == ("",):
            raise TrainingError(f"{path}, row {row.number}: the label is empty.")
    if not texts and not may_be_empty:
        raise TrainingError(f"{path} has no rows.")
    return texts, answers


def read_dataset(path: Path, schema: LabelSchema, *, text: str, label: str, multi: str | None) -> Dataset:
    """Return a file's documents under a schema; raises `TrainingError` for a label that it does not have."""
    texts, answers = read_answers(path, text, label, multi)
    return Dataset(schema, tuple(texts), schema.encode(answers))


def task_of(multi: str | None) -> DocumentTask:
    """Return the task that `--multi` asks for; its value is what separates the labels of a document."""
    return SINGLE if multi is None else MULTI


def read_datasets(
    train: Path,
    others: Iterable[Path],
    *,
    text: str,
    label: str,
    multi: str | None,
    labels: tuple[LabelSpec, ...] = (),
) -> tuple[Dataset, ...]:
    """Return the training dataset, then the others, under one schema: `labels`, else all that occur, sorted.

    The training file may be empty; a family that cannot start without labels refuses it.
    """
    read = [read_answers(train, text, label, multi, may_be_empty=True)]
    read += [read_answers(path, text, label, multi) for path in others]
    keys = sorted({key for _, answers in read for answer in answers for key in answer})
    schema = LabelSchema(task_of(multi), labels or tuple(LabelSpec(key, key) for key in keys))
    return tuple(Dataset(schema, tuple(texts), schema.encode(answers)) for texts, answers in read)


def _cell(row: Row, column: str, path: Path) -> Json:
    if row.problem:
        raise TrainingError(f"{path}, row {row.number}: {row.problem}")
    if column in row.faults:
        raise TrainingError(f"{path}, row {row.number}: the cell in {column!r} {row.faults[column]}.")
    if column not in row.cells:
        columns = ", ".join(row.cells)
        raise TrainingError(f"{path}, row {row.number}: there is no column {column!r}; it has {columns}.")
    value = row.cells[column]
    return "" if value is None else value


def read_labels(path: Path) -> tuple[LabelSpec, ...]:
    """Return the labels in the order of the file; raises `TrainingError` where one is missing or repeated."""
    found: dict[str, LabelSpec] = {}
    for row in read(path):
        if row.problem:
            raise TrainingError(f"{path}, row {row.number}: {row.problem}")
        for column, reason in row.faults.items():
            raise TrainingError(f"{path}, row {row.number}: the cell in {column!r} {reason}.")
        cells = {column: "" if cell is None else str(cell).strip() for column, cell in row.cells.items()}
        if set(cells) == {"text"}:  # a line of a plain text file
            key, _, description = (part.strip() for part in cells["text"].partition(": "))
            spec = LabelSpec(key, key, description)
        else:
            key = cells.get("label") or cells.get("name", "")
            spec = LabelSpec(key, cells.get("name") or key, cells.get("description", ""))
        if not spec.key:
            raise TrainingError(f"{path}, row {row.number}: there is no label; name it in a column “label”.")
        if spec.key in found:
            raise TrainingError(f"{path}, row {row.number}: the label {spec.key!r} is there already.")
        found[spec.key] = spec
    if not found:
        raise TrainingError(f"{path} names no label.")
    return tuple(found.values())


def parse_settings(pairs: Iterable[str]) -> dict[str, Json]:
    """Return the parameters of `key=value` arguments, whose values are JSON where that can be read."""
    settings: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise TrainingError(f"--set needs key=value, not {pair!r}.")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings


def add_objective_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the thresholds of a multi-label task are tuned for."""
    parser.add_argument("--objective", type=Objective, choices=list(Objective), default=Objective.F1)
    parser.add_argument(
        "--objective-value", type=float, default=1.0, metavar="X", help="beta, or the precision"
    )


def output_file(text: str) -> Path:
    """Return the path of a file to write; one that could not be written is an `ArgumentTypeError`."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} for {path.name}; make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be written; choose another place.")
    return path


def output_folder(text: str) -> Path:
    """Return the path of a folder to make or replace; an `ArgumentTypeError` where that could not be done."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a file; name a folder.")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be made: {above} cannot be written to.")
    return path
