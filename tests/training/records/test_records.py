from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from training.records import (
    FileError,
    Findings,
    Options,
    ReadMeter,
    Row,
    bounded,
    delimited,
    read,
    reading,
    sample,
)
from training.records.header import repeated


def rows(tmp_path: Path, content: str | bytes, name: str = "a.csv", **options: object) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(path, Options(**options)))  # type: ignore[arg-type]


def cells(found: list[Row]) -> list[dict[str, object]]:
    return [dict(row.cells) for row in found if not row.problem]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, mark: str) -> None:
    content = f"id{mark}text\n1{mark}hello there\n2{mark}bye\n"
    assert cells(rows(tmp_path, content)) == [{"id": "1", "text": "hello there"}, {"id": "2", "text": "bye"}]


def test_texts_of_a_single_column_may_hold_commas(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "text\nwell, yes\nno; or, so\n")) == [
        {"text": "well, yes"},
        {"text": "no; or, so"},
    ]


def test_a_declared_delimiter_wins(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "text;b,c\n1;2,3\n", delimiter=","))[0] == {"text;b": "1;2", "c": "3"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_has_the_number_of_the_line_it_starts_on(tmp_path: Path, end: str) -> None:
    found = rows(tmp_path, end.join(["id,text", '1,"two', 'lines"', "", "2,next"]) + end)
    assert [(row.number, row.cells["text"]) for row in found] == [(2, f"two{end}lines"), (5, "next")]


RUSSIAN = "Съешь ещё этих мягких французских булок, да выпей чаю. Вот так и живём теперь."
FRENCH = "Le cœur déçu mais l’âme plutôt naïve, Louÿs rêva de crapaüter en canoë au delà des îles."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", RUSSIAN), ("utf-8-sig", RUSSIAN), ("utf-16", RUSSIAN), ("utf-16-le", RUSSIAN),
        ("utf-16-be", FRENCH), ("windows-1251", RUSSIAN), ("windows-1252", FRENCH),
        ("utf-8", "\U0001f600 e\u0301"),
    ],
)  # fmt: skip
def test_the_encoding_is_found(tmp_path: Path, encoding: str, text: str) -> None:
    content = "id;text\n" + "".join(f"{i};{text}\n" for i in range(20))
    assert cells(rows(tmp_path, content.encode(encoding)))[0] == {"id": "0", "text": text}


def test_a_declared_encoding_wins_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "text\nё\n".encode("koi8-r"), encoding="koi8-r")) == [{"text": "ё"}]
    with pytest.raises(FileError, match="no encoding called 'klingon'"):
        rows(tmp_path, "text\na\n", encoding="klingon")


def test_a_damaged_byte_costs_its_row_only(tmp_path: Path) -> None:
    content = ("text\n" + f"{RUSSIAN}\n" * 20).encode() + b"broken \xff\n" + b"good\n"
    found = rows(tmp_path, content)
    assert [row.number for row in found if row.faults] == [22]
    assert found[-1].cells == {"text": "good"}


def test_a_quote_that_never_closes_costs_its_row_only(tmp_path: Path) -> None:
    found = rows(tmp_path, 'id,text\n1,good\n2,"open\n3,good\n4,good\n')
    assert [(row.number, bool(row.problem)) for row in found] == [
        (2, False),
        (3, True),
        (4, False),
        (5, False),
    ]


def test_a_quote_that_is_not_doubled_is_reported_and_not_dropped(tmp_path: Path) -> None:
    found = rows(tmp_path, 'id,text\n1,"a" b\n2,good\n')
    assert "not doubled" in found[0].problem
    assert found[1].cells["text"] == "good"


def test_a_row_with_too_many_cells_is_broken_and_one_with_too_few_is_filled(tmp_path: Path) -> None:
    found = rows(tmp_path, "id,text,label\n1,a,x,y\n2,b\n3,c,z\n4,d,z\n5,e,z\n")
    assert "4 cells" in found[0].problem
    assert found[1].cells == {"id": "2", "text": "b", "label": ""}


@pytest.mark.parametrize(
    ("content", "name"), [("text\na\0b\ngood\n", "a.csv"), ('{"text": "a\\u0000"}\n', "a.jsonl")]
)
def test_a_nul_character_is_reported(tmp_path: Path, content: str, name: str) -> None:
    (reason,) = rows(tmp_path, content + " " * 400, name)[0].faults.values()
    assert "NUL" in reason


def test_the_text_backslash_u0000_is_no_nul_character(tmp_path: Path) -> None:
    assert not rows(tmp_path, "text\na\\u0000b\n")[0].faults


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl", "a.json"])
def test_a_cell_over_the_limit_costs_its_row_only(tmp_path: Path, name: str) -> None:
    texts = ["x" * 2000, "good"]
    lines = [json.dumps({"text": text}) if "json" in name else text for text in texts]
    content = "\n".join(["text", *lines] if name == "a.csv" else lines)
    found = rows(tmp_path, content, name, max_cell=100)
    assert [bool(row.problem or row.faults) for row in found] == [True, False]
    assert found[-1].cells == {"text": "good"}


def test_too_many_columns_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="600 columns"):
        rows(tmp_path, ",".join(f"text{i}" for i in range(600)) + "\n")


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="larger than"):
        rows(tmp_path, "text\na\n", max_bytes=3)


def test_a_file_without_a_header_is_told_from_one_with(tmp_path: Path) -> None:
    assert rows(tmp_path, "ham\thello there\nham\tbye\nspam\twin\n", "a.tsv")[0].number == 1
    assert rows(tmp_path, "Betreff,Inhalt\neins,hallo du\nzwei,servus\n")[0].cells["Inhalt"] == "hallo du"


@pytest.mark.parametrize(
    "cell", ["ends in a line break\n", 'he said "so"', "\ttabs\t", '"', "", "two\n\nlines\n", 'a "\n" b']
)
def test_quoted_cells_of_tab_separated_text_hold_anything(tmp_path: Path, cell: str) -> None:
    quoted = '"{}"'.format(cell.replace('"', '""'))
    content = f"text\tlabel\n{quoted}\tred\nplain\tblue\n"
    assert cells(rows(tmp_path, content, "a.tsv"))[0] == {"text": cell, "label": "red"}


def test_a_quote_that_the_sample_cuts_is_no_plain_character(tmp_path: Path) -> None:
    long = "word\n" * 20_000
    content = f'text\tlabel\n"one\n"\tred\n"{long}"\tblue\n'
    assert cells(rows(tmp_path, content, "a.tsv"))[1] == {"text": long, "label": "blue"}


def test_quotes_in_tab_separated_text_may_be_plain_characters(tmp_path: Path) -> None:
    found = rows(tmp_path, 'label\ttext\nham\t"Well" he said\nham\tno\nspam\t"oh\n', "a.tsv")
    assert [row.cells["text"] for row in found] == ['"Well" he said', "no", '"oh']


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    assert list(rows(tmp_path, "text,text,\na,b,c\n")[0].cells) == ["text", "text (2)", "column 3"]


def test_columns_of_one_name_are_noted(tmp_path: Path) -> None:
    for names, noted in [("text,text,text", 1), ("text,label", 0), ("text,b (2)", 0)]:
        (tmp_path / "a.csv").write_text(f"{names}\na,b\n")
        findings = Findings()
        sample(tmp_path / "a.csv", 5, Options(findings=findings))
        assert len(findings.notes) == noted
    assert "“text”, “text (2)”" in repeated(["text", "text (2)"])[0]


def test_lines_are_texts(tmp_path: Path) -> None:
    found = rows(tmp_path, "one\r\n\r\n two,  \r\n", "a.txt")
    assert [(row.number, row.cells["text"]) for row in found] == [(1, "one"), (3, " two,  ")]


def test_jsonl_reports_the_line_that_is_no_object(tmp_path: Path) -> None:
    found = rows(tmp_path, '{"text": "a", "n": NaN}\n{"text": \n[1]\n\n{"text": "b"}\n', "a.jsonl")
    assert [(row.number, bool(row.problem)) for row in found] == [
        (1, False),
        (2, True),
        (3, True),
        (5, False),
    ]
    assert found[0].cells == {"text": "a", "n": None}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_number_that_is_not_finite_is_missing(tmp_path: Path, number: str, name: str) -> None:
    found = rows(tmp_path, f'{{"text": "a", "n": {number}, "m": 1.5}}\n{{"text": "b"}}\n', name)
    assert [row.cells for row in found] == [{"text": "a", "n": None, "m": 1.5}, {"text": "b"}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_number_of_thousands_of_digits_costs_its_own_cell(tmp_path: Path, name: str) -> None:
    digits = "9" * 5000
    lines = [
        f'{{"text": "a", "n": {digits}}}',
        f'{{"text": "b", "n": [{{"m": -{digits}}}]}}',
        '{"text": "c"}',
    ]
    found = rows(tmp_path, "\n".join(lines) + "\n", name)
    assert [row.cells["text"] for row in found] == ["a", "b", "c"]
    assert [row.faults for row in found] == [
        {"n": "is a whole number of more than 1,000 digits"},
        {"n": "is a whole number of more than 1,000 digits at /0/m"},
        {},
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("key", ["no\\ud83d", "no\\u0000"])
def test_a_name_that_cannot_be_stored_is_a_broken_row_of_a_column_and_a_fault_within_a_cell(
    tmp_path: Path, name: str, key: str
) -> None:
    lines = [f'{{"text": "a", "{key}": "v"}}', f'{{"text": "b", "m": {{"{key}": 1}}}}', '{"text": "c"}']
    found = rows(tmp_path, "\n".join(lines) + "\n", name)
    assert [(bool(row.problem), list(row.faults)) for row in found] == [
        (True, []),
        (False, ["m"]),
        (False, []),
    ]
    # What is said of it is stored and shown itself.
    for said in (found[0].problem, found[1].faults["m"]):
        assert key in said
        assert said.isprintable()


def test_a_json_list_gives_each_object_the_line_it_starts_on(tmp_path: Path) -> None:
    content = json.dumps([{"text": "a", "labels": ["x", "y"]}, {"text": "b"}], indent=1)
    found = rows(tmp_path, content, "a.json")
    assert found[0].cells == {"text": "a", "labels": ["x", "y"]}
    assert content.splitlines()[found[1].number - 1].strip() == "{"


def test_a_json_list_that_breaks_off_says_where(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="line 2"):
        rows(tmp_path, '[{"text": "a"},\n{"text": ', "a.json")
    assert len(sample(tmp_path / "a.json", 5)[0]) == 1


def test_json_deeper_than_the_stack_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="too deeply"):
        rows(tmp_path, "[" + '{"a":' * 100_000, "a.json")


def test_a_long_json_list_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" + ",\n".join(json.dumps({"text": f"{i} " + "x" * 1000}) for i in range(10_000)) + "]")
    tracemalloc.start()
    assert sum(1 for _row in read(path)) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for values in (["id", "text", "day"], [1, "hello", date(2026, 1, 2)], [], [2.5, "bye", None]):
        sheet.append(values)
    book.save(path)
    return path


def test_a_workbook_gives_rows_with_the_sheets_numbers(tmp_path: Path) -> None:
    found = list(read(workbook(tmp_path / "a.xlsx")))
    assert [row.number for row in found] == [2, 4]
    assert found[0].cells == {"id": 1, "text": "hello", "day": "2026-01-02"}
    assert found[1].cells == {"id": 2.5, "text": "bye", "day": None}


def test_a_reader_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "a.parquet")
    without = "import sys; sys.modules['pyarrow'] = None; "
    monkeypatch.setattr(bounded, "START", without + bounded.START)
    with pytest.raises(FileError, match=r"'pyarrow': run pip install '\.\[parquet\]'"):
        list(read(tmp_path / "a.parquet"))


def test_a_packed_file_tells_how_far_it_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(1500):
        sheet.append([f"text {number}"])
    book.save(packed)
    column = pyarrow.table({"text": [f"text {i}" for i in range(2500)]})
    pyarrow.parquet.write_table(column, tmp_path / "a.parquet")
    for path in (packed, tmp_path / "a.parquet"):
        meter = ReadMeter()
        found = read(path, Options(meter=meter))
        next(found)
        assert 0 < meter.bytes_read() < path.stat().st_size
        list(found)
        assert meter.bytes_read() == path.stat().st_size


def test_a_workbook_under_another_name_is_a_sentence(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx").rename(tmp_path / "a.csv")
    with pytest.raises(FileError, match="really a workbook"):
        list(read(path))


def test_a_workbook_that_unpacks_out_of_proportion_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b" " * 20_000_000)
    with pytest.raises(FileError, match="unpacks to"):
        list(read(path))


def test_a_workbook_that_declares_entities_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(FileError, match="document type"):
        list(read(path))


def test_a_parquet_file_gives_rows(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", None], "labels": [["x"], []], "score": [0.5, float("nan")]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    found = list(read(tmp_path / "a.parquet"))
    assert found[0] == Row(1, {"text": "a", "labels": ["x"], "score": 0.5})
    assert found[1].cells == {"text": None, "labels": [], "score": None}


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.csv", "empty"),
        (gzip.compress(b"text\na\n", mtime=0), "a.csv", "gzip"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>", "a.csv", "web page"),
        (b"%PDF-1.7", "a.csv", "PDF"),
        (b"\xd0\xcf\x11\xe0 old", "a.xlsx", "97-2003"),
        (b"text,label\n", "a.xlsx", "not a workbook.*give it the ending of what it is"),
        (b'{"text": "a"}\n{"text": "b"}\n', "a.csv", "holds JSON; give it the ending .jsonl"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a.csv", "is an image, whatever its name says"),
        (b"GIF89a" + bytes(40), "photo.csv", "photo.csv is an image"),
        (b"Rar!\x1a\x07", "a.csv", "RAR archive; unpack it"),
        (b"text,label\n", "a.parquet", "not a Parquet file"),
        (b"PAR1 and then nothing", "a.parquet", "damaged"),
        (b"PK\x03\x04 and then nothing", "a.xlsx", "damaged"),
        (bytes(range(256)) * 8, "a.csv", "not a text file"),
    ],
)
def test_a_file_that_is_not_what_it_says_gets_a_sentence(
    tmp_path: Path, content: bytes, name: str, reason: str
) -> None:
    with pytest.raises(FileError, match=reason):
        rows(tmp_path, content, name)


OPENED: list[str] = []
sys.addaudithook(lambda event, found: OPENED.append(str(found[0])) if event == "open" else None)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.txt", "a.jsonl", "a.json", "b.csv", "a.xlsx", "a.parquet"]
)
def test_a_file_is_opened_once_each_time_it_is_used(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.xlsx":
        workbook(path)
    elif name == "a.parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"]}), path)
    elif name == "b.csv":
        path.write_bytes(f"id;text\n1;{RUSSIAN}\n".encode("windows-1251"))
    elif name in ("a.csv", "a.tsv"):
        path.write_text("text\na\nb\n")
    else:
        path.write_text('[{"text": "a"}]' if name == "a.json" else '{"text": "a"}\n{"text": "b"}\n')
    del OPENED[:]
    whole = list(read(path))
    assert OPENED.count(str(path)) == 1
    first, settled = sample(path, 1)
    assert OPENED.count(str(path)) == 2
    assert first == whole[:1]
    assert list(read(path, settled)) == whole


def test_what_a_sample_found_out_is_not_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"id;text\n1;{RUSSIAN}\n".encode("windows-1251"))
    _rows, settled = sample(path, 1)
    monkeypatch.setattr(reading, "detect_encoding", lambda *_: pytest.fail("looked for the encoding again"))
    assert cells(list(read(path, settled))) == [{"id": "1", "text": RUSSIAN}]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;", "\ufeffsep=;"])
def test_excels_line_with_the_delimiter_names_it_and_is_no_row(tmp_path: Path, first: str) -> None:
    found = rows(tmp_path, f"{first}\r\nid;text;label\r\n1;well, hello;a\r\n2;good, bye;b\r\n")
    assert [(row.number, dict(row.cells)) for row in found] == [
        (3, {"id": "1", "text": "well, hello", "label": "a"}),
        (4, {"id": "2", "text": "good, bye", "label": "b"}),
    ]


def test_a_declared_delimiter_wins_over_excels_line(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "sep=;\ntext,label\na;b,c\n", delimiter=",")) == [
        {"text": "a;b", "label": "c"}
    ]


def test_a_text_that_only_starts_like_excels_line_is_a_row(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "sep=september\nother\n"))[0] == {"column 1": "sep=september"}


@pytest.mark.parametrize("delimiter", ["ab", "\n", '"'])
def test_a_delimiter_that_cannot_be_one_is_a_sentence(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(FileError, match="has to be one character"):
        rows(tmp_path, "text\na\n", delimiter=delimiter)


def test_a_long_line_of_whole_cells_is_not_cut(tmp_path: Path) -> None:
    found = rows(tmp_path, f"text,more\n{'a' * 90},{'b' * 90}\n", max_cell=100)
    assert cells(found) == [{"text": "a" * 90, "more": "b" * 90}]


def test_a_row_of_many_long_cells_costs_itself_only(tmp_path: Path) -> None:
    lines = ",".join(f'"{"a" * 45}\n{"b" * 45}"' for _ in range(5))
    found = rows(tmp_path, f"text,b,c,d,e\n{lines}\n1,2,3,4,5\n", max_cell=100)
    assert "longer than is read" in found[0].problem
    assert found[-1].cells == {"text": "1", "b": "2", "c": "3", "d": "4", "e": "5"}


def test_long_rows_with_open_quotes_are_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "REPLAYED", 5_000)
    with pytest.raises(FileError, match="too many quotes"):
        rows(tmp_path, "id,text\n" + f'1,"{"a" * 90}\n' * 101, max_cell=1000)


@pytest.mark.parametrize(
    "content", ["text,label\n", "text\n", "\n\n", "\ufeffid,text,label", "sep=;\ntext;label"]
)
def test_a_file_without_rows_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(FileError, match="a.csv has no rows"):
        sample(tmp_path / "a.csv", 5)


def test_a_file_of_one_column_is_read_with_and_without_its_name(tmp_path: Path) -> None:
    assert cells(rows(tmp_path, "text\none\ntwo\n")) == [{"text": "one"}, {"text": "two"}]
    assert cells(rows(tmp_path, "one\ntwo\n")) == [{"column 1": "one"}, {"column 1": "two"}]
