"""A project on whose texts people mark pieces: it is made, set up, labelled in, and each page opens."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.forms.bulk import offered
from annotate.models import Annotation, Card, Document, Project, User
from annotate.models.bulk import BulkAction

PAGES = (
    "project", "project-live", "project-settings", "project-labels", "project-members", "guidelines",
    "documents", "export-page", "imports", "runs", "versions", "reportcard", "label",
    "my-work", "handed-on", "project-duplicate", "drift",
)  # fmt: skip


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place"), task="span")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens(
    entities: Project,
    lead: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
    name: str,
) -> None:
    add_documents(entities, "Ada met Bob.")
    assert sign_in(lead).get(reverse(name, args=["entities"])).status_code == 200


def test_a_lead_makes_one_and_sets_it_up(lead: User, sign_in: Callable[[User], Client]) -> None:
    client = sign_in(lead)
    client.post(
        reverse("project-create"), {"name": "Names", "slug": "names", "task": "span", "labels": "person"}
    )
    page = client.get(reverse("project-settings", args=["names"]))
    form = page.context["form"]
    assert "marks_characters" in form.fields
    assert not {"llm_budget", "colour_labels", "objective"} & {*form.fields}
    sent = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "")}
    saved = client.post(reverse("project-settings", args=["names"]), sent | {"marks_characters": "on"})
    assert saved.status_code == 302, saved.context["form"].errors
    assert Project.objects.get(slug="names").marks_characters


def test_other_projects_have_no_setting_of_it(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    form = sign_in(lead).get(reverse("project-settings", args=[project.slug])).context["form"]
    assert "marks_characters" not in form.fields


def test_a_decision_is_sent_with_its_spans_and_a_broken_one_is_refused(
    entities: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    (document,) = add_documents(entities, "Ada met Bob.")
    client, where = sign_in(annotator), reverse("label", args=["entities"])
    label = entities.labels.get(name="person").pk
    card = Card.objects.create(document=document, annotator=annotator)
    sent = {"card": card.key, "outcome": "answered", "digest": document.sha256}
    for spans in ("nonsense", json.dumps([[0, 99, label]]), json.dumps([[0, 3, label], [0, 7, label]]), "[]"):
        client.post(where, sent | {"spans": spans}, headers={"HX-Request": "true"})
        assert not Annotation.objects.exists()
    client.post(where, sent | {"spans": json.dumps([[0, 3, label]])})
    assert Annotation.objects.get().spans.get().end == 3


def test_labels_are_given_to_many_texts_at_once_only_where_they_are_of_whole_texts(
    entities: Project, project: Project
) -> None:
    assert BulkAction.LABEL in offered(project)
    assert not {BulkAction.LABEL, BulkAction.ADD, BulkAction.REMOVE} & {*offered(entities)}
