"""Files of spans as rows, like those of any other format: a text a row, with its spans as one cell."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from training.records.delimited import bounded_lines, decoded
from training.records.rows import FileError, Options, Row
from training.records.spans.brat import read_brat
from training.records.spans.conll import read_conll
from training.records.spans.labelled import LabelledText
from training.records.spans.objects import to_object

_TEXT, _MARKS = ".txt", ".ann"
_BYTES = 4  # of one character in UTF-8, at most


def read_conll_rows(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield a row for each text, with the line it starts on; broken tags are a fault of the cell of spans.

    The scheme of the tags is that of the whole file, which is read at once.
    """
    with decoded(file, options) as text:
        found = read_conll(bounded_lines(text, options.max_cell + 2))
    for one in found.texts:
        yield _row(one, "has tags that cannot be right.")


def read_brat_rows(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield a row for each `NAME.txt` of a ZIP archive with the spans of its `NAME.ann`, in their order.

    A text without annotations has no cell of spans. A line that is no span of its text is a fault of that
    cell, named with its file; what the archive has besides spans is counted in the findings.
    """
    left_out: Counter[str] = Counter()
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist() if not entry.is_dir()}
            # NB: no more of an entry is unpacked than the size that is declared here, so that it cannot lie.
            if sum(sizes.values()) > options.max_bytes:
                most = f"{options.max_bytes // 1024**2:,} MB"
                raise FileError(f"{name} unpacks to more than {most}, the most that is read.")
            stems = dict.fromkeys(
                entry.rpartition(".")[0] for entry in sizes if entry.endswith((_TEXT, _MARKS))
            )
            for number, stem in enumerate(stems, start=1):
                one = _of_brat(archive, sizes, stem, options.max_cell, number)
                left_out.update(
                    {kind: int(count) for count, kind in (said.split(" ", 1) for said in one.left_out)}
                )
                if one.problem or stem + _MARKS in sizes:
                    yield _row(one, "cannot be taken whole.")
                else:
                    yield Row(number, {"id": stem, "text": one.text})
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileError(f"{name} is damaged, or protected with a password.") from error
    if left_out and options.findings:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        options.findings.notes.append(f"Spans are imported; what brat holds besides is left out: {kinds}.")


def _of_brat(
    archive: zipfile.ZipFile, sizes: dict[str, int], stem: str, most: int, number: int
) -> LabelledText:
    """Return a text of the archive with its spans; each fault names its file."""
    if stem + _TEXT not in sizes:
        return LabelledText(line=number, problem=f"{stem}{_MARKS} has no {stem}{_TEXT} beside it.")
    contents = {_MARKS: ""}
    for kind in (_TEXT, _MARKS):
        entry = stem + kind
        if entry not in sizes:
            continue
        if sizes[entry] > _BYTES * most:
            return LabelledText(line=number, problem=f"{entry} has more than {most:,} characters.")
        try:
            contents[kind] = archive.read(entry).decode()
        except UnicodeDecodeError:
            return LabelledText(line=number, problem=f"{entry} is not in UTF-8, as the files of brat are.")
    found = read_brat(contents[_TEXT], contents[_MARKS].split("\n"), stem)
    faults = tuple(f"{stem}{_MARKS}: {fault}" for fault in found.faults)
    return LabelledText(found.text, found.spans, number, stem, faults=faults, left_out=found.left_out)


def _row(one: LabelledText, fault: str) -> Row:
    """Return the row of a text; what of its spans could not be taken is a `fault` of their cell."""
    if one.problem:
        return Row(one.line, problem=one.problem)
    cells = {**({"id": one.id} if one.id else {}), "text": one.text, "spans": to_object(one)["spans"]}
    told = one.faults[0].rstrip(".") if one.faults else ""
    return Row(one.line, cells, faults={"spans": f"{fault} {told}"} if told else {})
