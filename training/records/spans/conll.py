"""CoNLL files: one token a line with its tag in the last column, a blank line between texts.

A text is its tokens joined by one blank, or what a line “# text = …” says in JSON, as `write_conll` puts it
there where the blanks between tokens are to come back as they were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from training.records.spans.labelled import CannotHold, LabelledText
from training.records.spans.tags import Scheme, Tag, detect_scheme, parse_tag, read_tags, write_tags
from training.spans import overlapping, place, text_fault
from training.types import Span

_ABOUT = re.compile(r"#\s*([\w.-]+)\s*=\s*(.*)")
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class ConllTexts:
    """The texts of a file, and the scheme of its tags."""

    scheme: Scheme
    texts: tuple[LabelledText, ...]


@dataclass(slots=True)
class _Block:
    """The lines of one text."""

    line: int
    tokens: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def read_conll(lines: Iterable[str]) -> ConllTexts:
    """Return the texts of a file's lines, one for each block between blank lines.

    A line with another number of columns than its neighbours is the problem of its text; a tag that the
    scheme does not allow is a fault of it. Other texts are read all the same. NB: give lines that end at line
    feeds only, as Python's `splitlines` also breaks at signs that stand within tokens.
    """
    blocks = list(_blocks(lines))
    scheme = detect_scheme(block.tags for block in blocks)
    return ConllTexts(scheme, tuple(_labelled(block, scheme) for block in blocks))


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    block: _Block | None = None
    columns = 0  # of the file's first token
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if number == 1:
            line = line.removeprefix("\ufeff")
        if not line.strip():
            if block is not None:
                yield block
            block = None
            continue
        about = _ABOUT.fullmatch(line)
        if (about and "\t" not in line) or line.startswith(_DOCUMENT):
            if about:
                block = block or _Block(number)
                block.about[about[1]] = about[2]
            continue
        block = block or _Block(number)
        # Cells are separated by tabs, and tokens may hold blanks then; without any tab, by blanks.
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        columns = columns or len(cells)
        _take(block, cells, columns, number)
    if block is not None:
        yield block


def _take(block: _Block, cells: Sequence[str], columns: int, number: int) -> None:
    """Add a token's line to its text."""
    if block.problem:
        return
    if len(cells) < 2 or len(cells) != columns:
        block.problem = (
            f"Line {number} has {len(cells)} columns and the file's first token {columns}; "
            "a token and its tag are needed, with tabs or blanks between them."
        )
        return
    if not cells[0]:
        block.problem = f"Line {number} has no token before its tag."
        return
    try:
        tag = parse_tag(cells[-1])
    except ValueError as error:
        block.problem = f"Line {number}: {error}."
        return
    block.tokens.append(cells[0])
    block.tags.append(tag)
    block.lines.append(number)


def _labelled(block: _Block, scheme: Scheme) -> LabelledText:
    id = block.about.get("id", block.about.get("sent_id", ""))
    if block.problem:
        return LabelledText(line=block.line, id=id, problem=block.problem)
    text, places = " ".join(block.tokens), _joined(block.tokens)
    if "text" in block.about:
        said = _text(block.about["text"])
        found = _found(block.tokens, said)
        if found is None:
            problem = f"Line {block.line}: the tokens are not those of the text that stands before them."
            return LabelledText(line=block.line, id=id, problem=problem)
        text, places = said, found
    spans, broken = read_tags(block.tags, places, scheme)
    faults = tuple(f"Line {block.lines[fault.token]}: {fault.reason}." for fault in broken)
    return LabelledText(text, spans, block.line, id, faults=faults, tokens=tuple(places))


def _text(said: str) -> str:
    """Return the text of a line about it: JSON, or as it stands, as CoNLL-U has it."""
    try:
        text = json.loads(said)
    except (ValueError, RecursionError):
        return said
    return text if isinstance(text, str) else said


def _joined(tokens: Sequence[str]) -> list[tuple[int, int]]:
    places, at = [], 0
    for token in tokens:
        places.append((at, at + len(token)))
        at += len(token) + 1
    return places


def _found(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    places, at = [], 0
    for token in tokens:
        start = text.find(token, at)
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(token)
        places.append((start, at))
    return places if not text[at:].strip() else None


def write_conll(
    found: LabelledText, words: Sequence[tuple[int, int]], scheme: Scheme = Scheme.BIO, *, whole: bool = False
) -> list[str]:
    """Return the lines of one text, the blank one behind it included.

    `words` are the places of its tokens; those in which a span begins or ends are cut there. With `whole` the
    text stands before its tokens, so that its blanks come back. Raises `CannotHold` for spans that overlap or
    that the text does not have, for tokens with blanks inside, and for a text without tokens that is not
    whole.
    """
    for span in found.spans:
        if fault := text_fault(span, found.text):
            raise CannotHold(fault)
    pieces = _cut(words, found.spans)
    for start, end in pieces:
        if len(found.text[start:end].split()) != 1:
            raise CannotHold(f"The token {start}-{end} has a blank inside, which a line cannot hold.")
    if not pieces and not whole:
        raise CannotHold("The text has no tokens, and a blank line stands for no text.")
    tags = write_tags(found.spans, pieces, scheme)
    lines = [f"# text = {json.dumps(found.text, ensure_ascii=True)}"] if whole else []
    lines += [f"{found.text[start:end]}\t{tag}" for (start, end), tag in zip(pieces, tags, strict=True)]
    return [*lines, ""]


def _cut(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Return the words, in two where a span begins or ends within one."""
    if overlapping(sorted(spans, key=place)):
        return list(words)  # they are refused
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    pieces, k = [], 0
    for start, end in words:
        while k < len(edges) and edges[k] <= start:
            k += 1
        while k < len(edges) and edges[k] < end:
            pieces.append((start, edges[k]))
            start = edges[k]
            k += 1
        pieces.append((start, end))
    return pieces
