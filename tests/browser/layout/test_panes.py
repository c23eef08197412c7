"""Where the text and the labels stand: both are seen at once, whatever the window, the text and the names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Label, Project, User
from tests.browser.conftest import PATIENCE_MS
from tests.browser.layout.conftest import PHONE, until
from tests.browser.test_labeling import card_of, press, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]

LONG = "The card has not arrived after two weeks. " * 190  # 8,000 characters
NAMES = tuple(f"card_payment_{kind}_{n:02}" for n in range(11) for kind in "abcdefg")  # 77, 17 letters each
ODD = {"a long word": "w" * 400, "much text": LONG * 9, "marks": "z" + "\u0301" * 3000 + " end"}

# The labels that can be seen and pressed whole.
SEEN = """() => {
  const pane = document.querySelector("#labels").getBoundingClientRect();
  return [...document.querySelectorAll(".choice")].filter((button) => {
    const box = button.getBoundingClientRect();
    const middle = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const isInside = box.top >= pane.top - 1 && box.bottom <= Math.min(pane.bottom, innerHeight) + 1;
    return isInside && button.contains(middle);
  }).length;
}"""
CUT = """() => {
  const pane = document.querySelector("#labels").getBoundingClientRect();
  return [...document.querySelectorAll(".choice:not([data-cut])")].filter((button) => {
    const box = button.getBoundingClientRect();
    return box.top < pane.bottom - 3 && box.bottom > pane.bottom + 3;
  }).length;
}"""


def labelled(make_project: Make, names: tuple[str, ...], **fields: object) -> Project:
    project = make_project(labels=(), **fields)
    Label.objects.bulk_create(Label(project=project, name=name, position=n) for n, name in enumerate(names))
    return project


def fits_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("width", "height", "at_least"), [(1280, 800, 45), (1920, 1080, 77)])
def test_most_of_77_labels_are_seen_at_once_beside_the_text(
    open_as: Open,
    make_project: Make,
    annotator: User,
    add_documents: AddDocuments,
    width: int,
    height: int,
    at_least: int,
) -> None:
    project = labelled(make_project, NAMES)
    add_documents(project, LONG)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.set_viewport_size({"width": width, "height": height})
    card_of(page)
    until(page, f"({CUT})() === 0")
    assert page.evaluate(SEEN) >= at_least
    text, labels = page.locator("#document-text").bounding_box(), page.locator("#labels").bounding_box()
    assert text
    assert labels
    assert text["x"] + text["width"] < labels["x"]
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_no_row_is_cut_after_scrolling(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments
) -> None:
    project = labelled(make_project, NAMES)
    add_documents(project, "the sky")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.locator("#labels").evaluate("(pane) => pane.scrollBy(0, 47)")
    until(page, f"({CUT})() === 0")
    assert page.evaluate(SEEN) >= 40


@pytest.mark.parametrize("labels", [("red", "green", "blue"), NAMES])
def test_a_long_text_leaves_the_labels_of_a_phone_at_the_thumb(
    open_on_phone: Open,
    make_project: Make,
    annotator: User,
    add_documents: AddDocuments,
    labels: tuple[str, ...],
) -> None:
    project = labelled(make_project, labels)
    add_documents(project, LONG)
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    assert page.evaluate(SEEN) >= 3
    pane = page.locator("#labels").bounding_box()
    assert pane
    assert pane["y"] > PHONE["height"] / 3
    assert pane["y"] + pane["height"] <= PHONE["height"]
    text = page.locator("#document-text")
    assert text.evaluate("(pane) => pane.clientHeight >= 90 && pane.scrollHeight > pane.clientHeight")
    small = page.evaluate(
        """() => [...document.querySelectorAll("#card button, #card a, #card input, .status-keys button")]
          .filter((x) => x.checkVisibility() && x.getBoundingClientRect().height < 44)
          .map((x) => x.outerHTML)"""
    )
    assert small == []


def test_keys_are_shown_on_a_phone_once_one_was_pressed(
    open_on_phone: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two", "three")
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator(".choice kbd").first).to_be_hidden()
    press(page, "1")
    expect(page.locator(".choice kbd").first).to_be_visible()


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("size", [(1280, 800), (640, 400), (320, 200)], ids=["100 %", "200 %", "400 %"])
def test_no_text_pushes_the_labels_aside_at_any_zoom(
    open_as: Open,
    project: Project,
    annotator: User,
    add_documents: AddDocuments,
    text: str,
    size: tuple[int, int],
) -> None:
    add_documents(project, text, "another")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    card_of(page)
    assert fits_sideways(page)
    # Within three screens of a low window, and without scrolling in a usual one.
    label = page.locator(".choice").last.bounding_box()
    assert label
    assert label["y"] + label["height"] <= size[1] * (1 if size[1] > 480 else 3)
    page.get_by_role("button", name="green").click(timeout=PATIENCE_MS)


def test_odd_names_of_labels_are_whole(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments
) -> None:
    names = ("x" * 200, "😀", "تحويل بنكي", "a/b-c_d.e:f", "exchangeRateTooHigh", "<b>bold</b>_name")
    project = make_project(labels=names)
    add_documents(project, "the sky")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    assert page.locator(".choice-name").all_text_contents() == list(names)
    expect(page.locator(".choice").nth(3).locator("wbr")).to_have_count(5)
    expect(page.locator(".choice").nth(4).locator("wbr")).to_have_count(3)
    for width in (1280, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert fits_sideways(page)
        assert page.evaluate(
            "[...document.querySelectorAll('.choice')].every((x) => x.scrollWidth <= x.clientWidth)"
        )


def test_the_size_of_the_text_is_chosen_by_keys_and_remembered(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, "the sky")
    page = open_as(annotator, f"/projects/{project.slug}/label/")

    def size() -> float:
        card_of(page)
        shown = page.locator("#document-text").evaluate("(text) => getComputedStyle(text).fontSize")
        return float(shown.removesuffix("px"))

    usual = size()
    assert usual >= 16
    for key in ("+", "=", "="):
        page.keyboard.press(key)
    larger = size()
    assert larger > usual * 1.5
    page.reload()
    assert size() == larger
    for _ in range(9):
        page.keyboard.press("-")
    assert size() < usual
    page.get_by_role("button", name="Larger text").click()
    assert size() == usual


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_with_many_labels_a_long_text_and_on_a_phone(
    open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments, scheme: str
) -> None:
    project = labelled(make_project, NAMES, guidelines="Choose what fits. " * 200)
    add_documents(project, LONG)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width, height in ((1280, 800), (375, 667), (320, 200)):
        page.set_viewport_size({"width": width, "height": height})
        card_of(page)
        assert violations(page) == []
    page.keyboard.press("g")
    assert violations(page) == []


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("number", [3, 10, 77])
@pytest.mark.parametrize("width", [375, 800, 1280])
def test_no_part_of_the_card_lies_on_another(
    open_as: Open,
    make_project: Make,
    annotator: User,
    add_documents: AddDocuments,
    task: str,
    number: int,
    width: int,
) -> None:
    project = labelled(make_project, NAMES[:number], task=task)
    add_documents(project, LONG)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.set_viewport_size({"width": width, "height": 700})
    card_of(page)
    overlaps = page.evaluate(
        """() => {
          const parts = [".text-pane", ".suggestion", ".label-search", "#labels", ".save", "#set-aside"];
          const boxes = parts.map((x) => document.querySelector(`#card ${x}`)?.getBoundingClientRect());
          const met = [];
          boxes.forEach((a, i) => boxes.forEach((b, j) => {
            if (!a || !b || i >= j) return;
            const isBeside = a.right <= b.left + 1 || b.right <= a.left + 1;
            if (!isBeside && a.bottom > b.top + 8 && b.bottom > a.top + 8) met.push([parts[i], parts[j]]);
          }));
          return met;
        }"""
    )
    assert overlaps == []
