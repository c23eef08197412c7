"""A project whose cards take labels of the text and of pieces of it: made, labelled in, each page opens."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, Card, Document, Project, User
from annotate.services.imports import columns
from annotate.services.projects import labels as label_service
from annotate.task_types import find
from training.records import Row
from training.types import Answer, Span

PAGES = (
    "project", "project-live", "project-settings", "project-labels", "project-members", "guidelines",
    "documents", "export-page", "imports", "runs", "versions", "reportcard", "label", "my-work",
    "project-duplicate", "drift",
)  # fmt: skip
TEXT = "Ada asks for a card."


@pytest.fixture
def joint(make_project: Callable[..., Project]) -> Project:
    project = make_project(slug="joint", labels=("asks", "thanks"), task="joint")
    label_service.add_labels(project=project, labels=[("person", "")], of_spans=True)
    return project


def test_every_page_opens(
    joint: Project,
    lead: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    add_documents(joint, TEXT)
    client = sign_in(lead)
    opened = {name: client.get(reverse(name, args=["joint"])).status_code for name in PAGES}
    assert opened == dict.fromkeys(PAGES, 200)


def test_a_lead_makes_one_with_labels_of_both_kinds(lead: User, sign_in: Callable[[User], Client]) -> None:
    client, sent = sign_in(lead), {"name": "J", "slug": "j", "task": "joint", "labels": "asks\nthanks"}
    refused = client.post(reverse("project-create"), sent)
    assert refused.status_code == 422
    assert "a label of spans" in refused.content.decode()
    twice = client.post(reverse("project-create"), sent | {"span_labels": "asks"})
    assert "cannot be a label of documents and of pieces" in twice.content.decode()
    assert client.post(reverse("project-create"), sent | {"span_labels": "person"}).status_code == 302
    project = Project.objects.get(slug="j")
    assert dict(project.labels.values_list("name", "of_spans")) == {
        "asks": False, "thanks": False, "person": True,
    }  # fmt: skip
    client.post(reverse("project-labels-add", args=["j"]), {"labels": "place", "of_spans": "on"})
    assert project.labels.get(name="place").of_spans
    other = client.post(reverse("project-create"), sent | {"task": "multi", "slug": "k", "span_labels": "p"})
    assert "of one kind" in other.content.decode()


def test_one_card_takes_labels_and_spans_and_an_empty_answer_is_said(
    joint: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    add_documents(joint, TEXT, "Hello.")
    client, keys = sign_in(annotator), dict(joint.labels.values_list("name", "pk"))
    page = client.get(reverse("label", args=["joint"])).content.decode()
    assert page.count('aria-pressed="false"') == 2
    card = Card.objects.latest("pk")
    sent = {"card": str(card.key), "outcome": "answered", "labels": [keys["asks"]]}
    spans = json.dumps([[0, 3, keys["person"]]]) if card.document.text == TEXT else "[]"
    client.post(reverse("label", args=["joint"]), sent | {"spans": spans})
    kept = Annotation.objects.get()
    assert kept.answer.labels == (keys["asks"],)
    assert len(kept.answer.spans) == (card.document.text == TEXT)

    client.get(reverse("label", args=["joint"]))
    card = Card.objects.latest("pk")
    nothing = {"card": str(card.key), "outcome": "answered", "spans": "[]"}
    told = client.post(reverse("label", args=["joint"]), nothing)
    assert Annotation.objects.count() == 1, told.content
    client.post(reverse("label", args=["joint"]), nothing | {"none": "1"})
    assert Annotation.objects.latest("pk").answer == Answer()


def test_a_file_brings_labels_and_spans_by_their_columns(
    joint: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    rows = [
        Row(1, {"text": TEXT, "labels": ["asks"], "spans": [{"start": 0, "end": 3, "label": "person"}]}),
        Row(2, {"text": "Hello.", "labels": [], "spans": []}),
    ]
    mapping = columns.guess(rows, find("joint"), has_labels=True)
    assert (mapping.text, mapping.label, mapping.spans) == ("text", "labels", "spans")
    first, second = mapping.rows(rows, find("joint"))
    assert first.answer == Answer(("asks",), (Span(0, 3, "person"),))
    assert second.answer == Answer()


def test_a_lead_answers_on_the_page_of_a_document(
    joint: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    (document,) = add_documents(joint, TEXT)
    keys, client = dict(joint.labels.values_list("name", "pk")), sign_in(lead)
    Annotation.objects.create(project=joint, document=document, annotator=annotator, outcome="answered").say(
        Answer((keys["asks"],), (Span(0, 3, keys["person"]),)), is_new=True
    )
    page = client.get(reverse("document", args=["joint", document.pk]))
    assert "asks" in page.content.decode()
    key = page.context["form"]["key"].value()
    answer = {"key": key, "as": "gold", "labels": [keys["thanks"]], "spans": f"[[0, 3, {keys['person']}]]"}
    assert client.post(reverse("document-answer", args=["joint", document.pk]), answer).status_code == 302
    gold = Annotation.objects.get(is_gold=True)
    assert gold.answer == Answer((keys["thanks"],), (Span(0, 3, keys["person"]),))
    swapped = answer | {"key": uuid.uuid4(), "labels": [keys["person"]], "spans": "[]"}
    refused = client.post(reverse("document-answer", args=["joint", document.pk]), swapped)
    assert "given to the whole document" in refused.content.decode()
