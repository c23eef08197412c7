"""What a page that holds cards ahead sends, and what it gets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from annotate.models import Annotation, Assignment, Decision, Document, Project, User
from annotate.services.labeling import queue

AddDocuments = Callable[..., list[Document]]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.tasks.wake", lambda runs: None)


@pytest.fixture
def client(sign_in: Callable[[User], Client], annotator: User) -> Client:
    return sign_in(annotator)


def mark_in(html: str) -> str:
    found = re.search(r'id="(?:bench|deck)"[^>]* data-labels="(\w+)"', html)
    assert found, html
    return found[1]


def cards_in(html: str) -> list[str]:
    return re.findall(r'<article id="card"[^>]* data-card="([^"]+)"', html)


class Page:
    """The labelling page as its script holds it."""

    def __init__(self, client: Client, project: Project) -> None:
        self.client, self.project, self.url = client, project, f"/projects/{project.slug}/label/"
        html = client.get(self.url).content.decode()
        self.mark, (self.shown,), self.ahead = mark_in(html), cards_in(html), list[str]()

    def post(self, path: str, **fields: str) -> Any:
        about = {"deck": "1", "mark": self.mark, "shown": self.shown, "ahead": " ".join(self.ahead)}
        return self.client.post(f"{self.url}{path}", about | fields, headers={"HX-Request": "true"})

    def fill(self, **fields: str) -> Any:
        answer = self.post("ahead/", **fields)
        self.ahead += cards_in(answer.content.decode())
        return answer

    def decide(self, label: str, **fields: str) -> Any:
        """Show the next card, and send the decision behind it."""
        decided, self.shown = self.shown, self.ahead.pop(0) if self.ahead else ""
        pk = str(self.project.labels.get(name=label).pk)
        sent = {"card": decided, "outcome": "answered", "labels": pk, "seconds": "1"}
        answer = self.post("", **sent | fields)
        cards = cards_in(answer.content.decode())
        self.ahead += cards
        self.shown = self.shown or (self.ahead.pop(0) if self.ahead else "")
        return answer


def dropped_in(answer: Any) -> list[str]:
    found = re.search(r'data-dropped="([^"]*)"', answer.content.decode())
    assert found
    return found[1].split()


def test_a_page_gets_two_cards_and_one_more_with_each_decision(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *(f"text {i}" for i in range(6)))
    page = Page(client, project)
    page.fill()
    assert len({page.shown, *page.ahead}) == 3
    for _ in range(2):
        answer = page.decide("green")
        assert (answer.status_code, len(cards_in(answer.content.decode()))) == (200, 1)
    assert len({page.shown, *page.ahead}) == 3
    assert Annotation.objects.count() == 2


def test_a_decision_sent_twice_counts_once_and_brings_what_the_lost_answer_held(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *(f"text {i}" for i in range(6)))
    page = Page(client, project)
    page.fill()
    card, held = page.shown, list(page.ahead)
    first = page.decide("green")
    page.shown, page.ahead = card, held
    again = page.decide("green")
    assert cards_in(first.content.decode()) == cards_in(again.content.decode())
    assert Decision.objects.count() == 1
    assert Assignment.objects.leased().count() == 3


def test_a_refused_decision_is_told_and_the_page_keeps_its_cards(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *(f"text {i}" for i in range(6)))
    page = Page(client, project)
    page.fill()
    (waiting,) = page.ahead[1:]
    answer = page.decide("green", labels="999999")
    assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (422, True)
    assert waiting in page.ahead
    assert dropped_in(answer) == []
    assert not Annotation.objects.exists()


def test_an_archived_or_renamed_label_makes_what_nobody_has_seen_go(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *(f"text {i}" for i in range(9)))
    page = Page(client, project)
    page.fill()
    project.labels.filter(name="blue").update(name="azure")
    held = list(page.ahead)
    answer = page.decide("green")
    assert dropped_in(answer) == held[1:]
    html = unescape(answer.content.decode())
    assert "azure" in html
    page.mark, page.ahead = mark_in(html), [key for key in page.ahead if key not in held]
    assert dropped_in(page.fill(returned=" ".join(held[1:]))) == []


def test_chosen_metadata_stands_beside_the_text_as_text_and_makes_what_nobody_has_seen_go(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *"abcde")
    Document.objects.update(meta={"channel": "<b>mail</b>", "long": "x" * 1000, "secret": "not this"})
    page = Page(client, project)
    page.fill()
    held = list(page.ahead)
    Project.objects.update(card_metadata=["channel", "long", "is not there"])
    news = page.fill().content.decode()
    assert all(key in news for key in held)
    card = cards_in(news)[0]
    assert card not in held
    assert "&lt;b&gt;mail&lt;/b&gt;" in news
    assert "x" * 199 + "…" in news
    assert "not this" not in news
    assert "is not there" not in news


def test_the_page_does_not_wait_at_the_end_of_a_block_of_the_queue(
    client: Client, project: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "TOP_UP", 2)
    add_documents(project, *(f"text {i}" for i in range(9)))
    page = Page(client, project)
    page.fill()
    for _ in range(6):
        page.decide("green")
        assert page.ahead, "the next card is not there at once"
    assert Annotation.objects.count() == 6


def test_what_an_untrue_page_sends_takes_nobodys_place(
    client: Client,
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: AddDocuments,
) -> None:
    add_documents(project, *(f"text {i}" for i in range(9)))
    theirs = Page(sign_in(lead), project)
    theirs.fill()
    page = Page(client, project)
    keys = " ".join([theirs.shown, *theirs.ahead, str(uuid.uuid4()), "no card", "\0"])
    for path in ("ahead/", "pulse/", "release/"):
        answer = page.post(path, card=keys, ahead=keys, returned=keys)
        assert answer.status_code < 300
    mine = Assignment.objects.leased().filter(annotator=lead)
    assert {str(place.card) for place in mine} == {theirs.shown, *theirs.ahead}


def test_the_pulse_keeps_all_that_the_page_holds(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, *(f"text {i}" for i in range(6)))
    page = Page(client, project)
    page.fill()
    Assignment.objects.leased().update(expires_at=None)
    answer = page.post("pulse/")
    assert answer.headers["Winnow-Dropped"] == ""
    assert Assignment.objects.leased().filter(expires_at=None).count() == 0
    Assignment.objects.filter(card=page.ahead[0]).delete()
    assert page.post("pulse/").headers["Winnow-Dropped"] == page.ahead[0]


def test_a_decision_with_cards_ahead_takes_few_queries(
    client: Client, project: Project, add_documents: AddDocuments, django_assert_max_num_queries: Any
) -> None:
    add_documents(project, *(f"text {i}" for i in range(9)))
    page = Page(client, project)
    page.fill()
    page.decide("red")
    with django_assert_max_num_queries(22 if connection.vendor == "sqlite" else 25):
        page.decide("green")
