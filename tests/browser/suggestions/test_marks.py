"""The words that decided are marked in the text, which stays what it was, letter for letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Prediction, Project, User
from annotate.services.versions import explanations, predictions
from tests.annotate.made.bundles import add_version
from tests.browser.test_labeling import card_of, press, violations
from training.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MARKS = "#document-text mark"
Open = Callable[[User, str], Page]
Explained = Callable[..., None]


@pytest.fixture
def explained(
    project: Project, add_documents: Callable[..., list[Document]], tmp_path: Path, settings: Any
) -> Iterator[Explained]:
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    explanations.may_explain.cache_clear()
    version = add_version(project, tmp_path)
    green = project.labels.get(name="green").pk

    def make(*texts: str) -> None:
        for document in add_documents(project, *texts):
            answer = Answer((green,), scores=((green, 0.9),))
            Prediction.objects.create(document=document, version=version, answer=answer)

    yield make
    explanations.may_explain.cache_clear()
    predictions.CACHE.clear()


@pytest.mark.parametrize(
    "before",
    ["a ", "🦊🦊 ", "e\u0301e\u0301 ", "one\r\n\r\ntwo\r\n", "<b>&amp; </b> ", "שלום ", "👩‍👩‍👧 "],
    ids=["plain", "emoji", "combining", "crlf", "html", "rtl", "joined"],
)
def test_the_word_is_marked_where_it_stands(
    open_as: Open, project: Project, annotator: User, explained: Explained, before: str
) -> None:
    text = f"{before}green tree, not red"
    explained(text)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.keyboard.press(",")
    expect(page.locator(MARKS)).to_have_text(["green"])
    # HTML makes one line feed of CR and LF, with marks or without.
    assert page.evaluate("document.querySelector('#document-text').textContent") == text.replace("\r\n", "\n")
    expect(page.locator(MARKS)).to_have_css("text-decoration-line", "underline")
    assert violations(page) == []


def test_the_same_key_turns_marks_off_and_the_next_card_has_what_was_wanted(
    open_as: Open, project: Project, annotator: User, explained: Explained
) -> None:
    explained("green one", "green two", "green three")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator(MARKS)).to_have_count(0)
    page.keyboard.press(",")
    expect(page.locator(MARKS)).to_have_count(1)
    press(page, "2")
    expect(page.locator(MARKS)).to_have_count(1)  # without being asked again
    page.keyboard.press(",")
    expect(page.locator(MARKS)).to_have_count(0)
    expect(page.locator("#why")).to_be_empty()
    press(page, "2")
    page.wait_for_timeout(300)
    expect(page.locator(MARKS)).to_have_count(0)


def test_a_long_text_shows_the_place_that_decided(
    open_as: Open, project: Project, annotator: User, explained: Explained
) -> None:
    explained("word " * 3000 + "green " + "word " * 3000)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    assert page.evaluate("document.querySelector('#document-text').scrollTop") == 0
    page.keyboard.press(",")
    expect(page.locator(MARKS)).to_be_in_viewport()
    assert page.evaluate("document.querySelector('#document-text').scrollTop") > 500


def test_whoever_has_scrolled_is_not_moved(
    open_as: Open, project: Project, annotator: User, explained: Explained
) -> None:
    explained("word " * 3000 + "green " + "word " * 3000)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.locator("#document-text").hover()
    page.mouse.wheel(0, 120)
    page.wait_for_timeout(500)
    position = page.evaluate("document.querySelector('#document-text').scrollTop")
    assert position > 0
    page.keyboard.press(",")
    expect(page.locator(MARKS)).to_have_count(1)
    assert page.evaluate("document.querySelector('#document-text').scrollTop") == position
