"""Files of texts with spans, in the forms that tools for entities read; the library writes each text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from annotate.services.exports.contents import Row
from annotate.task_types.span import FLAT_SPAN
from training.preprocess.words import words
from training.records.spans import objects, studio
from training.records.spans.conll import write_conll
from training.records.spans.labelled import LabelledText
from training.storable import printable


def conll(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the texts that somebody answered, each with a line that has it whole: its blanks come back.

    The scheme is BIO. Only a task without overlaps may be written so: a token has one tag.
    """
    for row in _answered(rows):
        name = row.get("external_id") or str(row["document"])
        # NB: an id with a line break in it would end the line.
        about = f"# id = {name}\n" if name.isprintable() else ""
        lines = write_conll(_labelled(row), words(row["text"]), whole=True)
        yield printable(about + "\n".join(lines) + "\n").encode()


def spacy(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a JSON line for each answered text, as `spacy.tokens.Doc.from_json` takes it."""
    for row in _answered(rows):
        yield _line(objects.to_spacy(_labelled(row)))


def doccano(row: Row) -> list[list[Any]]:
    """Return the spans of a row as doccano keeps them."""
    return list(objects.to_doccano(_labelled(row))["label"])


def label_studio(spans: Any, text: str) -> list[Row]:
    """Return the results of an annotation, or a prediction, as Label Studio has them: in UTF-16 units."""
    found = studio.to_task(_labelled({"text": text, "spans": spans}))
    return list(found["annotations"][0]["result"])


def _answered(rows: Iterable[Row]) -> Iterator[Row]:
    """Leave out rows without an answer: a text without spans would say that there are none in it."""
    return (row for row in rows if row.get("outcome") == "answered")


def _labelled(row: Row) -> LabelledText:
    """Return the text of a row, with its spans and its words."""
    text = row["text"]
    answer = FLAT_SPAN.parsed(row.get("spans") or [])
    name = row.get("external_id") or ""
    return LabelledText(text, answer.spans, id=name, tokens=tuple(words(text)))


def _line(content: Row) -> bytes:
    return printable(json.dumps(content, ensure_ascii=False) + "\n").encode()
