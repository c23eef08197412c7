from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from annotate.models import Document, Import, Project, User

SignIn = Callable[[User], Client]
Add = Callable[..., list[Document]]


def test_a_lead_deletes_a_document_after_a_page_that_asks(
    sign_in: SignIn, lead: User, project: Project, add_documents: Add
) -> None:
    first, second = add_documents(project, "<b>one</b>", "two")
    browser, address = sign_in(lead), reverse("document-delete", args=[project.slug, first.pk])
    assert address in browser.get(reverse("document", args=[project.slug, first.pk])).content.decode()
    page = browser.get(address).content.decode()
    assert "&lt;b&gt;one" in page
    assert Document.objects.count() == 2
    assert browser.post(address)["Location"] == reverse("documents", args=[project.slug])
    assert list(Document.objects.all()) == [second]
    assert browser.post(address).status_code == 404


def test_what_its_holdout_means_is_said(
    sign_in: SignIn, lead: User, project: Project, add_documents: Add
) -> None:
    (document,) = add_documents(project, "one", lane="holdout")
    page = sign_in(lead).get(reverse("document-delete", args=[project.slug, document.pk]))
    assert "one document less" in page.content.decode()


def test_who_does_not_lead_its_project_deletes_nothing(
    sign_in: SignIn,
    lead: User,
    annotator: User,
    stranger: User,
    project: Project,
    make_project: Callable[..., Project],
    add_documents: Add,
) -> None:
    (document,) = add_documents(project, "one")
    for person in (annotator, stranger):
        where = reverse("document-delete", args=[project.slug, document.pk])
        assert sign_in(person).post(where).status_code == 404
    other = make_project(slug="shapes")
    where = reverse("document-delete", args=[other.slug, document.pk])
    assert sign_in(lead).post(where).status_code == 404
    assert Document.objects.exists()


def test_a_running_import_is_named_as_the_reason(
    sign_in: SignIn, lead: User, project: Project, add_documents: Add
) -> None:
    (document,) = add_documents(project, "one")
    Import.objects.create(project=project, name="mine.csv", state="running")
    where = reverse("document-delete", args=[project.slug, document.pk])
    page = sign_in(lead).post(where, follow=True)
    assert "An import is under way" in page.content.decode()
    assert Document.objects.exists()
