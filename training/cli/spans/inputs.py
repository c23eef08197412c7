"""Reads files of texts with spans: CoNLL, JSONL of any tool that is known, by their suffix."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from training.records import read
from training.records.spans.conll import read_conll
from training.records.spans.labelled import LabelledText, checked
from training.records.spans.objects import from_object
from training.records.spans.studio import from_task
from training.spans import SpanDataset
from training.tasks import JOINT, SPAN
from training.types import Answer, LabelSpec, TrainingError

CONLL = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".conllu", ".txt", ".tsv")
_MOST_TOLD = 20  # faults of a file; the others are counted


def read_span_texts(path: Path, text: str = "text") -> list[LabelledText]:
    """Return the texts of a file. What cannot be taken is told on stderr, each with its line.

    Raises `TrainingError` for a file without a single text.
    """
    found = _conll(path) if path.suffix.lower() in CONLL else _objects(path, text)
    found = [checked(one, overlaps=False) if not one.problem else one for one in found]
    told = [
        f"{path}, line {one.line}: {fault}" for one in found for fault in (one.problem, *one.faults) if fault
    ]
    for sentence in told[:_MOST_TOLD]:
        print(sentence, file=sys.stderr)
    if len(told) > _MOST_TOLD:
        print(f"{path}: {len(told) - _MOST_TOLD} more of this kind", file=sys.stderr)
    good = [one for one in found if not one.problem]
    if not good:
        raise TrainingError(f"{path} has no text that can be read.")
    return good


def _conll(path: Path) -> list[LabelledText]:
    with path.open(encoding="utf-8", newline="\n") as file:
        try:
            found = read_conll(file)
        except UnicodeDecodeError as error:
            raise TrainingError(f"{path} is not UTF-8 ({error}); save it so.") from error
    print(f"{path}: {len(found.texts)} texts, tags in {found.scheme}", file=sys.stderr)
    return list(found.texts)


def _objects(path: Path, text: str) -> list[LabelledText]:
    """Read JSON or JSONL: one object for each text, or a list of them."""
    found: list[LabelledText] = []
    with path.open(encoding="utf-8", newline="\n") as file:
        if path.suffix.lower() == ".json":
            rows: Iterable[tuple[int, str]] = [(1, file.read())]
        else:
            rows = enumerate(file, start=1)
        for number, line in rows:
            if not line.strip():
                continue
            try:
                content = json.loads(line)
            except (ValueError, RecursionError) as error:
                found.append(LabelledText(line=number, problem=f"The line is no JSON ({error})."))
                continue
            several = content if path.suffix.lower() == ".json" and isinstance(content, list) else [content]
            for one in several:
                if isinstance(one, dict) and isinstance(one.get("data"), dict):
                    found += from_task(one, number)
                    continue
                if isinstance(one, dict) and text != "text" and text in one:
                    one = {**one, "text": one[text]}
                found.append(from_object(one, number))
    return found


def read_span_datasets(
    paths: Sequence[Path], text: str = "text", task: str = SPAN.key, labels: tuple[LabelSpec, ...] = ()
) -> tuple[SpanDataset, ...]:
    """Return the datasets of files under one schema: `labels`, or all that occur in any file, sorted.

    Labels of whole texts count where the task has both; a name that is used in both ways is refused.
    """
    if task == JOINT.key and any(path.suffix.lower() in CONLL for path in paths):
        raise TrainingError(
            "CoNLL has no place for labels of whole texts, which the task joint learns: give JSONL, "
            'one object a line with "text", "labels" and "spans".'
        )
    files = [read_span_texts(path, text) for path in paths]
    if labels:
        return tuple(_dataset(task, labels, file) for file in files)
    keys = sorted({str(span.label) for file in files for one in file for span in one.spans})
    if not keys:
        raise TrainingError(f"{', '.join(map(str, paths))}: no text has a span.")
    whole = sorted({label for file in files for one in file for label in one.labels})
    if task != JOINT.key:
        labels = tuple(LabelSpec(key, key) for key in keys)
    elif both := set(whole) & set(keys):
        name = min(both)
        raise TrainingError(f"{name!r} labels texts and pieces of them; a label has one kind. Rename one.")
    else:
        of_spans = (LabelSpec(key, key, of_spans=True) for key in keys)
        labels = (*(LabelSpec(key, key) for key in whole), *of_spans)
    return tuple(_dataset(task, labels, file) for file in files)


def _dataset(task: str, labels: tuple[LabelSpec, ...], file: Sequence[LabelledText]) -> SpanDataset:
    texts = [one.text for one in file]
    if task == JOINT.key:
        return JOINT.dataset(labels, texts, [Answer(one.labels, one.spans) for one in file])
    return SPAN.dataset(labels, texts, [Answer(spans=one.spans) for one in file])


def limited(dataset: SpanDataset, limit: int | None, seed: int) -> SpanDataset:
    """Return the first `limit` texts of a shuffle by `seed`; all of them, in order, without a limit."""
    if limit is None:
        return dataset
    if limit < 1:
        raise TrainingError("--limit must be at least 1.")
    return dataset.rows(np.random.default_rng(seed).permutation(len(dataset))[:limit].tolist())


def word_count(texts: Iterable[str]) -> int:
    """Return how many words people read in these texts, by blanks."""
    return sum(len(text.split()) for text in texts)


def read_plain_texts(path: Path, text: str) -> list[str]:
    """Return texts without looking at labels, of a file of spans or of any other that has rows."""
    if path.suffix.lower() in (*CONLL[:-2], ".jsonl", ".json"):
        return [one.text for one in read_span_texts(path, text)]
    return [str(row.cells[text]) for row in read(path) if not row.problem and text in row.cells]
