"""A form that is refused keeps what was typed, and says at the top what has to be changed, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Label, Project, User
from annotate.services.people import api_keys
from annotate.services.people.api_keys import Scope
from annotate.services.projects import projects
from annotate.services.projects.refused import Refused

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
NEW = {
    "name": "Bank cards",
    "slug": "bank",
    "task": "single",
    "labels": "card\nloan",
    "guidelines": "Read on.",
}
INVISIBLE = ["\u200b", " \u2060 ", "\ufeff"]


def refused(response: Any, *expected: str) -> str:
    page: str = response.content.decode()
    assert response.status_code == 422
    assert page.count('error-summary"') == 1
    for words in expected:
        assert words in page
    return page


def test_a_short_name_that_is_taken_is_told_at_its_field(
    sign_in: SignIn, stranger: User, project: Project
) -> None:
    response = sign_in(stranger).post(reverse("project-create"), {**NEW, "slug": project.slug})
    refused(
        response,
        "Another project has this short name",
        'href="#id_slug"',
        "Bank cards",
        "card\nloan",
        "Read on.",
    )


def test_the_second_of_two_who_take_a_short_name_at_once_reads_the_same(
    sign_in: SignIn, stranger: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form has looked before the first one was stored, which is as if it had not looked."""
    monkeypatch.setattr("annotate.forms.projects.ProjectForm.validate_unique", lambda form: None)
    response = sign_in(stranger).post(reverse("project-create"), {**NEW, "slug": project.slug})
    refused(response, "“colours” exists already", 'href="#id_slug"')
    assert Project.objects.get() == project


def test_a_taken_short_name_leaves_the_transaction_usable(stranger: User, project: Project) -> None:
    with pytest.raises(Refused) as refusal:
        projects.create_project(by=stranger, name="x", slug=project.slug, task="single", labels=[])
    assert refusal.value.field == "slug"
    assert Project.objects.count() == 1


@pytest.mark.parametrize("name", INVISIBLE)
@pytest.mark.parametrize("field", ["name", "labels"])
def test_a_project_has_names_that_can_be_seen(sign_in: SignIn, stranger: User, field: str, name: str) -> None:
    response = sign_in(stranger).post(reverse("project-create"), {**NEW, field: f"{name}\n{name}"})
    refused(response, "can be seen", f'href="#id_{field}"')


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("a\na", "there twice"),
        ("x" * 201 + "\na", "201 characters"),
        ("a\n\u200b", "can be seen"),
        ("a\na\u200b", "there twice"),
    ],
)
def test_labels_that_cannot_be_are_told_and_stay_in_the_form(
    sign_in: SignIn, lead: User, project: Project, labels: str, told: str
) -> None:
    response = sign_in(lead).post(reverse("project-labels-add", args=[project.slug]), {"labels": labels})
    refused(response, told, labels.splitlines()[0], 'href="#id_labels"')
    assert project.labels.count() == 3


def test_a_label_that_is_there_already_is_told_and_stays_in_the_form(
    sign_in: SignIn, lead: User, project: Project
) -> None:
    response = sign_in(lead).post(
        reverse("project-labels-add", args=[project.slug]), {"labels": "red\nmauve"}
    )
    refused(response, "“red” would exist twice", "red\nmauve")


def _labels(project: Project, **changes: str) -> dict[str, str]:
    sent = {
        f"{label.pk}-{name}": getattr(label, name)
        for label in project.labels.all()
        for name in ("name", "hotkey")
    }
    return sent | changes


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("name", "green", "would exist twice"),
        ("hotkey", "2", "belongs to both"),
        ("name", "\u200b", "can be seen"),
        ("name", "x" * 201, "at most 200 characters"),
    ],
)
def test_a_label_that_cannot_be_so_is_told_and_what_was_typed_stays(
    sign_in: SignIn, lead: User, project: Project, name: str, value: str, told: str
) -> None:
    red = Label.objects.get(name="red")
    sent = _labels(project, **{f"{red.pk}-{name}": value, f"{red.pk}-description": "typed for long"})
    response = sign_in(lead).post(reverse("project-labels", args=[project.slug]), sent)
    refused(response, told, "typed for long")
    assert Label.objects.get(pk=red.pk).description == ""


def test_settings_keep_what_was_typed(sign_in: SignIn, lead: User, project: Project) -> None:
    sent = {"name": "\u200b", "guidelines": "Typed for long.", "size_mb": "1e305", "batch_size": "0"}
    response = sign_in(lead).post(reverse("project-settings", args=[project.slug]), sent)
    page = refused(response, "can be seen", "Typed for long.", "1e305", 'href="#id_batch_size"')
    assert "id_size_mb_error" in page


@pytest.mark.parametrize("beta", ["0", "-1", "1e300"])
def test_beta_is_a_number_that_means_something(
    sign_in: SignIn, lead: User, make_project: Callable[..., Project], beta: str
) -> None:
    topics = make_project(slug="topics", task="multi")
    sent = {"objective": "fbeta", "objective_value": beta}
    response = sign_in(lead).post(reverse("project-settings", args=[topics.slug]), sent)
    refused(response, "Beta is more than 0")


def test_a_member_who_is_not_there_is_told_at_the_field(
    sign_in: SignIn, lead: User, project: Project
) -> None:
    sent = {"username": "nobody", "role": "lead"}
    response = sign_in(lead).post(reverse("project-members", args=[project.slug]), sent)
    refused(response, "no account “nobody”", 'value="nobody"', 'href="#id_username"')


def test_two_keys_of_one_name_cannot_be_told_apart(sign_in: SignIn, lead: User) -> None:
    key, _secret = api_keys.issue(user=lead, name="nightly", scopes=[Scope.PREDICT])
    sent = {"name": "nightly", "scopes": [Scope.PREDICT], "days": "30"}
    client = sign_in(lead)
    refused(client.post(reverse("api-keys"), sent), "called “nightly” already", 'value="nightly"')
    api_keys.revoke(user=lead, pk=key.pk)
    assert client.post(reverse("api-keys"), sent).status_code == 302


def test_an_upload_without_a_file_and_a_wrong_password_are_told_at_the_top(
    sign_in: SignIn, lead: User, project: Project
) -> None:
    client = sign_in(lead)
    refused(client.post(reverse("imports", args=[project.slug]), {"x": "y"}), 'href="#id_file"')
    sent = {"old_password": "wrong", "new_password1": "a", "new_password2": "b"}
    refused(client.post(reverse("account-password"), sent), 'href="#id_old_password"')


def test_a_run_that_cannot_be_keeps_what_was_chosen(sign_in: SignIn, lead: User, project: Project) -> None:
    sent = {"family": "tfidf", "tfidf-head": "nonsense"}
    response = sign_in(lead).post(reverse("run-start", args=[project.slug]), sent)
    refused(response, 'href="#id_tfidf-head"', 'value="tfidf" selected')


def test_a_form_that_was_not_sent_yet_has_no_summary(sign_in: SignIn, lead: User, project: Project) -> None:
    client = sign_in(lead)
    for name in ("project-settings", "project-labels", "project-members", "imports", "runs"):
        assert "error-summary" not in client.get(reverse(name, args=[project.slug])).content.decode()


def test_a_thousand_labels_can_be_saved(sign_in: SignIn, lead: User, project: Project) -> None:
    Label.objects.bulk_create(Label(project=project, name=f"label {n}", position=n) for n in range(400))
    response = sign_in(lead).post(reverse("project-labels", args=[project.slug]), _labels(project))
    assert response.status_code == 302


@pytest.mark.parametrize("back", ["nonsense", "a\0b", "//elsewhere", "https://elsewhere/"])
def test_a_way_back_that_is_no_address_of_the_site_leads_to_the_documents(
    sign_in: SignIn, lead: User, project: Project, add_documents: Callable[..., Any], back: str
) -> None:
    (document,) = add_documents(project, "a")
    annotation = project.annotations.create(document=document, annotator=lead, outcome="skipped")
    address = reverse("document-return", args=[project.slug, annotation.pk])
    response = sign_in(lead).post(address, {"next": back})
    assert response["Location"] == reverse("documents", args=[project.slug])
