"""An import on its way: how far it is, what a lost worker's successor still does, and the way back in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command

from annotate.models import Annotation, Decision, Import, Project
from annotate.services.documents import spreadsheet
from annotate.services.imports import holdout, job, upsert
from annotate.services.imports.columns import ColumnMapping
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training.types import Answer


@pytest.fixture
def queued(project: Project, settings: object, tmp_path: Path) -> Import:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    words = ["".join(chr(97 + int(digit)) for digit in str(10_000 + i)) for i in range(60)]
    content = ("text,label\n" + "".join(f"{word},red\n" for word in words)).encode()
    source = job.begin(project=project, user=None, file=ContentFile(content), name="mine.csv")
    job.start(upload=source, mapping=ColumnMapping.load(source.mapping), dry_run=False)
    return source


def test_the_bytes_read_grow_to_the_size_of_the_file(queued: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsert, "CHUNK", 20)
    job.run(import_id=queued.pk)
    queued.refresh_from_db()
    assert queued.bytes_read == queued.file.size


def test_the_holdout_is_stocked_by_the_worker_that_takes_over_after_the_last_row(
    queued: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(**_project: Project) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(holdout, "stock_holdout", killed)
        with pytest.raises(KeyboardInterrupt):
            job.run(import_id=queued.pk)
    job.run(import_id=queued.pk)
    documents, share = queued.project.documents, queued.project.holdout_share
    assert documents.holdout().count() == int(holdout.MOST_SHARE * share * documents.count())


def _killed_after(upload: Import, chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker be killed when it has stored so many chunks of two rows."""
    add, calls = job._Progress.add, iter(range(99))

    def add_or_die(progress: Any, counts: upsert.Counts) -> None:
        if next(calls) == chunks:
            raise KeyboardInterrupt
        add(progress, counts)

    monkeypatch.setattr(upsert, "CHUNK", 2)
    with monkeypatch.context() as patch:
        patch.setattr(job._Progress, "add", add_or_die)
        with pytest.raises(KeyboardInterrupt):
            job.run(import_id=upload.pk)


# Of our own export, whose rows say of themselves whether they are gold.
ROWS = [
    ("1", "one", "red", False),
    ("2", "two", "red", False),
    ("1", "one", "green", True),
    ("3", "three", "blue", False),
    ("1", "one", "blue", False),
    ("2", "two", "green", False),
    ("4", "four", "mauve", False),
]


def _own(external_id: str, text: str, label: str, gold: bool) -> str:
    said = {
        "external_id": external_id,
        "text": text,
        "labels": [label],
        "is_gold": gold,
        "outcome": "answered",
    }
    return json.dumps(dict.fromkeys(spreadsheet.COLUMNS, "") | said | {"outcome": "answered", "meta": {}})


@pytest.mark.parametrize("killed_after", [0, 1, 2, 3])
@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_that_is_killed_between_chunks_ends_as_if_it_had_not_been(
    project: Project, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    killed_after: int, dry_run: bool,
) -> None:  # fmt: skip
    settings.MEDIA_ROOT = tmp_path
    content = "\n".join(_own(*row) for row in ROWS).encode()
    upload = job.begin(project=project, user=None, file=ContentFile(content), name="mine.jsonl")
    mapping = ColumnMapping.load({**upload.mapping, "label_choices": {"mauve": "create"}})
    job.start(upload=upload, mapping=mapping, dry_run=dry_run)
    _killed_after(upload, killed_after, monkeypatch)
    done = job.run(import_id=upload.pk)
    assert done is not None
    assert (done.rows, done.created, done.updated, done.unchanged) == (7, 4, 1, 0)
    assert [problem.row for problem in done.problems.all()] == [5, 6]
    gold = Annotation.objects.filter(is_gold=True).values_list("document__external_id", "labels__name")
    assert list(gold) == ([] if dry_run else [("1", "green")])
    assert project.documents.count() == (0 if dry_run else 4)
    assert project.labels.filter(name="mauve").exists() is not dry_run


def test_a_file_of_plain_and_gold_rows_comes_again_without_a_trace(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", 1)
    rows = [
        IncomingDocument("one", external_id="1", answer=Answer(("red",))),
        IncomingDocument("one", external_id="1", answer=Answer(("green",)), gold=True),
        IncomingDocument("two", external_id="2", answer=Answer(("red",)), gold=True),
        IncomingDocument("two", external_id="2", answer=Answer(("red",))),
    ]
    store_rows(project=project, rows=rows)
    decisions = list(Decision.objects.values_list("pk"))
    again = store_rows(project=project, rows=rows)
    assert (again.updated, again.unchanged, again.broken) == (0, 3, 1)
    assert list(Decision.objects.values_list("pk")) == decisions
    assert Annotation.objects.filter(is_gold=True).count() == 2


def test_an_export_comes_in_again_with_the_same_answers(
    multi_project: Project, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    rows = [
        IncomingDocument(
            "one, “two”\nthree", external_id="1", answer=Answer(("red", "blue")), meta={"city": "Köln"}
        ),
        IncomingDocument("none applies", answer=Answer()),
    ]
    store_rows(project=multi_project, rows=rows)
    copy = make_project(slug="copy", task="multi")
    out = tmp_path / "out.jsonl"
    call_command("export_annotations", multi_project.slug, out=out)
    options = {"id": "external_id", "text": "text", "label": "labels", "empty_is_answer": True}
    call_command("import_documents", copy.slug, str(out), stdout=io.StringIO(), **options)
    assert answers(copy) == answers(multi_project)


def test_a_sheet_can_be_chosen_on_the_command_line(project: Project, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for title in ("One", "Two"):
        sheet = book.create_sheet(title)
        sheet.append(["text"])
        sheet.append([f"of {title}"])
    book.save(tmp_path / "a.xlsx")
    told = io.StringIO()
    call_command(
        "import_documents",
        project.slug,
        str(tmp_path / "a.xlsx"),
        sheet="Two",
        stdout=io.StringIO(),
        stderr=told,
    )
    assert project.documents.get().text == "of Two"
    assert "The sheet “Two” is read, one of 3" in told.getvalue()


def answers(project: Project) -> dict[tuple[str, str], set[str]]:
    found = Annotation.objects.filter(project=project).select_related("document").prefetch_related("labels")
    return {
        (a.document.external_id or "", a.document.text): {label.name for label in a.labels.all()}
        for a in found
    }
