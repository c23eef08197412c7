from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Document, Event, Membership, Project, SavedView, User
from annotate.models.members import Role
from annotate.services.documents import saved_views

SignIn = Callable[[User], Client]


@pytest.fixture
def reviewer(project: Project) -> User:
    user = User.objects.create_user("rita", password="correct horse battery")
    Membership.objects.create(project=project, user=user, role=Role.REVIEWER)
    return user


def test_a_view_is_saved_with_its_filters_order_and_columns_and_opened_by_its_link(
    sign_in: SignIn, lead: User, project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "short", "a longer text")
    client, where = sign_in(lead), reverse("saved-views", args=[project.slug])
    query = "q=t&sort=length&column=length&column=meta%3Aa.b&after=5_1&colour=red"
    assert client.get(f"{where}?{query}").status_code == 200
    response = client.post(f"{where}?{query}", {"name": "Texts with a t"})
    view = SavedView.objects.get()
    assert view.query == "q=t&sort=length&column=length&column=meta%3Aa.b"
    assert response["Location"] == f"{reverse('documents', args=[project.slug])}?{view.query}"
    page = client.get(response["Location"])
    assert [row.document.text for row in page.context["rows"]] == ["short", "a longer text"]
    assert 'aria-current="page">Texts with a t</a>' in page.content.decode()
    assert not Event.objects.exists()  # what somebody keeps for themselves is nobody else's concern


def test_a_view_is_its_owners_alone_until_a_lead_saves_it_for_the_project(
    sign_in: SignIn, lead: User, reviewer: User, project: Project
) -> None:
    where = reverse("saved-views", args=[project.slug])
    sign_in(lead).post(f"{where}?lane=pool", {"name": "Ours", "is_shared": "on"})
    sign_in(lead).post(f"{where}?lane=pool", {"name": "Mine"})
    # A reviewer who sends what the form does not offer keeps the view for themselves.
    sign_in(reviewer).post(f"{where}?lane=pool", {"name": "Hers", "is_shared": "on"})
    documents = reverse("documents", args=[project.slug])
    seen = {
        user: [view.name for view in sign_in(user).get(documents).context["views"]]
        for user in (lead, reviewer)
    }
    assert seen == {lead: ["Mine", "Ours"], reviewer: ["Hers", "Ours"]}
    assert Event.objects.get().subject == "Ours"


def test_nobody_changes_a_view_that_is_not_theirs(
    sign_in: SignIn, lead: User, reviewer: User, annotator: User, project: Project
) -> None:
    ours, mine, hers = (
        saved_views.save(project=project, by=by, name=name, query="lane=pool", is_shared=name == "Ours")
        for by, name in ((lead, "Ours"), (lead, "Mine"), (reviewer, "Hers"))
    )
    for user, view, expected in (
        (reviewer, ours, 404),
        (reviewer, mine, 404),
        (annotator, ours, 404),
        (lead, hers, 404),
        (reviewer, hers, 302),
        (lead, mine, 302),
        (lead, ours, 302),
    ):
        for name, sent in (("saved-view-rename", {"name": f"{view.name} again"}), ("saved-view-delete", {})):
            address = reverse(name, args=[project.slug, view.pk])
            assert sign_in(user).post(address, sent).status_code == expected
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 101, "a\0b", "Ours"])
def test_a_name_that_cannot_be_is_told_and_stays_in_the_form(
    sign_in: SignIn, lead: User, project: Project, name: str
) -> None:
    client, where = sign_in(lead), reverse("saved-views", args=[project.slug])
    view = saved_views.save(project=project, by=lead, name="Ours", query="", is_shared=True)
    other = saved_views.save(project=project, by=lead, name="Other", query="", is_shared=True)
    response = client.post(f"{where}?lane=pool", {"name": name, "is_shared": "on"})
    assert response.status_code == 422
    assert response.context["form"].errors["name"]
    assert response.context["form"]["name"].value() == name
    renamed = client.post(reverse("saved-view-rename", args=[project.slug, other.pk]), {"name": name})
    assert renamed.status_code == 422
    assert 'class="field-error"' in renamed.content.decode()
    assert set(SavedView.objects.values_list("pk", "name")) == {(view.pk, "Ours"), (other.pk, "Other")}


def test_a_view_of_a_label_that_is_gone_and_of_a_filter_that_was_removed_says_so(
    sign_in: SignIn, lead: User, project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "a text")
    query = "label=987654&colour=red&column=hue&sort=size"
    saved_views.save(project=project, by=lead, name="Old", query=query, is_shared=False)
    client = sign_in(lead)
    assert client.get(reverse("saved-views", args=[project.slug])).status_code == 200
    page = client.get(f"{reverse('documents', args=[project.slug])}?{query}")
    assert page.status_code == 200
    assert list(page.context["form"].errors) == ["label"]
    assert set(page.context["table"].errors) == {"column", "sort"}
    assert "The address asks for “colour”, which this page does not know" in page.content.decode()


def test_a_view_that_is_too_long_and_one_too_many_are_refused(
    sign_in: SignIn, lead: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, where = sign_in(lead), reverse("saved-views", args=[project.slug])
    assert client.post(f"{where}?q={'x' * 4000}", {"name": "Long"}).status_code == 422
    monkeypatch.setattr(saved_views, "MOST", 1)
    assert client.post(f"{where}?q=x", {"name": "One"}).status_code == 302
    assert client.post(f"{where}?q=x", {"name": "Two"}).status_code == 422
    assert SavedView.objects.count() == 1
