"""brat's stand-off files: a text, and beside it a file with a line for each span of it.

The format is described at https://brat.nlplab.org/standoff.html. Offsets count Unicode code points.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from training.records.spans.labelled import CannotHold, LabelledText
from training.spans import place
from training.types import Span

_SPAN = re.compile(r"T\S*\t(\S+) (-?\d+) (-?\d+)(?:\t(.*))?")
_OTHERS = {
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "links",
    "*": "equivalences",
}


def read_brat(text: str, annotations: Iterable[str], id: str = "") -> LabelledText:
    """Return a text with the spans of its annotation file; `left_out` counts what that has besides."""
    spans: list[Span] = []
    faults: list[str] = []
    others: Counter[str] = Counter()
    for number, line in enumerate(annotations, start=1):
        line = line.rstrip("\r\n")
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith("T"):
            others[_OTHERS.get(line[0], "lines of another kind")] += 1
            continue
        match = _SPAN.fullmatch(line)
        if match is None:
            if ";" in line:
                faults.append(f"Line {number} is a span in several pieces, which are not read.")
            else:
                faults.append(f"Line {number} is no span with a label and two offsets.")
            continue
        label, start, end, said = match[1], int(match[2]), int(match[3]), match[4]
        if said is not None and 0 <= start <= end and _one_line(text[start:end]) != said:
            faults.append(f"Line {number}: the text has something else at {start}-{end}.")
            continue
        spans.append(Span(start, end, label))
    left_out = tuple(f"{count} {kind}" for kind, count in sorted(others.items()))
    return LabelledText(text, tuple(spans), 1, id, faults=tuple(faults), left_out=left_out)


def write_brat(found: LabelledText) -> list[str]:
    """Return the lines of a text's annotation file. Raises `CannotHold` for a label with blanks."""
    lines = []
    for i, span in enumerate(sorted(found.spans, key=place), start=1):
        label = str(span.label)
        if not label or label.split() != [label]:
            raise CannotHold(f"The label “{label}” has a blank, which brat cannot hold.")
        lines.append(f"T{i}\t{label} {span.start} {span.end}\t{_one_line(found.text[span.start : span.end])}")
    return lines


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
