"""CoNLL files as rows, like those of any other format: a text a row, with its spans as one cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from training.records.delimited import bounded_lines, decoded
from training.records.rows import Options, Row
from training.records.spans.conll import read_conll
from training.records.spans.objects import to_object


def read_conll_rows(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield a row for each text, with the line it starts on; broken tags are a fault of the cell of spans.

    The scheme of the tags is that of the whole file, which is read at once.
    """
    with decoded(file, options) as text:
        found = read_conll(bounded_lines(text, options.max_cell + 2))
    for one in found.texts:
        if one.problem:
            yield Row(one.line, problem=one.problem)
            continue
        cells = {**({"id": one.id} if one.id else {}), "text": one.text, "spans": to_object(one)["spans"]}
        told = one.faults[0].rstrip(".") if one.faults else ""
        yield Row(one.line, cells, faults={"spans": f"has tags that cannot be right. {told}"} if told else {})
