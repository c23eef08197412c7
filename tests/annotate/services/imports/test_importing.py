from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.base import ContentFile
from django.db import DataError, OperationalError
from django.db.models import F
from django.utils import timezone

from annotate.models import Annotation, Decision, Document, Import, Label, Project, User
from annotate.models.annotations import Outcome
from annotate.models.work import WorkState
from annotate.services.documents import filters
from annotate.services.imports import job, upsert
from annotate.services.imports.columns import ColumnMapping
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.labeling import corrections
from annotate.services.work import lease
from training import records
from training.types import Answer


def decide(document: Document, user: User) -> None:
    Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome=Outcome.ANSWERED
    )


def tally(counts: upsert.Counts) -> tuple[int, int, int, int]:
    return counts.created, counts.updated, counts.unchanged, counts.broken


@pytest.fixture
def upload(project: Project, lead: User) -> Callable[..., Import]:
    def make(content: str | bytes, name: str = "mine.csv", into: Project = project) -> Import:
        raw = content.encode() if isinstance(content, str) else content
        return job.begin(project=into, user=lead, file=ContentFile(raw), name=name)

    return make


@pytest.fixture
def run() -> Callable[..., Import]:
    def go(upload: Import, *, dry_run: bool = False, **changes: object) -> Import:
        mapping = ColumnMapping.load({**upload.mapping, **changes})
        assert job.start(upload=upload, mapping=mapping, dry_run=dry_run)
        done = job.run(import_id=upload.pk)
        assert done is not None
        return done

    return go


def test_it_adds_a_text_byte_for_byte(project: Project) -> None:
    store_rows(
        project=project, rows=[IncomingDocument(" a\r\nb\u0301 \U0001f600 ", external_id="1", meta={"n": 1})]
    )
    document = project.documents.get()
    assert (document.text, document.external_id) == (" a\r\nb\u0301 \U0001f600 ", "1")
    assert document.meta == {"n": 1}


def test_the_same_rows_again_change_nothing(project: Project) -> None:
    rows = [
        IncomingDocument("one", external_id="1", answer=Answer(("red",))),
        IncomingDocument("two", answer=Answer(("blue",))),
        IncomingDocument("three"),
    ]
    assert tally(store_rows(project=project, rows=rows)) == (3, 0, 0, 0)
    assert tally(store_rows(project=project, rows=rows)) == (0, 0, 3, 0)
    assert project.documents.count() == 3
    assert Annotation.objects.count() == 2
    assert Decision.objects.count() == 0


def test_rows_that_repeat_in_chunks_and_across_them_do_not_double(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", 2)
    rows = [IncomingDocument(text) for text in ("a", "a", "b", "a", "b")]
    assert tally(store_rows(project=project, rows=rows)) == (2, 0, 3, 0)


@pytest.mark.parametrize("chunk", [1, 10])
def test_the_first_of_two_rows_that_contradict_each_other_wins_and_the_other_is_reported(
    project: Project, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", chunk)
    rows = [
        IncomingDocument("a", answer=Answer(("red",)), number=2),
        IncomingDocument("a", answer=Answer(("blue",)), number=3),
    ]
    for expected in [(1, 0, 0, 1), (0, 0, 1, 1)]:
        counts = store_rows(project=project, rows=rows)
        assert tally(counts) == expected
        assert counts.problems[0][0] == 3
    assert Annotation.objects.get().labels.get().name == "red"


GREEN, RED, BLUE = Answer(("green",)), Answer(("red",)), Answer(("blue",))


@pytest.mark.parametrize("chunk", [1, 2, 100])
@pytest.mark.parametrize("earlier", [None, False, True])
@pytest.mark.parametrize(
    "said",
    [
        [(RED, False), (BLUE, True)],
        [(BLUE, True), (RED, False)],
        [(RED, False), (BLUE, True), (RED, False)],
        [(BLUE, False), (BLUE, True), (BLUE, False)],
        [(None, False), (BLUE, True), (RED, True)],
    ],
)
def test_a_gold_row_holds_in_whatever_chunk_it_comes(
    project: Project, monkeypatch: pytest.MonkeyPatch, chunk: int, earlier: bool | None,
    said: list[tuple[Answer | None, bool]],
) -> None:  # fmt: skip
    monkeypatch.setattr(upsert, "CHUNK", chunk)
    if earlier is not None:
        store_rows(project=project, rows=[IncomingDocument("a", answer=GREEN)], gold=earlier)
    rows = [
        IncomingDocument("a", answer=answer, gold=gold, number=number)
        for number, (answer, gold) in enumerate(said)
    ]
    golden = next(row.number for row in rows if row.gold)
    after = {row.number for row in rows[golden + 1 :] if row.answer == RED}
    for dry_run in (True, False, False) if earlier is None else (False, False):
        counts = store_rows(project=project, rows=rows, dry_run=dry_run)
        broken = {number for number, _reason in counts.problems}
        assert golden not in broken
        plain = {row.number for row in rows if not row.gold and earlier}  # where gold was there before
        assert after <= broken <= after | plain | {row.number for row in rows if row.answer == RED}
    annotation = Annotation.objects.get()
    assert (annotation.labels.get().name, annotation.is_gold) == ("blue", True)


def test_a_text_without_an_id_takes_on_the_id_it_comes_with_later(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("a")])
    assert tally(store_rows(project=project, rows=[IncomingDocument("a", external_id="7")])) == (0, 1, 0, 0)
    assert project.documents.get().external_id == "7"


def test_one_text_under_two_ids_is_two_documents(project: Project) -> None:
    rows = [IncomingDocument("a", external_id="1"), IncomingDocument("a", external_id="2")]
    assert tally(store_rows(project=project, rows=rows)) == (2, 0, 0, 0)


def test_a_changed_text_is_taken_while_nobody_has_decided_on_it(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("old", external_id="1")])
    assert tally(store_rows(project=project, rows=[IncomingDocument("new", external_id="1")])) == (0, 1, 0, 0)
    assert project.documents.get().text == "new"


def test_a_changed_text_under_a_persons_answer_is_reported(project: Project, annotator: User) -> None:
    store_rows(project=project, rows=[IncomingDocument("old", external_id="1")])
    decide(project.documents.get(), annotator)
    counts = store_rows(project=project, rows=[IncomingDocument("new", external_id="1", number=9)])
    assert tally(counts) == (0, 0, 0, 1)
    assert "people have decided" in counts.problems[0][1]
    assert project.documents.get().text == "old"


def test_a_changed_text_under_an_imported_label_needs_a_label_of_its_own(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("old", external_id="1", answer=Answer(("red",)))])
    assert store_rows(project=project, rows=[IncomingDocument("new", external_id="1")]).broken == 1
    assert (
        store_rows(
            project=project, rows=[IncomingDocument("new", external_id="1", answer=Answer(("red",)))]
        ).updated
        == 1
    )


def test_labels_are_answers_of_a_machine_that_cannot_log_in(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("a", answer=Answer(("red",)))])
    annotation = Annotation.objects.get()
    assert annotation.annotator.is_machine
    assert not annotation.annotator.has_usable_password()
    assert not annotation.is_gold


def test_a_changed_label_keeps_the_earlier_one_as_a_decision(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("a", answer=Answer(("red",)))])
    red = Label.objects.get(name="red")
    assert (
        store_rows(project=project, rows=[IncomingDocument("a", answer=Answer(("blue",)))], gold=True).updated
        == 1
    )
    annotation = Annotation.objects.get()
    assert annotation.labels.get().name == "blue"
    assert annotation.is_gold
    assert Decision.objects.get().answer == Answer((red.pk,))


@pytest.mark.parametrize("names", [("red",), ()])
def test_a_file_that_gives_a_withdrawn_label_again_is_an_answer_again(
    multi_project: Project, lead: User, names: tuple[str, ...]
) -> None:
    rows = [IncomingDocument("a", answer=Answer(names))]
    store_rows(project=multi_project, rows=rows)
    assert corrections.withdraw(annotation=Annotation.objects.get(), by=lead)
    assert store_rows(project=multi_project, rows=rows).updated == 1
    annotation = Annotation.objects.get()
    assert annotation.outcome == Outcome.ANSWERED
    assert tuple(label.name for label in annotation.labels.all()) == names


def test_a_text_is_kept_without_its_unknown_label_which_is_counted_or_created_as_asked(
    project: Project,
) -> None:
    rows = [IncomingDocument("a", answer=Answer(("pink",))), IncomingDocument("b", answer=Answer(("red",)))]
    counts = store_rows(project=project, rows=rows)
    assert tally(counts) == (2, 0, 0, 0)
    assert (counts.missing, counts.problems) == ({"pink": 1}, [])
    assert Annotation.objects.get().document.text == "b"
    again = store_rows(project=project, rows=rows, create_labels=True)
    assert (tally(again), again.missing) == ((0, 1, 1, 0), {})
    label = project.labels.get(name="pink")
    assert (label.position, label.hotkey) == (3, "4")


def test_labels_that_a_file_makes_leave_out_the_keys_of_the_page(project: Project) -> None:
    rows = [IncomingDocument(f"text {n}", answer=Answer((f"label {n}",))) for n in range(20)]
    store_rows(project=project, rows=rows, create_labels=True)
    keys = project.labels.values_list("hotkey", flat=True)
    assert "".join(keys) == "1234567890qwertyiop"


def test_an_archived_label_is_not_brought_back_by_a_file(project: Project) -> None:
    project.labels.filter(name="red").update(archived_at=timezone.now())
    counts = store_rows(
        project=project, rows=[IncomingDocument("a", answer=Answer(("red",)))], create_labels=True
    )
    assert (tally(counts), counts.missing) == ((1, 0, 0, 0), {"red": 1})
    assert not Annotation.objects.exists()


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (("red", "blue"), "exactly one label; 2 are given. “blue”, “red”"),
        (("red", "unknown"), "exactly one label; 2 are given. “red”, “unknown”"),
        ((), "exactly one label; 0 are given."),
        (("r\0d",), "“r\\u0000d” holds a NUL character"),
        (("r\ud83dd",), "“r\\ud83dd” holds half a character"),
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_a_text_is_kept_without_an_answer_that_it_cannot_have(
    project: Project, multi_project: Project, labels: tuple[str, ...], why: str, create: bool
) -> None:
    rows = [IncomingDocument(text, answer=Answer(labels)) for text in ("a", "b")]
    counts = store_rows(project=project, rows=rows, create_labels=create)
    assert (tally(counts), counts.problems, counts.missing) == ((2, 0, 0, 0), [], {})
    ((told, count),) = counts.unfit.items()
    assert why in told
    assert count == 2
    assert not Annotation.objects.exists()
    assert project.labels.count() == 3
    again = store_rows(project=project, rows=rows[:1])
    assert (again.unchanged, list(again.unfit.values())) == (1, [1])
    if labels == ("red", "blue"):
        assert not store_rows(project=multi_project, rows=rows).unfit
        assert Annotation.objects.count() == 2


def test_no_label_of_a_file_takes_its_text_with_it(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    labels = ["red", ["red", "blue"], {"a": "\ud800"}, [["red"]], [], None, "a\0b", 10**1200]
    lines = [json.dumps({"text": f"text {n}", "label": label}) for n, label in enumerate(labels)]
    # An answer that none can be costs the one before it nothing.
    store_rows(project=project, rows=[IncomingDocument("text 1", answer=Answer(("green",)))])
    done = run(upload("\n".join(lines), name="mine.jsonl"), empty_is_answer=True)
    assert (done.state, done.created, done.unchanged, done.broken) == (WorkState.SUCCEEDED, 7, 1, 0)
    assert project.documents.count() == len(labels)
    assert sum(done.unfit.values()) + sum(done.missing.values()) == 7
    answers = Annotation.objects.values_list("document__text", "labels__name")
    assert sorted(answers) == [("text 0", "red"), ("text 1", "green")]


def test_no_label_is_an_answer_of_a_multi_label_project(multi_project: Project) -> None:
    assert store_rows(project=multi_project, rows=[IncomingDocument("a", answer=Answer())]).created == 1
    assert Annotation.objects.get().labels.count() == 0


@pytest.mark.parametrize("text", ["", "  \n", "a\0b", "\ud800"])
def test_a_text_that_cannot_be_stored_is_reported_and_the_rest_goes_in(project: Project, text: str) -> None:
    counts = store_rows(
        project=project, rows=[IncomingDocument(text, number=4), IncomingDocument("good", number=5)]
    )
    assert tally(counts) == (1, 0, 0, 1)
    assert counts.problems[0][0] == 4


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("inf"), "infinite"),
        ([{"deep": float("nan")}], "infinite"),
        ("\ud800", "half a character"),
        ("\\\0", "NUL"),
    ],
)
def test_a_field_that_no_database_keeps_is_reported_and_the_rest_goes_in(
    project: Project, value: object, why: str
) -> None:
    good = IncomingDocument("good", meta={"path": "C:\\u0000", "n": 1.5})
    counts = store_rows(project=project, rows=[IncomingDocument("a", meta={"n": value}, number=4), good])
    assert tally(counts) == (1, 0, 0, 1)
    assert counts.problems[0][0] == 4
    assert why in counts.problems[0][1]
    assert project.documents.get().meta == good.meta


def test_a_number_beyond_all_bounds_in_a_file_is_missing_and_the_import_ends(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    done = run(upload('{"text": "a", "n": 1e400}\n{"text": "b", "n": 2}\n', name="mine.jsonl"))
    assert (done.state, done.created, done.attempt) == (WorkState.SUCCEEDED, 2, 1)
    assert project.documents.get(text="a").meta == {"n": None}


@pytest.mark.parametrize("chunk", [2, 1000])
def test_a_dry_run_tells_what_would_happen_and_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", chunk)
    store_rows(project=project, rows=[IncomingDocument("old", external_id="1")])
    rows = [
        IncomingDocument("new", external_id="1"),
        IncomingDocument("a", answer=Answer(("pink",))),
        IncomingDocument(""),
        IncomingDocument("a", answer=Answer(("pink",))),
        IncomingDocument("a", answer=Answer(("red",))),
    ]
    dry = store_rows(project=project, rows=rows, create_labels=True, dry_run=True)
    assert project.documents.get().text == "old"
    assert not project.labels.filter(name="pink").exists()
    assert tally(dry) == tally(store_rows(project=project, rows=rows, create_labels=True)) == (1, 1, 1, 2)


def test_a_file_goes_in_with_its_guessed_columns(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    done = run(upload("id;text;label;city\r\n1;hello;red;Bonn\r\n2;;red;Kiel\r\n3;bye;mauve;Ulm\r\n"))
    assert (done.state, done.rows, done.created, done.broken) == (WorkState.SUCCEEDED, 3, 2, 1)
    document = project.documents.get(external_id="1")
    assert (document.text, document.external_id, document.meta) == ("hello", "1", {"city": "Bonn"})
    assert list(done.problems.values_list("row", flat=True)) == [3]
    assert done.missing == {"mauve": 1}


def test_a_multi_label_cell_is_cut_at_its_separator(
    multi_project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    run(upload("text,labels\na,red|blue\nb,\n", into=multi_project), empty_is_answer=True)
    answers = {a.document.text: {x.name for x in a.labels.all()} for a in Annotation.objects.all()}
    assert answers == {"a": {"red", "blue"}, "b": set()}


def test_an_import_goes_on_where_a_killed_worker_left_it(
    project: Project, upload: Callable[..., Import], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", 2)
    source = upload("text\n" + "\n".join(f"text {word}" for word in ("ape", "bee", "cat", "dog", "eel")))
    job.start(upload=source, mapping=ColumnMapping.load(source.mapping), dry_run=False)

    original, calls = upsert._store_chunk, []

    def dies_in_the_second_chunk(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(upsert, "_store_chunk", dies_in_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        job.run(import_id=source.pk)
    source.refresh_from_db()
    assert (source.state, source.attempt, source.rows) == (WorkState.QUEUED, 0, 2)
    assert lease.recover(Import.objects.all()) == [source]
    done = job.run(import_id=source.pk)
    assert done is not None
    assert (done.state, done.rows, done.created, done.unchanged) == (WorkState.SUCCEEDED, 5, 5, 0)


def test_a_worker_that_was_replaced_stores_nothing_more(
    project: Project, upload: Callable[..., Import], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload("text\na\nb\n")
    job.start(upload=source, mapping=ColumnMapping.load(source.mapping), dry_run=False)

    def another_worker_was_faster(*args: object, **kwargs: object) -> None:
        Import.objects.update(token=F("token") + 1)

    monkeypatch.setattr(upsert.ImportedLabels, "load", another_worker_was_faster)
    assert job.run(import_id=source.pk) is None
    assert project.documents.count() == 0


def test_an_import_runs_once(upload: Callable[..., Import], run: Callable[..., Import]) -> None:
    done = run(upload("text\na\n"))
    assert job.run(import_id=done.pk) is None


def test_a_file_that_breaks_off_keeps_what_came_before_and_says_where(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    done = run(upload('[{"text": "a"},\n{"text": "b"},\n{"text": ', name="mine.json"))
    assert done.state == WorkState.FAILED
    assert "line 3" in done.error
    assert project.documents.count() == 2


def test_an_upload_that_is_no_table_leaves_nothing_behind(upload: Callable[..., Import]) -> None:
    with pytest.raises(records.FileError, match="web page"):
        upload("<!doctype html><html></html>")
    assert not Import.objects.exists()


def test_a_hostile_file_name_stays_a_name(upload: Callable[..., Import]) -> None:
    source = upload("text\na\n", name="../../etc/<script>.csv")
    assert source.name == "../../etc/<script>.csv"
    assert source.file.name.startswith("imports/")
    assert ".." not in source.file.name


def faulty(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let each text that holds "poison" raise an error in the midst of its chunk."""
    original = upsert.splits.split_key

    def split_key(text: str) -> str:
        if "poison" in text:
            raise error
        return original(text)

    monkeypatch.setattr(upsert.splits, "split_key", split_key)


@pytest.mark.parametrize("error", [DataError("out of range"), ValueError("odd"), RecursionError("deep")])
@pytest.mark.parametrize("place", [0, 6, 12])
def test_a_row_that_raises_is_named_and_takes_no_neighbour_with_it(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import],
    monkeypatch: pytest.MonkeyPatch, error: Exception, place: int,
) -> None:  # fmt: skip
    words = ["ape", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kea", "lynx"]
    words.insert(place, "poison")
    faulty(monkeypatch, error)
    done = run(upload("text,label\n" + "".join(f"{word},red\n" for word in words)))
    assert (done.state, done.rows, done.created, done.broken) == (WorkState.SUCCEEDED, 13, 12, 1)
    (problem,) = done.problems.all()
    assert (problem.row, type(error).__name__ in problem.reason) == (place + 2, True)
    assert str(error) not in problem.reason  # it may quote the text, which stays when the text is deleted
    assert Annotation.objects.count() == 12


def test_where_many_rows_raise_it_is_not_for_the_rows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "MOST_FAULTS", 3)
    faulty(monkeypatch, ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        store_rows(project=project, rows=[IncomingDocument(f"poison {n}") for n in range(10)])


def test_an_error_that_is_about_the_database_is_not_blamed_on_a_row(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(monkeypatch, OperationalError("away"))
    with pytest.raises(OperationalError):
        store_rows(project=project, rows=[IncomingDocument("good"), IncomingDocument("poison")])


def test_a_chunk_has_fewer_rows_where_they_are_long(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "CHUNK_CHARS", 100)
    chunks: list[int] = []
    texts = ["short one", "short two", "x" * 70, "y" * 10, "z" * 200, "last"]
    rows = [IncomingDocument(text, meta={"note": "m" * 5}) for text in texts]
    store_rows(project=project, rows=rows, on_chunk=lambda counts: chunks.append(counts.rows))
    assert chunks == [3, 2, 1]


def test_a_file_that_exceeds_its_memory_fails_at_once(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import],
    settings: pytest.FixtureRequest, tmp_path: Path,
) -> None:  # fmt: skip
    shared = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 1000, pyarrow.int32()), pyarrow.array(["x" * 900_000])
    )
    pyarrow.parquet.write_table(pyarrow.table({"text": shared}), tmp_path / "a.parquet", compression="zstd")
    source = upload((tmp_path / "a.parquet").read_bytes(), name="a.parquet")
    settings.IMPORT_MEMORY_BYTES = 40 * 1024**2  # type: ignore[attr-defined]
    done = run(source)
    assert (done.state, done.attempt, done.created) == (WorkState.FAILED, 1, 0)
    assert "a.parquet needs more than 40 MB of memory" in done.error


def test_a_document_knows_the_import_that_added_it_and_not_the_one_that_changed_it(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    store_rows(project=project, rows=[IncomingDocument("by a program", external_id="1")])
    first = run(upload("id,text,city\n2,by a file,Bonn\n"))
    run(upload("id,text,city\n1,by a program,Kiel\n2,by a file,Kiel\n3,by another,Kiel\n"), dry_run=True)
    second = run(upload("id,text,city\n1,by a program,Kiel\n2,by a file,Kiel\n3,by another,Kiel\n"))
    sources = {document.external_id: document.source for document in project.documents.all()}
    assert sources == {"1": None, "2": first, "3": second}
    assert [document.external_id for document in filters.find(project, {"import": second.pk})] == ["3"]


def _answers_of(project: Project) -> list[tuple[str, str, bool]]:
    rows = Annotation.objects.filter(project=project).order_by("document", "labels__name")
    return list(rows.values_list("document__external_id", "labels__name", "is_gold"))


def test_an_export_of_label_studio_comes_in_with_its_choices(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    def chosen(label: str, **more: object) -> dict[str, object]:
        value = {"choices": [label]}
        return {"result": [{"from_name": "feeling", "type": "choices", "value": value}], **more}

    spans = {
        "result": [{"from_name": "ner", "type": "labels", "value": {"start": 0, "end": 1, "labels": ["X"]}}]
    }
    said: list[list[dict[str, object]]] = [
        [chosen("red")], [chosen("blue"), chosen("green", ground_truth=True)], [chosen("pink")], [spans], []
    ]  # fmt: skip
    tasks = [
        {"id": number, "data": {"review": f"text {number}"}, "annotations": annotations}
        for number, annotations in enumerate(said, start=1)
    ]
    source = upload(json.dumps(tasks), name="project-1.json")
    assert (source.mapping["text"], source.mapping["label"], source.mapping["id"]) == (
        "review",
        "feeling",
        "id",
    )
    done = run(source)
    assert (done.state, project.documents.count(), done.missing) == (WorkState.SUCCEEDED, 5, {"pink": 1})
    assert _answers_of(project) == [("1", "red", False), ("2", "green", True)]
    assert done.unfit == {"It labels pieces of the text (spans); only labels of texts come in.": 1}
    assert [problem.row for problem in done.problems.all()] == [
        1
    ]  # what another annotator said of the second


def test_an_export_of_doccano_comes_in_and_its_spans_are_counted(
    multi_project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    rows = [
        {"id": 7, "text": "one", "label": ["red", "blue"], "Comments": []},
        {"id": 8, "text": "two", "label": [], "Comments": ["why?"]},
        {"id": 9, "text": "three", "label": [[0, 3, "LOC"]], "Comments": []},
    ]
    done = run(upload("\n".join(map(json.dumps, rows)), name="all.jsonl", into=multi_project))
    assert (done.state, done.created) == (WorkState.SUCCEEDED, 3)
    assert _answers_of(multi_project) == [("7", "blue", False), ("7", "red", False)]
    ((told, count),) = done.unfit.items()
    assert ("spans" in told, count) == (True, 1)


def test_odd_metadata_costs_its_row_alone_and_says_why(
    project: Project, upload: Callable[..., Import], run: Callable[..., Import]
) -> None:
    nested: dict[str, object] = {}
    for _level in range(10):
        nested = {"a": nested}
    rows: list[dict[str, object]] = [
        {"text": "ten deep", "m": nested},
        {"text": "many", **{f"k{n}": n for n in range(499)}},
        {"text": "too many", **{f"k{n}": n for n in range(500)}},
        *({"text": f"mixed {n}", "m": value} for n, value in enumerate((1, [1], {"a": "b"}, None))),
        {"text": "nul", "m": "a\0b"},
        {"text": "x" * 10_000_000},
        {"text": "last"},
    ]
    done = run(upload("\n".join(map(json.dumps, rows)), name="a.jsonl"), meta=["m", "k0", "k498"])
    assert (done.state, done.rows, done.created, done.broken) == (WorkState.SUCCEEDED, 10, 7, 3)
    assert [(problem.row, problem.reason) for problem in done.problems.all()] == [
        (3, "The row has 501 columns; at most 500 are read."),
        (8, "The cell in “m” holds a NUL character."),
        (9, "The line is longer than 4,000,000 characters."),
    ]
    kept = dict(project.documents.values_list("text", "meta"))
    assert kept["ten deep"] == {"m": nested}
    assert kept["many"] == {"k0": 0, "k498": 498}
    assert [kept[f"mixed {n}"] for n in range(4)] == [{"m": 1}, {"m": [1]}, {"m": {"a": "b"}}, {"m": None}]
