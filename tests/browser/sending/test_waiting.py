"""Decisions that the server does not take: each ends in words and with a way on, and none is dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from annotate.models import Annotation, Decision, Document, HandedOnAnswer, Project, User
from annotate.services.projects import members
from tests.browser.sending.test_outbox import decide_offline
from tests.browser.test_labeling import (
    TEXTS,
    answers,
    card_of,
    press,
    violations,
    wait_for_next,
    wait_until_held,
    wait_until_sent,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def fulfil(page: Page, **answer: Any) -> None:
    page.route("**/label/", lambda route: _fulfil(route, answer))


def _fulfil(route: Route, answer: dict[str, Any]) -> None:
    if route.request.method == "POST":
        route.fulfill(**answer)
    else:
        route.fallback()


def waits(page: Page) -> int:
    keys: int = page.evaluate(
        "Object.keys(localStorage).filter((key) => key.startsWith('winnow/outbox/')).length"
    )
    return keys


def test_the_decision_of_a_removed_member_is_handed_to_a_lead(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    members.remove_member(membership=project.memberships.get(user=annotator))
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("You may no longer label in this project")
    page.reload()
    expect(page.get_by_role("heading", name="There is no such page for you")).to_be_visible()
    page.get_by_role("link", name="Not sent yet: 1").click()
    expect(page.get_by_text("Hand your decisions to its leads")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Hand to the leads").click()
    expect(page.get_by_text("The decision is with the project's leads")).to_be_visible()
    expect(page.get_by_text("Nothing waits here any more")).to_be_visible()
    row = HandedOnAnswer.objects.get()
    assert (str(row.card), row.answer.labels) == (card, (project.labels.get(name="green").pk,))
    assert waits(page) == 0


def test_cards_ahead_of_a_removed_member_are_handed_on_with_the_one_on_the_screen(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    shown = card_of(page)
    wait_until_held(page, 2)
    ahead = page.locator("#held-ahead").input_value().split()
    members.remove_member(membership=project.memberships.get(user=annotator))
    for card, key in zip([shown, *ahead], "213", strict=True):
        page.wait_for_selector(f'#card[data-ready][data-card="{card}"]')
        page.keyboard.press(key)
    expect(page.locator("#outbox")).to_contain_text("You may no longer label in this project")
    page.get_by_role("link", name="Show what waits here").click()
    page.get_by_role("button", name="Hand to the leads").click()
    expect(page.get_by_text("Nothing waits here any more")).to_be_visible()
    handed = {str(row.card): row.answer.labels for row in HandedOnAnswer.objects.all()}
    chosen = [(project.labels.get(name=name).pk,) for name in ("green", "red", "blue")]
    assert handed == dict(zip([shown, *ahead], chosen, strict=True))
    assert Annotation.objects.count() == 0


def test_what_the_server_never_gave_out_can_be_saved_and_dropped(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    """As where the project was deleted meanwhile."""
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    decide_offline(page, "2")
    Project.objects.update(slug="elsewhere")
    page.context.set_offline(False)
    expect(page.locator("#outbox")).to_contain_text("You may no longer label in this project")
    page.get_by_role("link", name="Show what waits here").click()
    page.get_by_role("button", name="Hand to the leads").click()
    expect(page.get_by_text("it cannot hand your decisions on")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a copy").click()
    copy = json.loads(download.value.path().read_text())
    assert [(entry["card"], entry["outcome"]) for entry in copy] == [(card, "answered")]
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Drop").click()
    assert waits(page) == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Drop").click()
    expect(page.get_by_text("Nothing waits here any more")).to_be_visible()
    assert waits(page) == 0


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 200, "body": "<h1>Log in to this network</h1>"}, "does not answer as it should"),
        ({"status": 422, "body": "<p>not ours</p>"}, "does not answer as it should"),
        ({"status": 429, "body": ""}, "does not answer as it should"),
        ({"status": 500, "body": ""}, "does not answer as it should"),
        ({"status": 403, "body": ""}, "Your session has ended"),
        ({"status": 302, "headers": {"Location": "/login/"}}, "Your session has ended"),
        ({"status": 404, "body": ""}, "You may no longer label"),
        ({"status": 409, "body": ""}, "cannot take this decision"),
        ({"status": 413, "body": ""}, "cannot take this decision"),
    ],
    ids=lambda value: str(value["status"]) if isinstance(value, dict) else "",
)
def test_no_answer_but_an_acknowledgement_lets_a_decision_go(
    answer: dict[str, Any],
    sentence: str,
    open_as: Open,
    project: Project,
    annotator: User,
    add_documents: AddDocuments,
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    text, card = page.locator("#document-text").inner_text(), card_of(page)
    fulfil(page, **answer)
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text(sentence)
    assert waits(page) == 1
    page.unroute("**/label/")
    wait_for_next(page, card)
    wait_until_sent(page)
    assert answers(project) == {text: ["green"]}


def test_a_refusal_is_read_also_where_other_decisions_follow(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    other = page.context.new_page()
    other.goto(page.url)
    card = card_of(page)
    card_of(other)
    decide_offline(page, "2")
    wait_for_next(other, card, is_sent=False)  # it leaves a card that was decided elsewhere
    other.keyboard.press("3")
    expect(other.locator("#outbox")).to_contain_text("kept in this browser")
    project.labels.filter(name="green").update(archived_at=timezone.now())
    page.context.set_offline(False)
    for tab in (page, other):  # either has sent both decisions
        wait_for_next(tab, card)
        wait_until_sent(tab)
    sentences = [tab.locator("#refusals, #card [role=alert]").all_inner_texts() for tab in (page, other)]
    assert "no longer, one of this project's labels" in str(sentences)
    assert list(answers(project).values()) == [["blue"]]


def test_two_answers_to_one_card_are_told_in_words(
    open_as: Open, page: Page, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    # As on a laptop and a phone: two tabs of one browser tell each other what was decided.
    page.context.add_init_script("BroadcastChannel.prototype.postMessage = () => undefined")
    page.context.route("**/pulse/", lambda route: route.abort())  # which would tell of it some time later
    open_as(annotator, f"/projects/{project.slug}/label/")
    text = page.locator("#document-text").inner_text()
    other = page.context.new_page()
    other.goto(page.url)
    assert card_of(other) == card_of(page)
    press(page, "1")
    press(other, "3")
    expect(other.get_by_role("alert").first).to_contain_text("“red”. Now it is: “blue”")
    assert answers(project) == {text: ["blue"]}


def test_logging_out_waits_for_what_was_not_sent(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    text, card = page.locator("#document-text").inner_text(), card_of(page)
    fulfil(page, status=500, body="")
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("kept in this browser")
    page.get_by_label("Account of anton").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("alert")).to_contain_text("You have not logged out yet")
    page.get_by_role("button", name="Log out all the same").click()
    expect(page.get_by_label("Username")).to_be_visible()
    assert (waits(page), Decision.objects.count()) == (1, 0)
    page.unroute("**/label/")
    open_as(annotator, "/account/waiting/?leaving")
    expect(page.get_by_text("Nothing waits here any more")).to_be_visible()
    assert answers(project) == {text: ["green"]}
    assert Annotation.objects.get().decisions.get().card.hex == card.replace("-", "")
    page.get_by_label("Account of anton").click()
    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Username")).to_be_visible()


def test_the_page_fits_a_phone_and_says_when_nothing_waits(open_as: Open, annotator: User) -> None:
    page = open_as(annotator, "/account/waiting/")
    page.set_viewport_size({"width": 375, "height": 700})
    expect(page.get_by_text("Everything that you decided in this browser was sent")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 375
