"""On a touch screen a swipe over the text is a label, where there are two to four of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Decision, Document, Project, User
from tests.browser.layout.conftest import until
from tests.browser.test_labeling import TEXTS, answers, card_of, violations, wait_for_next

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]
LONG = "The card has not arrived after two weeks. " * 190
UP, DOWN, LEFT, RIGHT = (0, -150), (0, 150), (-150, 0), (150, 0)


def swipe(page: Page, move: tuple[int, int], start: tuple[int, int] = (190, 150)) -> None:
    session = page.context.new_cdp_session(page)
    x, y = start
    began = time.time()

    def touch(kind: str, part: float | None) -> None:
        points = [] if part is None else [{"x": x + move[0] * part, "y": y + move[1] * part}]
        # However busy the machine is, the finger needs a fifth of a second.
        at = began + 0.2 * (1 if part is None else part)
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points, "timestamp": at})

    touch("touchStart", 0)
    for part in (0.25, 0.5, 0.75, 1):
        touch("touchMove", part)
    touch("touchEnd", None)
    session.detach()


def text_of(page: Page) -> str:
    return page.locator("#document-text").inner_text()


def test_each_direction_is_the_label_with_its_arrow(
    open_on_phone: Open, make_project: Make, annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(labels=("red", "green", "blue", "grey"))
    add_documents(project, *TEXTS[:5])
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    wanted = {}
    for move, name in ((RIGHT, "red"), (LEFT, "green"), (UP, "blue"), (DOWN, "grey")):
        card = card_of(page)
        wanted[text_of(page)] = [name]
        swipe(page, move)
        wait_for_next(page, card)
    arrows = page.locator(".choice").evaluate_all(
        "(all) => all.map((x) => getComputedStyle(x, '::before').content)"
    )
    assert [arrow[1] for arrow in arrows] == list("→←↑↓")
    assert answers(project) == wanted
    assert violations(page) == []


def test_a_long_text_is_scrolled_and_not_labelled_by_moving_up_and_down(
    open_on_phone: Open, make_project: Make, annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(labels=("red", "green", "blue", "grey"))
    add_documents(project, LONG, LONG + "another")
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    expect(page.locator(".choice[data-swipe]")).to_have_count(2)
    swipe(page, UP, (190, 300))
    until(page, "document.querySelector('#document-text').scrollTop > 50")
    swipe(page, (40, -150), (190, 300))
    assert Annotation.objects.count() == 0
    page.wait_for_timeout(500)
    assert card_of(page) == card
    swipe(page, LEFT)
    wait_for_next(page, card)
    assert list(answers(project).values()) == [["green"]]


def test_a_swipe_that_began_on_the_text_before_is_none(
    open_on_phone: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    session = page.context.new_cdp_session(page)
    start = {"type": "touchStart", "touchPoints": [{"x": 190, "y": 150}]}
    session.send("Input.dispatchTouchEvent", start)
    page.keyboard.press("1")
    card = wait_for_next(page, card)
    move = {"type": "touchMove", "touchPoints": [{"x": 340, "y": 150}]}
    session.send("Input.dispatchTouchEvent", move)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(500)
    assert card_of(page) == card
    assert list(answers(project).values()) == [["red"]]
    assert Decision.objects.count() == 1


def test_swiping_is_switched_off_in_the_browser_and_stays_off(
    open_on_phone: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_on_phone(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.get_by_role("button", name="Swipe to label").tap()
    for _ in range(2):
        card = card_of(page)
        expect(page.get_by_role("button", name="Swipe to label")).to_have_attribute("aria-pressed", "false")
        expect(page.locator(".choice[data-swipe]")).to_have_count(0)
        swipe(page, RIGHT)
        page.wait_for_timeout(300)
        assert card_of(page) == card
        page.reload()
    assert Annotation.objects.count() == 0


@pytest.mark.parametrize("kind", ["multi", "five", "desk"])
def test_it_is_not_offered_where_a_swipe_says_too_little(
    open_on_phone: Open,
    open_as: Open,
    make_project: Make,
    annotator: User,
    add_documents: AddDocuments,
    kind: str,
) -> None:
    labels = ("a", "b", "c", "d", "e") if kind == "five" else ("red", "green", "blue")
    project = make_project(task="multi" if kind == "multi" else "single", labels=labels)
    add_documents(project, *TEXTS[:2])
    page = (open_as if kind == "desk" else open_on_phone)(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator("#swipe")).to_be_hidden()
    if kind != "desk":
        swipe(page, RIGHT)
        page.wait_for_timeout(300)
    expect(page.locator('.choice[aria-pressed="true"]')).to_have_count(0)
    assert Annotation.objects.count() == 0
