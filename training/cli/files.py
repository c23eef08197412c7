"""Labelled files as datasets: which column is the text, which the label, and what joins several labels."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable
from pathlib import Path

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
    return [str(_cell(row, text, path, number)) for number, row in _rows(path)]


def read_answers(path: Path, text: str, label: str, multi: str | None) -> tuple[list[str], Answers]:
    """Return texts and their label keys; a list in a JSON row is taken as it is."""
    texts, answers = [], []
    for number, row in _rows(path):
        texts.append(str(_cell(row, text, path, number)))
        answers.append(_labels(_cell(row, label, path, number), multi))
    if not texts:
        raise TrainingError(f"{path} has no rows.")
    return texts, answers


def read_datasets(
    train: Path, others: Iterable[Path], *, text: str, label: str, multi: str | None
) -> tuple[Dataset, ...]:
    """Return the training dataset, then the others, under one schema: all labels of all files, sorted."""
    read = [read_answers(path, text, label, multi) for path in (train, *others)]
    keys = sorted({key for _, answers in read for answer in answers for key in answer})
    task = Task.SINGLE if multi is None else Task.MULTI
    schema = LabelSchema(task, tuple(LabelSpec(key, key) for key in keys))
    return tuple(Dataset(schema, tuple(texts), schema.encode(answers)) for texts, answers in read)


def _labels(value: Json, multi: str | None) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(map(str, value)))
    if multi is None:
        return (str(value),)
    return tuple(dict.fromkeys(part.strip() for part in str(value).split(multi) if part.strip()))


def _cell(row: dict[str, Json], column: str, path: Path, number: int) -> Json:
    value = row.get(column)
    if value is None:
        raise TrainingError(
            f"{path}, row {number}: there is no {column!r}; it has {', '.join(map(str, row))}."
        )
    return value


def _rows(path: Path) -> Iterable[tuple[int, dict[str, Json]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".jsonl":
                yield from ((n, json.loads(line)) for n, line in enumerate(file, 1) if line.strip())
            else:
                yield from enumerate(
                    csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","), 1
                )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.") from error
