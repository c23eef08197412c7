"""The members page: a removal is asked about, said what it does, and undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, Assignment, Document, Project, RemovedMember, User
from annotate.models.queue import AssignmentState
from annotate.services.people import api_keys

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]


def test_a_removal_asks_and_says_what_becomes_of_what_is_theirs(
    project: Project,
    lead: User,
    annotator: User,
    sign_in: SignIn,
    add_documents: Callable[..., list[Document]],
) -> None:
    first, second, third = add_documents(project, "one", "two", "three")
    for document in (first, second):
        Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="skipped")
    Assignment.objects.create(
        project=project, document=third, rank=1, state=AssignmentState.LEASED, annotator=annotator
    )
    member = project.memberships.get(user=annotator)
    browser, where = sign_in(lead), reverse("member-remove", args=[project.slug, member.pk])
    page = browser.get(where).content.decode()
    assert "The 2 decisions of theirs stay and count as before." in page
    assert "1 document that is with them now goes back to the queue." in page
    assert project.memberships.filter(user=annotator).exists()
    after = browser.post(where, follow=True).content.decode()
    assert "anton is no member any more." in after
    assert not project.memberships.filter(user=annotator).exists()
    assert browser.post(where).status_code == 404  # a second click


def test_the_members_page_offers_to_undo_a_removal_and_does_so(
    project: Project, lead: User, reviewer: User, sign_in: SignIn
) -> None:
    browser = sign_in(lead)
    browser.post(reverse("member-remove", args=[project.slug, project.memberships.get(user=reviewer).pk]))
    where = reverse("member-restore", args=[project.slug, RemovedMember.objects.get().pk])
    assert where in browser.get(reverse("project-members", args=[project.slug])).content.decode()
    page = browser.post(where, follow=True).content.decode()
    assert "rita is a member again." in page
    assert where not in page
    assert "undone already" in browser.post(where, follow=True).content.decode()


def test_a_removal_of_another_project_is_not_undone_here(
    project: Project, make_project: Callable[..., Project], lead: User, stranger: User, sign_in: SignIn
) -> None:
    other = RemovedMember.objects.create(project=make_project(slug="shapes"), user=stranger, role="lead")
    where = reverse("member-restore", args=[project.slug, other.pk])
    assert sign_in(lead).post(where).status_code == 404


def test_the_members_page_says_what_each_role_may_do(project: Project, lead: User, sign_in: SignIn) -> None:
    page = sign_in(lead).get(reverse("project-members", args=[project.slug])).content.decode()
    assert "changes no settings and no members" in page


def test_what_cannot_be_brought_back_asks_before_it_ends(
    project: Project, lead: User, sign_in: SignIn
) -> None:
    browser = sign_in(lead)
    key, _secret = api_keys.issue(user=lead, name="loader", scopes=["predict"])
    page = browser.get(reverse("api-key-revoke", args=[key.pk]))
    assert "Revoke the key “loader”" in page.content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
