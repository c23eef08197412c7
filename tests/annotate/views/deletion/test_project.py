from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Card, Document, Project, Removal, User

SignIn = Callable[[User], Client]


@pytest.fixture
def address(project: Project) -> str:
    return reverse("project-delete", args=[project.slug])


def test_the_page_counts_what_goes_and_changes_nothing(
    sign_in: SignIn,
    lead: User,
    project: Project,
    address: str,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, "one", "two", "three")
    page = sign_in(lead).get(address).content.decode()
    assert "<dt>Documents</dt><dd>3</dd>" in page
    assert Project.objects.of(lead).exists()


@pytest.mark.parametrize("typed", ["", "colours", "Colour", "Colours 2"])
def test_another_name_deletes_nothing(
    typed: str, sign_in: SignIn, lead: User, project: Project, address: str
) -> None:
    response = sign_in(lead).post(address, {"name": typed})
    assert response.status_code == 422
    assert Project.objects.of(lead).exists()


@pytest.mark.parametrize("name", ["Colours", "Цвета й 😀", "A  B"])
def test_its_name_deletes_it_however_its_letters_are_put_together(
    name: str, sign_in: SignIn, lead: User, project: Project, address: str
) -> None:
    Project.objects.update(name=name)
    browser = sign_in(lead)
    response = browser.post(address, {"name": f" {name} "})
    assert response["Location"] == reverse("projects")
    assert "is deleted" in browser.get(reverse("projects")).content.decode()
    assert Removal.objects.count() == 1
    assert browser.get(reverse("project", args=["colours"])).status_code == 404


def test_an_administrator_deletes_it_and_an_annotator_does_not(
    sign_in: SignIn, annotator: User, stranger: User, admin_user: User, address: str
) -> None:
    for person in (annotator, stranger):
        assert sign_in(person).post(address, {"name": "Colours"}).status_code == 404
    assert sign_in(admin_user).post(address, {"name": "Colours"}).status_code == 302
    assert Removal.objects.exists()


def test_a_card_of_a_deleted_project_opens_nothing(
    sign_in: SignIn,
    lead: User,
    annotator: User,
    project: Project,
    address: str,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "one")
    card = Card.objects.create(document=document, annotator=annotator)
    sign_in(lead).post(address, {"name": "Colours"})
    for slug in ("colours", "-"):
        where = reverse("label-why", args=[slug, card.key])
        assert sign_in(annotator).get(where).status_code == 404
