"""Colours of labels, and what is left of the page where the system chooses all colours."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import TEXTS, card_of, press, violations, wait_until_held, wait_until_sent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]
NAMES = [f"label {n}" for n in range(12)]

STRIPES = """(buttons) => buttons.map((button) => {
  const style = getComputedStyle(button), page = getComputedStyle(document.body);
  return [style.borderInlineStartColor, page.backgroundColor, style.backgroundColor];
})"""


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_label_has_a_stripe_that_is_seen_in_both_themes(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments, theme: str
) -> None:
    project = make_project(labels=NAMES, colour_labels=True)
    for document in add_documents(project, *TEXTS[:3]):
        suggest(project, document, ("label 11", 0.9))
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    card_of(page)
    stripes = page.locator(".choice").evaluate_all(STRIPES)
    assert len({stripe for stripe, *_ in stripes}) == 8
    assert min(contrast(stripe, ground) for stripe, *grounds in stripes for ground in grounds) >= 3
    assert page.locator(".likely").evaluate_all(STRIPES)[0][0] == stripes[11][0]
    assert violations(page) == []
    page.keyboard.press("/")
    page.keyboard.type("label 11")  # what is found keeps its colour
    assert page.locator(".choice.best").evaluate_all(STRIPES)[0][0] == stripes[11][0]


def test_labels_have_no_colours_until_a_lead_wants_them_and_cards_ahead_follow(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(labels=NAMES)
    add_documents(project, *TEXTS[:6])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator("[data-hue]")).to_have_count(0)
    Project.objects.filter(pk=project.pk).update(colour_labels=True)
    for _held_before in range(3):  # on a busy machine so many may be held by now
        press(page, "1")
        wait_until_sent(page)
        wait_until_held(page, 2)
    expect(page.locator(".choice[data-hue]")).to_have_count(len(NAMES))


@pytest.mark.parametrize("task", ["single", "multi"])
def test_focus_and_choice_are_seen_where_the_system_chooses_the_colours(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments, task: str
) -> None:
    project = make_project(labels=NAMES, task=task, colour_labels=True)
    (document,) = add_documents(project, "the sky")
    suggest(project, document, ("label 3", 0.9))
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.emulate_media(forced_colors="active")
    card_of(page)
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    outline = "(shown) => { const at = getComputedStyle(shown); return [at.outlineStyle, at.outlineWidth]; }"
    for place in ("#document-text", "#label-search", ".choice >> nth=1", "#skip"):
        page.keyboard.press("Shift")  # the last input was a key, so the focus is to be seen
        page.locator(place).focus()
        style, width = page.locator(place).evaluate(outline)
        assert style not in {"none", ""}, place
        assert float(width.removesuffix("px")) >= 2, place
    if task == "multi":
        page.locator("#document-text").focus()
        mark = "(button) => getComputedStyle(button, '::after').content"
        chosen, other = page.locator(".choice").nth(1), page.locator(".choice").nth(2)
        suggested = page.locator(".choice").nth(3)
        assert "✓?" in suggested.evaluate(mark)
        page.keyboard.press("2")
        assert "✓" in chosen.evaluate(mark)
        assert "✓" not in other.evaluate(mark)
        width = "(button) => getComputedStyle(button).outlineWidth + getComputedStyle(button).outlineStyle"
        assert chosen.evaluate(width) != other.evaluate(width)
