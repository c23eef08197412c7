"""Where labels are switches, those that the model is sure of are on, and drawn as suggested."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Decision, Document, Project, User
from annotate.models.documents import Lane
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import TEXTS, answers, card_of, press, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]
ON = ".choice[aria-pressed=true]"


@pytest.fixture
def suggested(multi_project: Project, add_documents: AddDocuments) -> Project:
    for document in add_documents(multi_project, *TEXTS[:3]):
        suggest(multi_project, document, ("blue", 0.9), ("red", 0.8), ("green", 0.2))
    return multi_project


def test_one_key_saves_what_is_suggested(open_as: Open, suggested: Project, annotator: User) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    first = page.locator("#document-text").inner_text()
    card_of(page)
    expect(page.locator("#chosen")).to_have_text(
        "Suggested: red · blue. Enter saves that; a label that you choose replaces it."
    )
    press(page, "Enter")
    assert answers(suggested) == {first: ["blue", "red"]}
    assert Annotation.objects.get().shown is not None


def test_it_is_told_from_a_choice_by_a_word_and_a_line(
    open_as: Open, suggested: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    card_of(page)
    red = page.get_by_role("button", name="red (suggested)", exact=True)
    expect(red).to_have_attribute("aria-pressed", "true")
    expect(red).to_have_css("border-top-style", "dashed")
    assert violations(page) == []
    page.keyboard.press("1")
    red = page.get_by_role("button", name="red", exact=True)
    expect(red).to_have_attribute("aria-pressed", "true")
    expect(red).to_have_css("border-top-style", "solid")
    expect(page.get_by_role("button", name="blue", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#chosen")).to_have_text("red")


def test_what_is_suggested_is_taken_over_to_be_changed(
    open_as: Open, suggested: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    first = page.locator("#document-text").inner_text()
    card_of(page)
    for key in (".", "2", "3"):
        page.keyboard.press(key)
    press(page, "Enter")
    assert answers(suggested) == {first: ["green", "red"]}


def test_the_first_choice_replaces_what_is_suggested(
    open_as: Open, suggested: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    first = page.locator("#document-text").inner_text()
    card_of(page)
    page.keyboard.press("2")
    press(page, "Enter")
    assert answers(suggested) == {first: ["green"]}


def test_none_applies_is_one_key_over_a_suggestion(
    open_as: Open, suggested: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    first = page.locator("#document-text").inner_text()
    press(page, "n")
    assert answers(suggested) == {first: []}


def test_nothing_over_a_threshold_is_saved_by_no_enter(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(multi_project, TEXTS[0])
    suggest(multi_project, document, ("blue", 0.2))
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    card_of(page)
    page.keyboard.press("Enter")
    expect(page.locator("#chosen")).to_contain_text("press n where none applies")
    assert Decision.objects.count() == 0


@pytest.mark.parametrize("suggestions", ["after", "never", "now"])
def test_nothing_is_preselected_where_no_suggestion_may_be_seen(
    open_as: Open, suggested: Project, annotator: User, suggestions: str
) -> None:
    Project.objects.update(suggestions=suggestions)
    if suggestions == "now":
        Document.objects.update(lane=Lane.HOLDOUT, half="tuning")
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    card_of(page)
    expect(page.locator(ON)).to_have_count(0)
    expect(page.locator("#chosen")).to_have_text("Nothing is chosen yet")


def test_an_earlier_decision_shows_what_was_decided(
    open_as: Open, suggested: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{suggested.slug}/label/")
    card_of(page)
    page.keyboard.press("2")
    page.keyboard.press("1")
    press(page, "Enter")
    press(page, "u")
    expect(page.locator("#chosen")).to_have_text("red · green")
    expect(page.locator("[data-suggested]:not(output)")).to_have_count(0)
