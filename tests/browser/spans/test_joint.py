"""A card that takes labels of the whole text and spans, by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Prediction, Project, User
from annotate.services.projects import labels as label_service
from tests.annotate.made.bundles import add_version
from tests.browser.test_labeling import card_of, wait_until_sent
from training.types import Answer, Span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]
TEXT = "Please block the card of Ada Lovelace."


@pytest.fixture
def joint(make_project: Callable[..., Project]) -> Project:
    project = make_project(slug="joint", labels=("block", "thanks"), task="joint")
    label_service.add_labels(project=project, labels=[("person", ""), ("place", "")], of_spans=True)
    return project


def said(annotation: Annotation) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the names of an answer's labels, and the words and the label of each span."""
    text, spans = annotation.document.text, annotation.spans.select_related("label").order_by("start")
    return (
        sorted(choice.label.name for choice in annotation.choices.select_related("label")),
        [(text[span.start : span.end], span.label.name) for span in spans],
    )


def test_labels_and_spans_are_given_by_keyboard_alone_and_nothing_is_lost(
    open_as: Open, joint: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(joint, TEXT)
    page = open_as(annotator, f"/projects/{joint.slug}/label/")
    card_of(page)
    keys = dict(joint.labels.values_list("name", "hotkey"))
    page.keyboard.press("Enter")
    expect(page.locator("#chosen")).to_contain_text("Nothing is marked, so nothing was saved")
    page.keyboard.press(keys["block"])
    expect(page.locator("#chosen")).to_have_text("block")
    for key in ["ArrowRight"] * 6 + ["Shift+ArrowRight", keys["person"]]:
        page.keyboard.press(key)
    expect(page.locator("#chosen")).to_have_text("block · Marked: 1")
    page.keyboard.press("n")  # says that there is nothing, which is not so
    expect(page.locator("#chosen")).to_contain_text("Something is marked here")
    page.keyboard.press(keys["thanks"])
    page.keyboard.press(keys["thanks"])
    page.keyboard.press("Enter")
    wait_until_sent(page)
    expect(page.locator("#card[data-empty]")).to_be_visible()
    kept = Annotation.objects.get()
    assert said(kept) == (["block"], [("Ada Lovelace", "person")])
    page.keyboard.press("Backspace")
    expect(page.locator('.choice[aria-pressed="true"] .choice-name')).to_have_text(["block"])
    expect(page.locator("#spans button")).to_have_count(1)


def test_one_key_takes_over_all_that_is_suggested(
    open_as: Open, joint: Project, annotator: User, add_documents: AddDocuments, tmp_path: Path
) -> None:
    (document,) = add_documents(joint, TEXT)
    pks = dict(joint.labels.values_list("name", "pk"))
    version = add_version(joint, tmp_path, number=1)
    shown = Answer(
        (pks["block"],),
        (Span(25, 37, pks["person"]),),
        ((pks["person"], 0.9), (pks["block"], 0.8), (pks["thanks"], 0.1)),
    )
    Prediction.objects.create(document=document, version=version, answer=shown)
    page = open_as(annotator, f"/projects/{joint.slug}/label/")
    card_of(page)
    suggestion = page.locator("#suggestion")
    expect(suggestion).to_contain_text("block")
    expect(suggestion).to_contain_text("80 %")
    assert json.loads(suggestion.get_attribute("data-spans") or "") == [[25, 37, pks["person"], 90]]
    expect(page.locator('.choice[aria-pressed="true"]')).to_have_count(0)  # a suggestion is no decision
    page.keyboard.press(".")
    expect(page.locator("#chosen")).to_have_text("block · Marked: 1")
    page.keyboard.press("Enter")
    wait_until_sent(page)
    assert said(Annotation.objects.get()) == (["block"], [("Ada Lovelace", "person")])


def test_labels_of_pieces_are_asked_for_where_a_task_has_them(open_as: Open, lead: User) -> None:
    page = open_as(lead, "/projects/new/")
    pieces = page.get_by_label("Labels of pieces of the text")
    expect(pieces).to_be_hidden()
    page.get_by_label("Task").select_option("joint")
    expect(pieces).to_be_visible()
