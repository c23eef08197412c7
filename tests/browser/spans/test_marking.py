"""Pieces of a text are marked by keyboard alone, by mouse and by touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Project, User
from tests.browser.test_labeling import card_of, press, violations, wait_until_sent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]
# A click right after a card has come may be the second half of a double click on the one before: see gate.js.
POINTER_PAUSE_MS = 350
TEXT = "Ada Lovelace met Charles Babbage in London, and London was grey."


def marked(project: Project) -> dict[str, list[tuple[str, str]]]:
    """Return the words and the label of each span, by the text."""
    found = {}
    for annotation in Annotation.objects.filter(project=project).order_by("pk"):
        text = annotation.document.text
        spans = annotation.spans.select_related("label").order_by("start", "end")
        found[text] = [(text[span.start : span.end], span.label.name) for span in spans]
    return found


def keys(page: Page, *names: str) -> None:
    for name in names:
        page.keyboard.press(name)


def listed(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator("#spans button").all_text_contents()]


def test_a_text_is_marked_by_keyboard_alone(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    keys(page, "ArrowRight", "Shift+ArrowRight", "1")  # Ada Lovelace
    keys(page, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "1")  # Charles Babbage
    keys(page, "ArrowRight", "ArrowRight", "2", "l")  # London, everywhere
    expect(page.locator("#chosen")).to_have_text("Other places marked: 1. z takes that back.")
    page.keyboard.press("Enter")
    wait_until_sent(page)
    expect(page.locator("#card[data-empty]")).to_be_visible()
    assert marked(entities) == {
        TEXT: [
            ("Ada Lovelace", "person"),
            ("Charles Babbage", "person"),
            ("London", "place"),
            ("London", "place"),
        ]
    }


def test_marks_are_walked_relabelled_resized_removed_and_brought_back(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    keys(page, "ArrowRight", "1", "ArrowRight", "ArrowRight", "ArrowRight", "2")
    assert listed(page) == ["person Ada", "place Charles"]
    keys(page, "Shift+Tab", "]")
    assert listed(page) == ["person Ada Lovelace", "place Charles"]
    keys(page, "}", "Tab", "3", "{")
    expect(page.locator("#chosen")).to_contain_text("The edge cannot go there")
    assert listed(page) == ["person Ada", "product Charles"]
    keys(page, "Delete")
    assert listed(page) == ["person Ada"]
    keys(page, "z", "z", "Shift+Z", "Control+z")
    assert listed(page) == ["person Ada", "place Charles"]


def test_a_mark_gives_way_to_one_that_crosses_it(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    keys(page, "ArrowRight", "1", "Home", "Shift+ArrowRight", "2")
    assert listed(page) == ["place Ada Lovelace"]
    expect(page.locator("#chosen")).to_have_text("Spans that gave way: 1. z brings them back.")


def test_marks_may_cross_where_the_task_says_so(
    open_as: Open, make_project: Callable[..., Project], annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(slug="nested", task="overlapping_span")
    add_documents(project, TEXT)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    keys(page, "ArrowRight", "1", "Home", "Shift+ArrowRight", "2", "Enter")
    expect(page.locator("#card[data-empty]")).to_be_visible()
    wait_until_sent(page)
    assert marked(project) == {TEXT: [("Ada", "red"), ("Ada Lovelace", "green")]}


def test_nothing_is_said_by_a_key_of_its_own_and_never_over_a_mark(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    keys(page, "Enter")
    expect(page.locator("#chosen")).to_contain_text("nothing was saved")
    keys(page, "ArrowRight", "1", "n")
    expect(page.locator("#chosen")).to_contain_text("Something is marked here")
    assert not Annotation.objects.exists()
    keys(page, "Delete", "n")
    expect(page.locator("#card[data-empty]")).to_be_visible()
    wait_until_sent(page)
    assert marked(entities) == {TEXT: []}


def test_back_shows_what_was_marked_and_a_card_that_was_left_keeps_its_marks(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, "Ada went home.", "Bob went home.", "Cleo went home.")
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    keys(page, "ArrowRight", "1")
    press(page, "Enter")
    keys(page, "ArrowRight", "2")
    second = listed(page)
    press(page, "Backspace")
    assert listed(page)[0].startswith("person ")
    keys(page, "Tab", "3")
    press(page, "Enter")
    assert listed(page) == second
    assert [label for spans in marked(entities).values() for _words, label in spans] == ["product"]


def drag(page: Page, start: str, end: str, *, alt: bool = False) -> None:
    """Drag the mouse from within the first letter of some words to within the last of others."""
    places = page.evaluate(
        """([start, end]) => {
          const node = document.querySelector(".span-text").firstChild;
          const middle = (at) => {
            const range = document.createRange();
            range.setStart(node, at); range.setEnd(node, at + 1);
            const box = range.getBoundingClientRect();
            return [box.left + box.width * 0.7, box.top + box.height / 2];
          };
          return [middle(node.data.indexOf(start)), middle(node.data.indexOf(end) + end.length - 1)];
        }""",
        [start, end],
    )
    if alt:
        page.keyboard.down("Alt")
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()
    if alt:
        page.keyboard.up("Alt")


def test_the_mouse_takes_whole_words_and_with_alt_what_it_went_over(
    open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    drag(page, "da Love", "da Lov")
    keys(page, "1")
    drag(page, "harles", "arle", alt=True)
    keys(page, "2")
    assert listed(page) == ["person Ada Lovelace", "place arle"]
    page.wait_for_timeout(POINTER_PAUSE_MS)
    page.locator("#spans button").first.click()
    expect(page.locator("#spans [aria-current]")).to_contain_text("Ada")
    page.get_by_role("button", name="Remove").click()
    assert listed(page) == ["place arle"]


def test_a_finger_that_rests_selects_a_word_and_then_drags(
    context: Any, open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    boxes = page.evaluate(
        """() => [0, 14].map((at) => {
          const range = document.createRange(), node = document.querySelector(".span-text").firstChild;
          range.setStart(node, at); range.setEnd(node, at + 2);
          const box = range.getBoundingClientRect();
          return {x: box.left + box.width / 2, y: box.top + box.height / 2};
        })"""
    )
    session = context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [boxes[0]]})
    expect(page.locator("#span-end-out")).to_be_enabled()  # the finger has rested
    session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [boxes[1]]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.get_by_role("button", name="person").click()
    assert listed(page) == ["person Ada Lovelace met"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_is_accessible_and_fits_a_phone(
    scheme: Any, open_as: Open, entities: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(entities, TEXT)
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 375, "height": 800})
    card_of(page)
    keys(page, "ArrowRight", "1")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
