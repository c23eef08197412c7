"""A ZIP archive of brat's files: a row for each text, each fault with its file and line, limits before."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from training.records import FileError, Findings, Options, Row, read


def packed(folder: Path, **files: str | bytes) -> Path:
    path = folder / "corpus.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"news/{name.replace('_', '.')}", content)
    return path


def test_each_text_is_a_row_with_its_spans_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = packed(
        tmp_path,
        a_txt="👩 Ada\r\nin Rome",
        a_ann="T1\tPER 2 5\tAda\nT2\tLOC 10 14\tRome\nR1\tin Arg1:T1 Arg2:T2\n",
        b_txt="Bob",
        b_ann="T1\tPER 0 3\tBob\nT2\tPER 1 3\tXy\n",
        c_txt="unlabelled",
        d_ann="",
        e_txt=b"\xff\xfe",
        f_txt="nothing here",
        f_ann="",
    )
    findings = Findings()
    rows = list(read(path, Options(findings=findings)))
    ada = [{"start": 2, "end": 5, "label": "PER"}, {"start": 10, "end": 14, "label": "LOC"}]
    assert rows == [
        Row(1, {"id": "news/a", "text": "👩 Ada\r\nin Rome", "spans": ada}),
        Row(
            2,
            {"id": "news/b", "text": "Bob", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
            faults={"spans": "cannot be taken whole. news/b.ann: Line 2: the text has something else at 1-3"},
        ),
        Row(3, {"id": "news/c", "text": "unlabelled"}),
        Row(4, problem="news/d.ann has no news/d.txt beside it."),
        Row(5, problem="news/e.txt is not in UTF-8, as the files of brat are."),
        Row(6, {"id": "news/f", "text": "nothing here", "spans": []}),
    ]
    assert "1 relations" in findings.notes[0]


def test_what_unpacks_to_more_than_may_be_read_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, a_txt="a" * 100_000, a_ann="")
    assert "has more than 1,000 characters" in next(iter(read(path, Options(max_cell=1_000)))).problem
    with pytest.raises(FileError, match="unpacks to more than"):
        list(read(path, Options(max_bytes=10_000)))


def test_an_archive_of_other_files_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="unpack it first"):
        list(read(packed(tmp_path, a_txt="a")))
