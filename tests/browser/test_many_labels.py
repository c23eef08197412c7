"""The labelling page with 500 labels: all are there, typing finds them, and a decision stays one key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Label, Project, User
from tests.browser.test_labeling import (
    TEXTS,
    answers,
    card_of,
    press,
    violations,
    wait_for_next,
    wait_until_sent,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SUBJECTS = ["account", "card", "cheque", "loan", "transfer", "invoice", "branch", "app", "rate", "insurance"]
TROUBLES = ["lost", "late", "refused", "unknown", "wrong", "doubled", "blocked", "expired", "unclear", "due"]
PLACES = ["abroad", "at home", "in a shop", "on the phone", "by post"]
NAMES = [f"{subject} {trouble} {place}" for subject in SUBJECTS for trouble in TROUBLES for place in PLACES]
KEYS = "1234567890qwertyiop"  # u goes back
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def make_large(make_project: Make, add_documents: AddDocuments) -> Callable[[str], Project]:
    def make(task: str) -> Project:
        project = make_project(slug=task, task=task, labels=())
        Label.objects.bulk_create(
            Label(project=project, name=name, position=n) for n, name in enumerate(NAMES)
        )
        add_documents(project, *TEXTS[:4])
        return project

    return make


@pytest.fixture
def single(make_large: Callable[[str], Project]) -> Project:
    return make_large("single")


@pytest.fixture
def multi(make_large: Callable[[str], Project]) -> Project:
    return make_large("multi")


def find(page: Page, typed: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(typed)


def text_of(page: Page) -> str:
    return page.locator("#document-text").inner_text()


def test_all_labels_are_there_and_the_first_have_keys(
    open_as: Open, single: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    card_of(page)
    expect(page.locator(".choice:visible")).to_have_count(500)
    assert page.locator(".choice .choice-name").all_text_contents() == NAMES
    assert "".join(page.locator(".choice kbd").all_text_contents()) == KEYS


def test_one_key_saves_and_shows_the_next_document_with_all_labels(
    open_as: Open, single: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first = text_of(page)
    card = card_of(page)
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and "pulse" not in answer.url
    ) as sent:
        page.keyboard.press("p")
    assert sent.value.status == 200
    wait_for_next(page, card)
    expect(page.locator(".choice:visible")).to_have_count(500)
    second = text_of(page)
    press(page, "1")
    wait_until_sent(page)
    assert answers(single) == {first: [NAMES[18]], second: [NAMES[0]]}


def test_typing_a_part_finds_a_label_beyond_the_keys(open_as: Open, single: Project, annotator: User) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first, card = text_of(page), card_of(page)
    find(page, "ins dou pho")
    expect(page.locator(".choice:visible").first).to_have_text("insurance doubled on the phone")
    page.keyboard.press("Enter")
    wait_for_next(page, card)
    expect(page.locator(".choice:visible")).to_have_count(500)
    assert page.locator(".choice .choice-name").all_text_contents() == NAMES
    expect(page.locator("#label-search")).to_have_value("")
    wait_until_sent(page)
    assert answers(single) == {first: ["insurance doubled on the phone"]}


def test_a_digit_takes_one_of_the_first_five_matches(open_as: Open, single: Project, annotator: User) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first, card = text_of(page), card_of(page)
    find(page, "rate blocked")
    found = page.locator(".choice:visible .choice-name").all_text_contents()
    expect(page.locator("#label-search-result")).to_contain_text("1 to 5 take the first five")
    assert violations(page) == []
    page.keyboard.press("4")
    wait_for_next(page, card)
    assert answers(single) == {first: [found[3]]}


def test_a_digit_that_a_name_has_is_typed(open_as: Open, single: Project, annotator: User) -> None:
    Label.objects.filter(name=NAMES[40]).update(name="form 27")
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first, card = text_of(page), card_of(page)
    find(page, "form ")
    digits = ".choice:visible[data-place]"
    expect(page.locator(".choice:visible")).to_have_count(1)
    expect(page.locator(digits)).to_have_count(1)
    page.keyboard.type("2")
    expect(page.locator("#label-search")).to_have_value("form 2")
    page.keyboard.type("71")  # a name has the 7, and none goes on with 1
    wait_for_next(page, card)
    assert answers(single) == {first: ["form 27"]}


def test_initials_find_a_label(open_as: Open, single: Project, annotator: User) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first, card = text_of(page), card_of(page)
    find(page, "idotp")
    page.keyboard.press("Enter")
    wait_for_next(page, card)
    wait_until_sent(page)
    assert answers(single) == {first: ["invoice due on the phone"]}


def test_arrows_go_through_what_was_found_and_escape_shows_all_again(
    open_as: Open, single: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{single.slug}/label/")
    first, card = text_of(page), card_of(page)
    find(page, "no such label")
    expect(page.get_by_text("No label matches. Escape shows them all.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".choice:visible")).to_have_count(500)
    find(page, "rate blocked")
    expect(page.locator(".choice:visible")).to_have_count(5)
    found = page.locator(".choice:visible .choice-name").all_text_contents()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_for_next(page, card)
    wait_until_sent(page)
    assert answers(single) == {first: [found[2]]}


def test_several_labels_are_gathered_by_searching_and_saved_by_enter(
    open_as: Open, multi: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{multi.slug}/label/")
    first, card = text_of(page), card_of(page)
    page.keyboard.press("2")
    for typed in ("transfer late by post", "insurance due abroad"):
        find(page, typed)
        page.keyboard.press("Enter")
        expect(page.locator("#document-text")).to_be_focused()
    wanted = ["account lost at home", "transfer late by post", "insurance due abroad"]
    expect(page.locator("#chosen")).to_have_text(" · ".join(wanted))
    page.keyboard.press("Enter")
    wait_for_next(page, card)
    wait_until_sent(page)
    assert answers(multi) == {first: sorted(wanted)}
    press(page, "Backspace")
    expect(page.locator("#chosen")).to_have_text(" · ".join(wanted))


@pytest.mark.parametrize("task", ["single", "multi"])
def test_it_stays_accessible_and_fits_a_phone(
    open_as: Open, make_large: Callable[[str], Project], annotator: User, task: str
) -> None:
    page = open_as(annotator, f"/projects/{make_large(task).slug}/label/")
    card_of(page)
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 375


MARK_BUTTONS = "document.querySelectorAll('.choice').forEach((button) => (button.wasHere = true))"
ARE_MARKED = "[...document.querySelectorAll('.choice')].every((button) => button.wasHere)"


def test_the_buttons_stay_while_the_labels_do_and_keep_nothing_of_the_last_card(
    open_as: Open, multi: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{multi.slug}/label/")
    card_of(page)
    page.evaluate(MARK_BUTTONS)
    page.keyboard.press("1")
    find(page, "insurance due by post")
    page.keyboard.press("Enter")
    find(page, "insurance due")  # the list is left in the order of its matches
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#labels').scrollTop = 500")
    press(page, "Enter")
    assert page.evaluate(ARE_MARKED)
    assert page.locator(".choice .choice-name").all_text_contents() == NAMES
    expect(page.locator(".choice[aria-pressed=true]")).to_have_count(0)
    expect(page.locator("#chosen")).to_have_text("Nothing is chosen yet")
    assert page.evaluate("document.querySelector('#labels').scrollTop") == 0
    assert page.locator("#answer [name=card]").input_value() == card_of(page)

    Label.objects.create(project=multi, name="something else", position=len(NAMES))
    for _card in range(2):  # the cards that are held are replaced
        page.keyboard.press("2")
        press(page, "Enter")
    expect(page.locator(".choice")).to_have_count(501)
    assert not page.evaluate(ARE_MARKED)
