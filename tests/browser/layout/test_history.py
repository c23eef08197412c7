"""The last decisions beside the card: a click opens one, and to change it is one key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User
from tests.browser.test_labeling import TEXTS, answers, card_of, press, violations, wait_for_next

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def test_a_decision_in_the_list_is_opened_and_changed(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:5])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.keyboard.press("h")
    expect(page.locator("#history")).to_contain_text("You have decided nothing in this project yet.")
    seen = []
    for key in "123":
        seen.append(page.locator("#document-text").inner_text())
        press(page, key)
    waiting = page.locator("#document-text").inner_text()
    listed = page.locator("#history-list .decision-text")
    expect(listed).to_have_text(seen[::-1])
    assert violations(page) == []
    card = card_of(page)
    listed.nth(2).click()
    wait_for_next(page, card)
    expect(page.locator("#document-text")).to_have_text(seen[0])
    expect(page.get_by_role("button", name="red")).to_have_attribute("aria-pressed", "true")
    press(page, "3")
    expect(page.locator("#document-text")).to_have_text(waiting)
    assert answers(project) == {seen[0]: ["blue"], seen[1]: ["green"], seen[2]: ["blue"]}
    page.get_by_label("With the label").select_option(label="blue")
    expect(listed).to_have_text([seen[2], seen[0]])
    expect(page.locator("#progress")).to_contain_text("2 left for you of 5")


def test_a_decision_that_was_not_sent_yet_is_not_listed(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    page.keyboard.press("h")
    expect(page.locator("#history-list li")).to_have_count(1)
    page.route("**/label/", lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("Your decision is kept")
    expect(page.locator("#history-list .decision-text")).to_have_count(0)
    page.unroute("**/label/")
    page.reload()
    wait_for_next(page, card)
    page.keyboard.press("h")
    expect(page.locator("#history-list .decision-text")).to_have_count(1)
