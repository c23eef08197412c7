"""What an export holds: rows for annotations, documents or decisions, with the parts that were asked for."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from annotate.models import Annotation, Decision, Document, Event, Prediction, Project, User
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.services.corpus import snapshots
from annotate.services.exports import contents, formats
from annotate.services.exports.contents import Contents
from tests.annotate.made.bundles import add_version
from training.types import Answer


@pytest.fixture
def filled(project: Project, annotator: User, lead: User) -> Project:
    """Three documents: one that a lead settles by a gold answer, one skipped, one untouched."""
    labels = {label.name: label for label in project.labels.all()}
    for number, text in enumerate(["settled by gold", "skipped", "untouched"]):
        Document.objects.create(
            project=project, text=text, sha256=str(number), lane=Lane.POOL, meta={"n": number}
        )
    settled, skipped, _untouched = Document.objects.order_by("pk")
    for user, name, gold in ((annotator, "red", False), (lead, "blue", True)):
        made = Annotation.objects.create(
            project=project, document=settled, annotator=user, outcome=Outcome.ANSWERED, is_gold=gold
        )
        made.labels.add(labels[name])
    Annotation.objects.create(
        project=project, document=skipped, annotator=annotator, outcome=Outcome.SKIPPED, reason="torn"
    )
    return project


def found(project: Project, **chosen: Any) -> list[dict[str, Any]]:
    return list(contents.rows(project, Contents(**chosen)))


def test_a_document_has_the_answer_that_a_run_would_learn(filled: Project) -> None:
    rows = found(filled, per="document", parts=("meta",))
    told = [(row["text"], row["labels"], row["is_gold"], row["answers"], row["meta"]) for row in rows]
    assert told == [("settled by gold", ["blue"], True, 2, {"n": 0})]
    (learned,) = snapshots.take(project=filled).document_ids
    assert learned == rows[0]["document"]


def test_whole_exports_have_a_row_for_what_nobody_answered(filled: Project) -> None:
    rows = found(filled, per="document", parts=(), is_whole=True)
    assert [("labels" in row, row["text"]) for row in rows] == [
        (True, "settled by gold"),
        (False, "skipped"),
        (False, "untouched"),
    ]


@pytest.mark.parametrize("is_whole", [True, False])
def test_only_documents_that_fit_the_filters_go_out(filled: Project, is_whole: bool) -> None:
    rows = found(filled, is_whole=is_whole, wanted={"outcome": "skipped"})
    assert [(row["text"], row["reason"]) for row in rows] == [("skipped", "torn")]


def test_decisions_are_told_with_those_that_were_replaced(filled: Project, annotator: User) -> None:
    red, blue = filled.labels.filter(name__in=["red", "blue"]).order_by("-name")
    annotation = Annotation.objects.get(annotator=annotator, outcome=Outcome.ANSWERED)
    for label in (blue, red):
        Decision.objects.create(
            annotation=annotation, card=uuid.uuid4(), outcome="answered", answer=Answer((label.pk,))
        )
    rows = found(filled, per="decision", wanted={"annotator": annotator.pk})
    told = [(row["annotator"], row["labels"], row["outcome"], row["is_current"]) for row in rows]
    assert told == [
        ("anton", ["blue"], "answered", False),
        ("anton", ["red"], "answered", True),
        ("lena", ["blue"], "answered", True),
        ("anton", [], "skipped", True),
    ]


def test_predictions_and_suggestions_come_with_their_version(filled: Project, tmp_path: Path) -> None:
    version = add_version(filled, tmp_path, number=7)
    red = filled.labels.get(name="red").pk
    said = Answer((red,), scores=((red, 0.75),))
    Prediction.objects.create(document=Document.objects.get(text="untouched"), version=version, answer=said)
    Annotation.objects.filter(annotator__username="lena").update(shown=said, shown_version=version)
    rows = found(filled, parts=("predictions", "suggestions"), is_whole=True)
    assert [(row.get("suggested"), row.get("suggested_by")) for row in rows[:2]] == [
        (None, None),
        (["red"], 7),
    ]
    assert [(row["predicted"], row["predicted_by"]) for row in rows[2:]] == [(None, None), (["red"], 7)]


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_score_that_was_not_calibrated_is_not_told(
    filled: Project, calibrated: bool, tmp_path: Path
) -> None:
    version = add_version(filled, tmp_path, number=7)
    version.calibrated = calibrated
    version.save()
    red = filled.labels.get(name="red").pk
    said = Answer((red,), scores=((red, 0.75),))
    Prediction.objects.create(document=Document.objects.get(text="skipped"), version=version, answer=said)
    (row,) = found(filled, parts=("predictions",), wanted={"outcome": "skipped"})
    assert row["scores"] == {"red": 0.75 if calibrated else None}


@pytest.mark.parametrize("per", ["annotation", "document", "decision"])
@pytest.mark.parametrize("parts", [(), ("meta",), ("origin", "predictions", "suggestions", "meta")])
def test_csv_has_the_columns_that_rows_have(filled: Project, per: str, parts: tuple[str, ...]) -> None:
    chosen = Contents(per=per, parts=parts)
    assert {frozenset(row) for row in contents.rows(filled, chosen)} == {frozenset(chosen.columns)}


def content(project: Project, format: str, **chosen: Any) -> str:
    return b"".join(formats.written(project, format, Contents(**chosen), by=None)).decode()


def test_fasttext_has_a_line_for_each_answer_and_no_break_inside(filled: Project) -> None:
    Document.objects.filter(text="settled by gold").update(text="two\nlines\u2028and more ")
    filled.labels.filter(name="blue").update(name="dark blue")
    assert content(filled, "fasttext") == (
        "__label__red two lines and more\n__label__dark_blue two lines and more\n"
    )


def test_doccano_has_one_object_a_line(filled: Project) -> None:
    lines = [json.loads(line) for line in content(filled, "doccano", per="document").splitlines()]
    assert [(line["text"], line["label"], line["meta"]) for line in lines] == [
        ("settled by gold", ["blue"], {"n": 0})
    ]


def test_label_studio_has_one_task_for_each_document(filled: Project) -> None:
    tasks = json.loads(content(filled, "labelstudio", is_whole=True))
    told = [
        (
            task["data"]["text"],
            [one["value"]["choices"] for made in task["annotations"] for one in made["result"]],
            [made["was_cancelled"] for made in task["annotations"]],
        )
        for task in tasks
    ]
    assert told == [
        ("settled by gold", [["red"], ["blue"]], [False, False]),
        ("skipped", [], [True]),
        ("untouched", [], []),
    ]


def test_label_studio_of_nothing_is_an_empty_list(project: Project) -> None:
    assert json.loads(content(project, "labelstudio")) == []


def test_each_export_is_an_event_with_its_rows_and_without_what_was_searched_for(
    filled: Project, lead: User
) -> None:
    b"".join(formats.written(filled, "csv", Contents(wanted={"q": "settled"}), by=lead))
    event = Event.objects.get(kind="exported")
    assert (event.by, event.subject, event.details["rows"]) == (lead, "CSV", 2)
    assert event.details["filters"] == ["q"]
    assert "settled" not in json.dumps(event.details)


def test_a_reader_that_leaves_is_recorded_with_what_it_took(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "BLOCK", 1)
    blocks = formats.written(filled, "jsonl", Contents(), by=None)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert Event.objects.get(kind="exported").details["rows"] == 1


def test_a_filtered_export_reads_the_keys_of_many_documents_at_once(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "FIRST_KEYS", 1)
    monkeypatch.setattr(contents, "CHUNK", 2)
    rows = found(filled, is_whole=True, wanted={"lane": "pool"})
    assert [row["text"] for row in rows] == ["settled by gold", "settled by gold", "skipped", "untouched"]
