"""Decisions that can no longer be sent end where their person sees it: saved as a file, then dropped."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import Assignment, Card, Document, Project, User
from tests.browser.sending.test_outbox import decide_offline
from tests.browser.sending.test_waiting import fulfil, waits
from tests.browser.test_labeling import TEXTS, answers, card_of, violations, wait_until_held, wait_until_sent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def saved(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a copy").click()
    copy: list[dict[str, str]] = json.loads(download.value.path().read_text())
    return copy


@pytest.mark.parametrize("reason", ["label archived", "card swept"])
def test_a_refused_decision_stays_until_it_is_dismissed(
    reason: str, open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    decide_offline(page, "2")
    if reason == "label archived":
        project.labels.filter(name="green").update(archived_at=timezone.now())
    else:
        # As months later: the sweeper leaves the cards that somebody holds.
        Assignment.objects.filter(card=card).update(state="waiting", annotator=None, card=None)
        Card.objects.filter(key=card).delete()
    page.context.set_offline(False)
    wait_until_sent(page)
    page.goto(page.url.replace(f"/projects/{project.slug}/label/", "/projects/"))
    page.get_by_role("link", name="Not taken: 1").click()
    sentence = "no longer, one of this project's labels" if reason == "label archived" else "not given to you"
    expect(page.get_by_role("listitem")).to_contain_text(sentence)
    assert violations(page) == []
    (copy,) = saved(page)
    assert (copy["card"], copy["outcome"]) == (card, "answered")
    assert sentence in copy["refused"]
    page.reload()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("listitem")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Everything that you decided in this browser was sent")).to_be_visible()
    assert answers(project) == {}


def test_decisions_of_a_closed_account_are_saved_without_a_session(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    wait_until_held(page, 2)  # a page that asks for more after its session ended goes to the login by itself
    User.objects.filter(pk=annotator.pk).update(is_active=False)
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("session has ended")
    page.goto(page.url.replace(f"/projects/{project.slug}/label/", "/login/"))
    page.get_by_role("link", name="This browser keeps decisions that were not sent").click()
    expect(page.get_by_role("status")).to_contain_text("1")
    expect(page.locator("body")).not_to_contain_text(project.slug)
    expect(page.get_by_role("button", name="Drop")).to_be_hidden()
    assert violations(page) == []
    (copy,) = saved(page)
    assert (copy["card"], copy["outcome"]) == (card, "answered")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Drop").click()
    expect(page.get_by_text("Nothing is kept in this browser")).to_be_visible()
    assert waits(page) == 0
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Username")).to_be_visible()
    expect(page.locator("#kept-link")).to_be_hidden()


@pytest.mark.parametrize("address", ["/admin/", "/admin/password_change/"])
def test_logging_out_of_the_administrators_pages_waits_for_what_was_not_sent(
    address: str, open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    User.objects.filter(pk=annotator.pk).update(is_staff=True)
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    fulfil(page, status=500, body="")
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("kept in this browser")
    page.goto(page.url.replace(f"/projects/{project.slug}/label/", address))
    expect(page.get_by_role("link", name="Not sent yet: 1")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("alert")).to_contain_text("You have not logged out yet")
    page.get_by_role("button", name="Log out all the same").click()
    expect(page.get_by_label("Username")).to_be_visible()
    assert waits(page) == 1
