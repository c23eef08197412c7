"""Readers of JSON: one object on each line, a list of objects, or objects one after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from training.records.delimited import bounded_lines, decoded
from training.records.rows import FileError, Options, Row
from training.storable import DECODER
from training.types import Json

CHUNK = 256 * 1024


def read_jsonl(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield one row for each line; a line that is no object becomes a row with a problem."""
    longest = options.max_row
    with decoded(file, options) as text:
        for number, line in enumerate(bounded_lines(text, longest + 1), start=1):
            if len(line) > longest:
                yield Row(number, problem=f"The line is longer than {longest:,} characters.")
                continue
            if not line.strip():
                continue
            try:
                row = _row(number, DECODER.decode(line))
            except json.JSONDecodeError as error:
                problem = f"The line is not JSON: {error.msg} at character {error.pos + 1}."
                row = Row(number, problem=problem)
            except RecursionError:
                row = Row(number, problem="The JSON is nested too deeply.")
            yield row


def _row(number: int, value: Json) -> Row:
    if isinstance(value, str):
        return Row(number, {"text": value})
    if not isinstance(value, dict):
        return Row(number, problem="An object with named fields was expected here.")
    return Row(number, value)


def read_json(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the items of a list of objects (or of objects one after another) without holding the list."""
    with decoded(file, options) as text:
        yield from _Stream(text, options.max_row + CHUNK).rows()


class _Stream:
    """A window over a JSON file. `buffer` is parsed up to `position`, which is on line `line` of the file."""

    def __init__(self, file: TextIO, longest: int) -> None:
        self.file, self.longest = file, longest
        self.buffer, self.position, self.line = "", 0, 1
        self.ended = False

    def rows(self) -> Iterator[Row]:
        listed = self._peek() == "["
        if listed:
            self._skip(1)
        while (char := self._peek()) and not (listed and char == "]"):
            number = self.line
            yield _row(number, self._item())
            if self._peek() == ",":
                self._skip(1)
        if listed and self._peek() != "]":
            raise FileError(f"The file ends on line {self.line} before its list is closed; it is incomplete.")

    def _item(self) -> Json:
        while True:
            try:
                value, end = DECODER.raw_decode(self.buffer, self.position)
            except json.JSONDecodeError as error:
                if self.ended or len(self.buffer) - self.position > self.longest:
                    reason = f"From line {self.line} on, the file is not JSON: {error.msg}."
                    raise FileError(reason) from error
                self._fill()
                continue
            except RecursionError as error:
                raise FileError(f"On line {self.line}, the JSON is nested too deeply.") from error
            self._skip(end - self.position)
            return value

    def _fill(self) -> None:
        """Read as much again as is waiting already, so that a long item is tried only a few times."""
        rest = self.buffer[self.position :]
        chunk = self.file.read(max(CHUNK, len(rest)))
        self.ended = not chunk
        self.buffer, self.position = rest + chunk, 0

    def _skip(self, count: int) -> None:
        # An old Mac's lone carriage return is not counted as a line's end, as JSON is never saved so.
        self.line += self.buffer.count("\n", self.position, self.position + count)
        self.position += count

    def _peek(self) -> str:
        """Return the next character that is not white space, or "" at the end."""
        while True:
            start = self.position
            while start < len(self.buffer) and self.buffer[start] in " \t\r\n\ufeff":
                start += 1
            self._skip(start - self.position)
            if start < len(self.buffer):
                return self.buffer[start]
            if self.ended:
                return ""
            self._fill()
