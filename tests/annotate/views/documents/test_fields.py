"""Filters of the documents page by metadata, scores, days, suggestions and the like."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import (
    Annotation,
    AnnotationLabel,
    Assignment,
    Batch,
    Comment,
    Document,
    Prediction,
    Project,
    User,
)
from annotate.services.documents.finding import metadata_index, search_index
from tests.annotate.made.answered import answer, predict
from training.types import Answer


@pytest.fixture(params=["not indexed", "indexed", "too many to list"])
def described(
    request: pytest.FixtureRequest,
    project: Project,
    add_documents: Callable[..., list[Document]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Documents whose metadata has odd keys, and values of every type under one key."""
    rows: dict[str, Any] = {
        "text": {"n": "3", "a.b": 1, 'say "hi" = so': "x", "ключ": "да", "0": "zero"},
        "integer": {"n": 3, "a": {"b": 1}, "ключ": "нет"},
        "real": {"n": 3.5},
        "true": {"n": True, "a.b": None},
        "word": {"n": "true"},
        "null": {"n": None},
        "large": {"n": 2**70},
        "nested": {"n": [3], "deep": {"n": 3}},
        "list": ["n", "a.b"],
        "minus": {"minus": -0.0},
        "none": {},
    }
    for text, meta in rows.items():
        (document,) = add_documents(project, text)
        document.meta = meta
        document.save()
    if request.param != "not indexed":
        assert search_index.index(project=project, tell=lambda stage, done: None)
    if request.param == "too many to list":
        monkeypatch.setattr(metadata_index, "MOST_LISTED", 0)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("n", ["integer", "large", "nested", "null", "real", "text", "true", "word"]),
        ("n = 3", ["integer", "text"]),
        ("n=3.0", ["integer"]),
        ('n = "3"', ["text"]),
        (" n  =  3.5 ", ["real"]),
        ("n = true", ["true", "word"]),
        ('n = "true"', ["word"]),
        ("n = True", []),
        ("n = null", ["null"]),
        ("n =", []),
        (f"n = {2**70}", []),
        ("a.b", ["text", "true"]),
        ("a.b = 1", ["text"]),
        ("a.b = null", ["true"]),
        ('"say \\"hi\\" = so"', ["text"]),
        ('"say \\"hi\\" = so" = x', ["text"]),
        ("ключ = да", ["text"]),
        ("0 = zero", ["text"]),
        ("0", ["text"]),
        ("%s = %(a)s", []),
        ("deep", ["nested"]),
        ("n = [3]", []),
        ("minus = 0", ["minus"]),
        ("minus = -0", ["minus"]),
        ("x" * 400, []),
    ],
)
def test_metadata_is_found_by_key_and_by_value_of_each_type(
    described: None, shown: Callable[..., list[str]], typed: str, expected: list[str]
) -> None:
    assert shown(meta=typed) == expected


@pytest.mark.parametrize("typed", ["=", " = 3", '""', '"" = 3', "\0", "x" * 501, "x" * 10_000])
def test_metadata_without_a_key_is_told(
    described: None, sign_in: Callable[[User], Client], lead: User, project: Project, typed: str
) -> None:
    response = sign_in(lead).get(reverse("documents", args=[project.slug]), {"meta": typed})
    assert list(response.context["form"].errors) == ["meta"]
    assert 'class="field-error"' in response.content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"conf_from": 80}, ["sure"]),
        ({"conf_to": "79.9"}, ["wavering"]),
        ({"conf_from": 0}, ["sure", "wavering"]),
        ({"conf_from": 0, "conf_to": 0}, []),
        ({"margin_to": 10}, ["wavering"]),
        ({"margin_from": 60}, ["sure"]),
        ({"predicted": "no"}, ["silent"]),
        ({"predicted": "yes"}, ["only ranked", "sure", "wavering"]),
    ],
)
def test_confidence_and_margin_are_filters_where_scores_are_calibrated(
    project: Project,
    add_documents: Callable[..., list[Document]],
    shown: Callable[..., list[str]],
    query: dict[str, Any],
    expected: list[str],
) -> None:
    for text, confidence, margin in (("sure", 0.8, 0.6), ("wavering", 0.5, 0.1), ("only ranked", None, None)):
        (document,) = add_documents(project, text)
        predict(document, "red")
        Prediction.objects.filter(document=document).update(confidence=confidence, margin=margin)
    add_documents(project, "silent")
    assert shown(**query) == expected


def test_a_confidence_that_was_not_calibrated_or_was_learned_is_not_shown(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
    lead: User,
) -> None:
    told, learned, ranked = add_documents(project, "told", "learned", "ranked")
    for document, confidence in ((told, 0.81), (learned, 0.93), (ranked, None)):
        predict(document, "red")
        Prediction.objects.filter(document=document).update(confidence=confidence)
    answer(learned, annotator, "red")
    page = sign_in(lead).get(reverse("documents", args=[project.slug])).content.decode()
    assert "81.0 %" in page
    assert "93.0 %" not in page
    assert "learned it" in page
    assert page.partition("<tbody>")[2].count(" %") == 1


def test_days_are_those_of_the_site_and_both_ends_belong_to_them(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    shown: Callable[..., list[str]],
) -> None:
    zone = timezone.get_current_timezone()
    for text, hour in (("early", 0), ("late", 23)):
        (document,) = add_documents(project, text)
        moment = datetime(2026, 11, 25, hour, 59, 59, tzinfo=zone)
        Document.objects.filter(pk=document.pk).update(created_at=moment)
        answer(document, annotator, "red")
        Annotation.objects.filter(document=document).update(updated_at=moment + timedelta(days=1))
    assert shown(imported_from="2026-11-25", imported_to="2026-11-25") == ["early", "late"]
    assert shown(imported_from="2026-11-26") == []
    assert shown(imported_to="2026-11-24") == []
    assert shown(decided_from="2026-11-26", decided_to="2026-11-26") == ["early", "late"]
    assert shown(decided_from="2026-11-27") == []
    assert shown(decided_to="2026-11-25") == []


@pytest.mark.parametrize("task", ["single", "multi"])
def test_a_suggestion_was_taken_or_changed(
    make_project: Callable[..., Project],
    annotator: User,
    lead: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
    task: str,
) -> None:
    project = make_project("suggested", task=task)
    red, green, _blue = project.labels.values_list("pk", flat=True)
    rows: list[tuple[str, list[int], tuple[int, ...] | None]] = [
        ("taken", [red], (red,)),
        ("changed", [green], (red,)),
        ("not shown", [red], None),
    ]
    if task == "multi":
        rows += [
            ("both taken", [red, green], (green, red)),
            ("one added", [red, green], (red,)),
            ("one left out", [red], (red, green)),
            ("none taken", [], ()),
        ]
    for text, chosen, suggested in rows:
        (document,) = add_documents(project, text)
        annotation = answer(document, annotator)
        for label in chosen:
            AnnotationLabel.objects.create(annotation=annotation, label_id=label)
        annotation.shown = None if suggested is None else Answer(suggested, scores=((red, 0.6),))
        annotation.save()
    (skipped,) = add_documents(project, "skipped")
    Annotation.objects.filter(pk=answer(skipped, annotator, outcome="skipped").pk).update(
        shown=Answer((red,))
    )

    def shown(**query: str) -> list[str]:
        rows = sign_in(lead).get(reverse("documents", args=[project.slug]), query).context["rows"]
        return sorted(row.document.text for row in rows)

    taken, changed = ["taken"], ["changed"]
    if task == "multi":
        taken, changed = ["both taken", "none taken", "taken"], ["changed", "one added", "one left out"]
    assert shown(suggestion="taken") == taken
    assert shown(suggestion="changed") == changed


def test_gold_comments_and_batches_are_filters(
    colours: dict[str, Document],
    shown: Callable[..., list[str]],
    lead: User,
    annotator: User,
    project: Project,
) -> None:
    gold = answer(colours["right"], lead, "green")
    gold.is_gold = True
    gold.save()
    assert shown(gold=1) == ["right"]
    # One annotation has to be gold and of that label; the other one is neither.
    assert shown(gold=1, label=project.labels.get(name="red").pk) == []
    Comment.objects.create(document=colours["wrong"], author=lead, text="why?", key=uuid.uuid4())
    assert shown(commented=1) == ["wrong"]
    batch = Batch.objects.create(project=project, strategy="margin")
    for slot in (0, 1):
        Assignment.objects.create(
            project=project, document=colours["skipped"], rank=1, batch=batch, slot=slot
        )
    assert shown(batch=batch.pk) == ["skipped"]
    assert shown(outcome="none", annotator=lead.pk) == ["flagged", "silent", "skipped", "wrong"]


def test_filters_in_force_are_told_and_each_can_be_taken_away(
    colours: dict[str, Document], sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    red = project.labels.get(name="red").pk
    where = reverse("documents", args=[project.slug])
    response = sign_in(lead).get(where, {"wrong": red, "gold": "1", "sort": "length", "before": "5"})
    told = [(str(title), value, link) for title, value, link in response.context["in_force"]]
    assert told == [
        ("Has a gold answer", "", f"?wrong={red}&sort=length"),
        ("Predicted as this, annotated otherwise", "red", "?gold=1&sort=length"),
    ]


def test_filters_that_are_folded_away_are_counted_and_hide_no_row(
    client: Client, project: Project, lead: User
) -> None:
    client.force_login(lead)
    address = reverse("documents", args=[project.slug])
    content = client.get(address, {"meta": "source", "gold": "1"}).content.decode()
    assert "2 in force" in content
    assert "<details open>" not in content
    assert "<details open>" in client.get(address, {"conf_from": "much"}).content.decode()
