from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, AnnotationLabel, Document, Membership, Project, User
from annotate.services.pages import history

SignIn = Callable[[User], Client]
AddDocuments = Callable[..., list[Document]]
PAGES = ("label-history", "my-work")


@pytest.fixture
def decided(project: Project, annotator: User, lead: User, add_documents: AddDocuments) -> list[Annotation]:
    """Three decisions of the annotator and one of the lead."""
    made = []
    for text, name in (("one", "red"), ("two", "green"), ("three", "red"), ("of the lead", "red")):
        (document,) = add_documents(project, text)
        by = lead if text == "of the lead" else annotator
        made.append(
            Annotation.objects.create(project=project, document=document, annotator=by, outcome="answered")
        )
        AnnotationLabel.objects.create(annotation=made[-1], label=project.labels.get(name=name))
    return made


def texts(html: str) -> list[str]:
    return re.findall(r'class="decision-text" dir="auto">([^<]*)<', html)


@pytest.mark.parametrize("name", PAGES)
def test_own_decisions_are_listed_newest_first_and_by_label(
    name: str, project: Project, annotator: User, decided: list[Annotation], sign_in: SignIn
) -> None:
    client, address = sign_in(annotator), reverse(name, args=[project.slug])
    assert texts(client.get(address).content.decode()) == ["three", "two", "one"]
    red = project.labels.get(name="red").pk
    assert texts(client.get(address, {"label": red}).content.decode()) == ["three", "one"]
    assert texts(client.get(address, {"before": decided[2].pk}).content.decode()) == ["two", "one"]
    assert texts(client.get(address, {"label": "x", "before": "9" * 40}).content.decode())[0] == "three"


@pytest.mark.parametrize("name", PAGES)
def test_a_member_sees_their_own_and_a_stranger_nothing(
    name: str, project: Project, lead: User, stranger: User, decided: list[Annotation], sign_in: SignIn
) -> None:
    address = reverse(name, args=[project.slug])
    assert texts(sign_in(lead).get(address).content.decode()) == ["of the lead"]
    assert sign_in(stranger).get(address).status_code == 404
    assert Client().get(address).status_code in (302, 404)


def test_pages_follow_each_other_without_a_gap(
    project: Project,
    annotator: User,
    decided: list[Annotation],
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "PAGE", 2)
    client, address = sign_in(annotator), reverse("my-work", args=[project.slug])
    first = client.get(address).content.decode()
    assert texts(first) == ["three", "two"]
    older = re.search(r'href="(\?before=\d+)"', first)
    assert older
    second = client.get(address + older[1]).content.decode()
    assert texts(second) == ["one"]
    assert "?before=" not in second


def test_a_decision_is_opened_by_whoever_made_it_and_nobody_else(
    project: Project, annotator: User, stranger: User, decided: list[Annotation], sign_in: SignIn
) -> None:
    address = reverse("label", args=[project.slug])
    shown = sign_in(annotator).get(address, {"open": decided[0].pk})
    assert f'data-annotation="{decided[0].pk}"' in shown.content.decode()
    assert sign_in(annotator).get(address, {"open": decided[3].pk}).status_code == 404
    assert sign_in(annotator).get(address, {"open": "x"}).status_code == 404
    Membership.objects.filter(user=annotator).delete()
    assert sign_in(annotator).get(address, {"open": decided[0].pk}).status_code == 404
    assert sign_in(stranger).get(address, {"open": decided[0].pk}).status_code == 404


def test_a_long_text_is_listed_by_its_beginning(
    project: Project, annotator: User, add_documents: AddDocuments, sign_in: SignIn
) -> None:
    (document,) = add_documents(project, "<b>" + "x" * 70_000)
    Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="skipped")
    listed = sign_in(annotator).get(reverse("label-history", args=[project.slug])).content.decode()
    assert "&lt;b&gt;" in listed
    assert "Skipped" in listed
    assert len(listed) < 2000
