"""A page that closes gives its card back; one that may be shown again, or has decided, keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import Assignment, Document, Project, User
from annotate.services.labeling import queue
from tests.browser.sending.test_outbox import decide_offline
from tests.browser.test_labeling import READY, TEXTS, answers, card_of, press, wait_for_next

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def leaves_soon(card: str) -> bool:
    soon = timezone.now() + timedelta(seconds=queue.RELEASE_SECONDS)
    return Assignment.objects.filter(card=card, expires_at__lte=soon).exists()


def wait_until(is_true: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def wait_until_given_back(card: str) -> None:
    wait_until(lambda: leaves_soon(card), "the card was not given back")


def test_a_closed_page_gives_its_card_back(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = press(page, "1")
    assert not leaves_soon(card)
    page.goto("about:blank")
    wait_until_given_back(card)


def test_an_earlier_decision_on_the_page_does_not_hide_the_card_that_waits(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = press(page, "1")
    press(page, "Backspace")
    page.goto("about:blank")
    wait_until_given_back(card)


def test_a_reload_shows_the_same_card_and_holds_it(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    page.reload()
    assert card_of(page) == card
    with page.expect_response("**/label/pulse/"):  # after the page before has given the card back
        pass
    wait_until(lambda: not leaves_soon(card), "the card was not held")


def test_a_page_that_the_browser_keeps_aside_keeps_its_card(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: false }))")
    page.wait_for_timeout(300)
    assert [url.rsplit("/", 2)[-2] for url in sent if "release" in url] == ["release"]


def test_a_card_whose_decision_waits_for_the_network_is_not_given_back(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    address = page.url
    text, card = decide_offline(page, "2")
    page.route("**/label/", lambda route: route.abort())  # the network is back, but not for decisions
    page.context.set_offline(False)
    page.goto("about:blank")
    page.wait_for_timeout(500)
    assert not leaves_soon(card)
    page.unroute("**/label/")
    page.goto(address)
    wait_for_next(page, card)
    assert answers(project) == {text: ["green"]}


REFUSED = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("The store is refused.", "SecurityError"); } })"""


@pytest.mark.parametrize("store", [REFUSED, 'Object.defineProperty(window, "localStorage", { value: null })'])
def test_decisions_are_kept_and_sent_where_the_browser_stores_nothing(
    open_as: Open, page: Page, project: Project, annotator: User, add_documents: AddDocuments, store: str
) -> None:
    add_documents(project, *TEXTS[:3])
    page.add_init_script(store)
    open_as(annotator, f"/projects/{project.slug}/label/")
    page.wait_for_selector(READY)
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_be_visible()
    text, card = decide_offline(page, "2")
    page.context.set_offline(False)
    wait_for_next(page, card)
    expect(page.locator("#outbox")).to_be_hidden()
    assert answers(project) == {text: ["green"]}
