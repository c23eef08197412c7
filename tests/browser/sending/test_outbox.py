"""What was decided without a network stays: no reload, closed tab or other person takes it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Error, Page, expect

from annotate.models import Decision, Document, Project, User
from tests.browser.test_labeling import TEXTS, answers, card_of, wait_for_next, wait_until_sent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def decide_offline(page: Page, key: str) -> tuple[str, str]:
    """Decide without a network; return the text and the card."""
    text, card = page.locator("#document-text").inner_text(), card_of(page)
    page.context.set_offline(True)
    page.keyboard.press(key)
    expect(page.locator("#outbox")).to_contain_text("Your decision is kept")
    return text, card


def test_a_reload_without_a_network_loses_nothing(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    address = page.url
    text, card = decide_offline(page, "2")
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        page.reload()
    # NB: while Chromium puts up its error page, a request may slip past the network that it pretends to lack.
    page.context.set_offline(False)
    page.goto(address)
    wait_for_next(page, card)
    expect(page.locator("#outbox")).to_be_hidden()
    assert answers(project) == {text: ["green"]}
    page.reload()
    card_of(page)
    assert Decision.objects.count() == 1


def test_a_closed_tab_loses_nothing(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    address, context = page.url, page.context
    text, card = decide_offline(page, "3")
    page.close()
    context.set_offline(False)
    another = context.new_page()
    another.goto(address)
    wait_for_next(another, card)
    assert answers(project) == {text: ["blue"]}


def test_decisions_of_several_tabs_are_all_sent(
    open_as: Open, project: Project, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    add_documents(multi_project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    other = page.context.new_page()
    other.goto(page.url.replace(project.slug, multi_project.slug))
    card_of(other)
    text, card = decide_offline(page, "1")
    other_text = other.locator("#document-text").inner_text()
    other.keyboard.press("2")
    other.keyboard.press("Enter")
    expect(other.locator("#outbox")).to_contain_text("Your decision is kept")
    page.context.set_offline(False)
    wait_for_next(page, card)
    expect(other.locator("#document-text")).not_to_have_text(other_text)
    wait_until_sent(page)
    wait_until_sent(other)
    assert answers(project) == {text: ["red"]}
    assert answers(multi_project) == {other_text: ["green"]}


def test_another_person_at_the_same_browser_neither_sends_nor_loses_it(
    open_as: Open,
    project: Project,
    annotator: User,
    lead: User,
    add_documents: AddDocuments,
    live_server: Any,
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    text, card = page.locator("#document-text").inner_text(), card_of(page)
    page.route("**/label/", lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("Your decision is kept")
    log_in(page, lead, live_server.url)  # as in another tab, while this one goes on trying
    page.unroute("**/label/")
    expect(page.locator("#outbox")).to_contain_text("it is sent after you log in again")
    page.reload()
    assert card_of(page) != card
    expect(page.locator("#outbox")).to_be_hidden()
    assert Decision.objects.count() == 0
    log_in(page, annotator, live_server.url)
    page.reload()
    wait_for_next(page, card)
    assert answers(project) == {text: ["green"]}
    assert Decision.objects.get().annotation.annotator == annotator


def log_in(page: Page, user: User, url: str) -> None:
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": url}])
