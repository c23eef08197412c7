"""What an export wrote, an import reads: the same labels, texts and answers, by every format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotate.models import Annotation, Decision, Document, Import, Project, User
from annotate.models.annotations import Outcome
from annotate.services.exports import formats
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping, guess
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.task_types import MULTI, SINGLE, TaskType, label_names
from training import records
from training.records.reading import opened
from training.storable import is_blank
from training.types import Answer

LETTERS = st.sampled_from("ab1'\"|;,[]{}=+-@ \t\r\n\ufeff\u200b\u00a0\\\u0301é字\U0001f600")
TEXTS = st.text(LETTERS, min_size=1, max_size=8).filter(lambda text: not is_blank(text))
NAMES = st.text(LETTERS, max_size=6).map(label_names.tidy).filter(bool)
NAMES |= st.sampled_from(["true", "null", "1", "1.0", "[1]", '["a"]', "{}", "a|b", "a, b", '"a"', "NaN"])
KEYS = st.text(LETTERS, max_size=3)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FINITE | st.text(LETTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
METAS = st.dictionaries(KEYS, JSON, max_size=2)
Exported = dict[str, Any]


def exported(
    text: str, labels: Sequence[str], meta: Mapping[str, Any], outcome: str = "answered"
) -> Exported:
    row = dict.fromkeys(formats.COLUMNS, "")
    told = {"document": 1, "external_id": "7", "lane": "pool", "annotator": "eve", "is_gold": False}
    return {**row, **told, "text": text, "labels": list(labels), "outcome": outcome, "meta": dict(meta)}


def write_jsonl(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    path.write_bytes(b"".join(formats.jsonl(iter(rows))))


def write_csv(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    path.write_bytes(b"".join(formats.csv_lines(iter(rows), task_type)))


def write_json(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def cells(rows: Sequence[Exported], task_type: TaskType) -> Iterator[list[str]]:
    """Yield the cells of our CSV, for a program that saves them in another format."""
    lines = [line.decode("utf-8-sig") for line in formats.csv_lines(iter(rows), task_type)]
    return csv.reader(lines)


def write_parquet(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    names, *body = cells(rows, task_type)
    table = {name: [row[place] for row in body] for place, name in enumerate(names)}
    pyarrow.parquet.write_table(pyarrow.table(table), path)


def write_tsv(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, "excel-tab").writerows(cells(rows, task_type))


def write_xlsx(rows: Sequence[Exported], task_type: TaskType, path: Path) -> None:
    book = openpyxl.Workbook()
    for line in cells(rows, task_type):
        # XML has one kind of line break; Excel writes the other as a code.
        book.active.append([cell.replace("\r", "_x000D_") for cell in line])
    book.save(path)


WRITERS = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
    "tsv": write_tsv,
    "xlsx": write_xlsx,
}


def come_back(
    rows: Sequence[Exported], task_type: TaskType, format: str, folder: Path
) -> list[IncomingDocument]:
    """Write rows, and read them as an import does that guesses the columns, but in this process."""
    path = folder / f"own.{format}"
    WRITERS[format](rows, task_type, path)
    with path.open("rb") as file:
        read = list(opened(file, path.name, records.Options())[1])
    return list(guess(read, task_type, has_labels=False).rows(read, task_type))


def check(text: str, labels: list[str], meta: dict[str, Any], task: TaskType, format: str, to: Path) -> None:
    (back,) = come_back([exported(text, labels, meta)], task, format, to)
    assert back.problem == ""
    assert (back.text, back.answer, back.external_id) == (text, Answer(tuple(labels)), "7")
    assert json.dumps(back.meta, sort_keys=True) == json.dumps(meta, sort_keys=True)


AS_MANY_AS_FIT = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("format", WRITERS)
@AS_MANY_AS_FIT
@given(text=TEXTS, labels=st.lists(NAMES, max_size=3, unique=True), meta=METAS)
@example(text="x", labels=["a|b"], meta={"n": None, "t": True, "deep": {"1": [1.5]}})
@example(text="x", labels=[], meta={})
@example(text="'=x", labels=['["a"]'], meta={"meta": {"meta": 1}})
@example(text="\ufeff\u200b=1\r\n\r", labels=["=1", "'=1"], meta={"=": "=1"})
def test_any_number_of_labels_come_back_with_their_text_and_what_is_beside_it(
    tmp_path: Path, format: str, text: str, labels: list[str], meta: dict[str, Any]
) -> None:
    check(text, labels, meta, MULTI, format, tmp_path)


@pytest.mark.parametrize("format", WRITERS)
@AS_MANY_AS_FIT
@given(text=TEXTS, label=NAMES, meta=METAS)
@example(text="x", label='["a"]', meta={})
@example(text="x", label="a|b", meta={})
def test_one_label_comes_back_with_its_text_and_what_is_beside_it(
    tmp_path: Path, format: str, text: str, label: str, meta: dict[str, Any]
) -> None:
    check(text, [label], meta, SINGLE, format, tmp_path)


@pytest.mark.parametrize("format", WRITERS)
def test_none_applies_is_no_missing_answer(tmp_path: Path, format: str) -> None:
    rows = [
        exported(outcome or "nothing", [], {}, outcome) for outcome in ("answered", "skipped", "flagged", "")
    ]
    said = [row.answer for row in come_back(rows, MULTI, format, tmp_path)]
    assert said == [Answer(), None, None, None]


@AS_MANY_AS_FIT
@given(texts=st.lists(TEXTS.filter(lambda text: not set(text) & set("\r\n")), min_size=1, max_size=4))
def test_plain_lines_come_back(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\n".join(texts), encoding="utf-8-sig")
    read = list(records.read(path))
    assert [row.text for row in guess(read, MULTI, has_labels=False).rows(read, MULTI)] == texts


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a|b", ("a", "b")),
        ('["a|b", true, 1.0, null]', ("a|b", "true", "1")),
        ("[sic]|b", ("[sic]", "b")),
        ('["a", 1e999, NaN]', ("a",)),
        ([True, 1, 1.0, 1.5, "x"], ("true", "1", "1", "1.5", "x")),
        (True, ("true",)),
        (1.0, ("1",)),
        (" \u200bcafe\u0301\u00a0 ", ("café",)),
    ],
)
def test_labels_of_other_files_are_read_in_the_spelling_of_json(cell: Any, labels: tuple[str, ...]) -> None:
    read = MULTI.read_cell(cell, "|").labels
    assert tuple(label_names.tidy(str(name)) for name in read) == labels


@pytest.mark.parametrize("label", [{"name": "x"}, [["x"]], ["a", {"name": "x"}]])
def test_an_object_as_a_label_costs_the_label_and_not_the_text(label: Any) -> None:
    row = records.Row(3, {"text": "a", "label": label})
    said = ColumnMapping(text="text", label="label").row(row, MULTI)
    assert (said.number, said.text, said.answer, said.problem) == (3, "a", None, "")
    assert "object or a list" in said.unfit


def test_what_somebody_made_of_the_meta_column_is_named(tmp_path: Path) -> None:
    row = {**exported("a", [], {}), "labels": "", "meta": "{broken"}
    said = ColumnMapping(text="text", label="labels", meta=("meta",)).row(records.Row(2, row), MULTI)
    assert "“meta”" in said.problem


@pytest.fixture
def decided(multi_project: Project, annotator: User, lead: User) -> Project:
    """A project with every kind of decision, of several people on one document too."""
    rows = [
        IncomingDocument(
            "=1", external_id="@x", answer=Answer(("red", "blue")), meta={"n": None, "b": [True]}
        ),
        IncomingDocument("none", answer=Answer()),
        IncomingDocument("skipped"),
        IncomingDocument("two people"),
        IncomingDocument("nobody", meta={"meta": "x"}),
    ]
    store_rows(project=multi_project, rows=rows)
    decide("skipped", annotator, Outcome.SKIPPED)
    decide("two people", annotator, Outcome.ANSWERED, "red")
    decide("two people", lead, Outcome.ANSWERED, "blue", gold=True)
    return multi_project


def decide(text: str, by: User, outcome: Outcome, *labels: str, gold: bool = False) -> None:
    document = Document.objects.get(text=text)
    made = Annotation.objects.create(
        project=document.project, document=document, annotator=by, outcome=outcome, is_gold=gold, seconds=2.5
    )
    made.labels.set(document.project.labels.filter(name__in=labels))


def take_in(project: Project, content: bytes, format: str) -> Import:
    upload = job.begin(project=project, user=None, file=ContentFile(content), name=f"own.{format}")
    assert job.start(upload=upload, mapping=ColumnMapping.load(upload.mapping), dry_run=False)
    done = job.run(import_id=upload.pk)
    assert done is not None
    return done


@pytest.mark.parametrize("format", formats.FORMATS)
def test_an_export_into_its_own_project_changes_nothing(decided: Project, format: str) -> None:
    before = b"".join(formats.stream(decided, format, everything=True))
    done = take_in(decided, before, format)
    assert (done.created, done.updated, done.broken, done.missing) == (0, 0, 0, {})
    assert b"".join(formats.stream(decided, format, everything=True)) == before
    assert not Decision.objects.exists()


@pytest.mark.parametrize("format", formats.FORMATS)
def test_an_export_into_a_new_project_gives_the_same_texts_and_answers(
    decided: Project, make_project: Callable[..., Project], format: str
) -> None:
    fresh = make_project(slug="fresh", task="multi", labels=())
    done = take_in(fresh, b"".join(formats.stream(decided, format, everything=True)), format)
    # Two people disagree about one document; an import is one annotator, so the gold answer holds.
    assert (done.created, done.broken, done.missing) == (5, 1, {})
    told = {row["text"]: row for row in formats.rows(fresh, everything=True)}
    assert [row["meta"] for row in told.values()] == [{"n": None, "b": [True]}, {}, {}, {}, {"meta": "x"}]
    answers = {text: row.get("labels") for text, row in told.items()}
    assert answers == {
        "=1": ["red", "blue"],
        "none": [],
        "skipped": None,
        "two people": ["blue"],
        "nobody": None,
    }
    assert [text for text, row in told.items() if row.get("is_gold")] == ["two people"]
    second = b"".join(formats.stream(fresh, format, everything=True))
    assert take_in(fresh, second, format).unchanged == 5
    assert b"".join(formats.stream(fresh, format, everything=True)) == second
