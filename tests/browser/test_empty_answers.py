"""Any number of labels may apply, but that none does is said by a key of its own and never left over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Decision, Document, Project, User
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import TEXTS, answers, card_of, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def test_enter_does_not_take_over_what_was_dropped(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(multi_project, TEXTS[0])
    suggest(multi_project, document, ("blue", 0.9))
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    card_of(page)
    for key in ("3", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#chosen")).to_contain_text("press n where none applies")
    assert Decision.objects.count() == 0


def test_enter_without_a_choice_says_which_key_means_none(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first, card = page.locator("#document-text").inner_text(), card_of(page)
    page.keyboard.press("Enter")
    expect(page.locator("#chosen")).to_contain_text("press n where none applies")
    assert (card_of(page), Decision.objects.count()) == (card, 0)
    page.keyboard.press("1")  # a label that was chosen before is no part of it
    press(page, "n")
    assert answers(multi_project) == {first: []}


def test_a_suggestion_after_the_choice_may_be_kept_away_by_none(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    Project.objects.update(suggestions="after")
    documents = add_documents(multi_project, *TEXTS[:3])
    for document in documents:
        suggest(multi_project, document, ("blue", 0.9))
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first = page.locator("#document-text").inner_text()
    card_of(page)
    page.keyboard.press("n")
    expect(page.locator("#suggestion")).to_be_visible()
    press(page, "Enter")
    second = page.locator("#document-text").inner_text()
    page.keyboard.press("n")
    expect(page.locator("#suggestion")).to_be_visible()
    page.keyboard.press("1")
    press(page, "Enter")
    assert answers(multi_project) == {first: [], second: ["red"]}


@pytest.mark.parametrize("key", ["Space", "Enter"])
@pytest.mark.parametrize("task", ["single", "multi"])
def test_from_an_earlier_decision_a_key_goes_on_and_changes_nothing(
    key: str,
    task: str,
    open_as: Open,
    make_project: Callable[..., Project],
    annotator: User,
    add_documents: AddDocuments,
) -> None:
    project = make_project(task=task)
    for document in add_documents(project, *TEXTS[:3]):
        suggest(project, document, ("blue", 0.9))
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first = page.locator("#document-text").inner_text()
    if task == "multi":
        page.keyboard.press("1")
        press(page, "Enter")
    else:
        press(page, "1")
    waiting = page.locator("#document-text").inner_text()
    press(page, "u")
    expect(page.locator("#document-text")).to_have_text(first)
    press(page, key)
    expect(page.locator("#document-text")).to_have_text(waiting)
    assert answers(project) == {first: ["red"]}
    assert Decision.objects.count() == 1


def test_what_was_changed_in_an_earlier_decision_is_not_left_by_space(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first = page.locator("#document-text").inner_text()
    press(page, "n")
    press(page, "u")
    expect(page.locator("#chosen")).to_have_text("None of the labels applies")
    card = card_of(page)
    page.keyboard.press("2")
    page.keyboard.press("Space")
    expect(page.locator("#changed-hint")).to_contain_text("You have changed something here")
    assert card_of(page) == card
    press(page, "Enter")
    assert answers(multi_project) == {first: ["green"]}
    assert Annotation.objects.get().outcome == "answered"


def test_the_waiting_card_stays_reserved_while_an_earlier_decision_is_shown(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    waiting = press(page, "1")
    shown = press(page, "u")
    with page.expect_request("**/pulse/") as pulse:
        page.evaluate("htmx.trigger('#progress', 'load')")
    sent = pulse.value.post_data or ""
    assert f"shown={waiting}" in sent
    assert f"card={shown}" in sent
