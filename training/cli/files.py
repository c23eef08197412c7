"""Labelled files as datasets: which column is the text, which the label, and what joins several labels."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from training.records import Row, read
from training.types import Dataset, Json, LabelSchema, LabelSpec, Task, TrainingError

Answers = list[tuple[str, ...]]


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `train` and `simulate` ask about their files."""
    parser.add_argument("--train", type=Path, required=True, metavar="F", help="labelled texts to learn from")
    parser.add_argument("--test", type=Path, required=True, metavar="F", help="labelled texts to measure on")
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text")
    parser.add_argument("--label", required=True, metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")


def read_texts(path: Path, text: str) -> list[str]:
    """Return the text column; raises `TrainingError` naming the row that lacks it."""
    return [str(_cell(row, text, path)) for row in read(path)]


def read_answers(
    path: Path, text: str, label: str, multi: str | None, *, may_be_empty: bool = False
) -> tuple[list[str], Answers]:
    """Return texts and their label keys; a list in a JSON row is taken as it is."""
    texts, answers = [], []
    for row in read(path):
        texts.append(str(_cell(row, text, path)))
        answers.append(_labels(_cell(row, label, path), multi))
        if answers[-1] == ("",):
            raise TrainingError(f"{path}, row {row.number}: the label is empty.")
    if not texts and not may_be_empty:
        raise TrainingError(f"{path} has no rows.")
    return texts, answers


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

    The training file may hold no rows; whether a family can start so is for the family to say.
    """
    read = [read_answers(train, text, label, multi, may_be_empty=True)]
    read += [read_answers(path, text, label, multi) for path in others]
    keys = sorted({key for _, answers in read for answer in answers for key in answer})
    task = Task.SINGLE if multi is None else Task.MULTI
    schema = LabelSchema(task, labels or tuple(LabelSpec(key, key) for key in keys))
    return tuple(Dataset(schema, tuple(texts), schema.encode(answers)) for texts, answers in read)


def _labels(value: Json, multi: str | None) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(map(str, value)))
    if multi is None:
        return (str(value).strip(),)
    return tuple(dict.fromkeys(part.strip() for part in str(value).split(multi) if part.strip()))


def _cell(row: Row, column: str, path: Path) -> Json:
    if row.problem:
        raise TrainingError(f"{path}, row {row.number}: {row.problem}")
    if column not in row.cells:
        columns = ", ".join(row.cells)
        raise TrainingError(f"{path}, row {row.number}: there is no column {column!r}; it has {columns}.")
    value = row.cells[column]
    return "" if value is None else value
