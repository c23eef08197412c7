from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.forms.constraints import ConstraintsForm
from annotate.forms.projects import SettingsForm, strategy_choices
from annotate.models import Annotation, Document, Event, Project, User
from annotate.models.members import Role
from tests.training.families.toy import TOY
from training.registry import FAMILIES
from training.tasks import MULTI, SINGLE


def test_a_project_is_created_from_typed_labels(sign_in: Callable[[User], Client], stranger: User) -> None:
    typed = "refund: wants money back\n\ncard\n"
    fields = {"name": "Bank", "slug": "bank", "task": "single", "labels": typed, "guidelines": "Be kind."}
    response = sign_in(stranger).post(reverse("project-create"), fields)
    assert response["Location"] == reverse("project", args=["bank"])
    project = Project.objects.get(slug="bank")
    assert list(project.labels.values_list("name", "description", "hotkey")) == [
        ("refund", "wants money back", "1"),
        ("card", "", "2"),
    ]
    assert project.memberships.get(user=stranger).role == Role.LEAD


def test_one_label_is_too_few_for_a_single_label_project(
    sign_in: Callable[[User], Client], stranger: User
) -> None:
    fields = {"name": "Bank", "slug": "bank", "task": "single", "labels": "card"}
    response = sign_in(stranger).post(reverse("project-create"), fields)
    assert "at least two labels" in response.content.decode()
    assert not Project.objects.exists()


def test_a_repeated_label_is_named_and_nothing_is_created(
    sign_in: Callable[[User], Client], stranger: User
) -> None:
    fields = {"name": "Bank", "slug": "bank", "task": "single", "labels": "card\ncard"}
    response = sign_in(stranger).post(reverse("project-create"), fields)
    assert "“card” is there twice" in response.content.decode()
    assert not Project.objects.exists()


def test_the_list_shows_only_projects_of_the_person(
    sign_in: Callable[[User], Client], lead: User, stranger: User, project: Project
) -> None:
    assert project.name in sign_in(lead).get(reverse("projects")).content.decode()
    assert project.name not in sign_in(stranger).get(reverse("projects")).content.decode()


def test_saved_settings_bump_the_guidelines_version(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    client, where = sign_in(lead), reverse("project-settings", args=[project.slug])
    form = client.get(where).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    client.post(where, {**fields, "guidelines": "Read twice.", "batch_size": 30})
    project.refresh_from_db()
    assert (project.guidelines_version, project.batch_size, project.strategy) == (2, 30, "")


def test_a_lead_chooses_which_metadata_stands_beside_the_text(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    client, where = sign_in(lead), reverse("project-settings", args=[project.slug])
    assert "card_metadata" not in client.get(where).context["form"].fields  # there is no metadata
    add_documents(project, "one")
    Document.objects.update(meta={f"key {n}": n for n in range(9)})
    form = client.get(where).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    client.post(where, {**fields, "card_metadata": ["key 1", "key 3"]})
    project.refresh_from_db()
    assert project.card_metadata == ["key 1", "key 3"]
    event = Event.objects.get(kind="settings-changed")
    assert event.details["changed"] == {"card_metadata": {"old": [], "new": ["key 1", "key 3"]}}
    for wrong in ([f"key {n}" for n in range(9)], ["nonsense"]):
        assert client.post(where, {**fields, "card_metadata": wrong}).status_code == 422


def test_a_lead_chooses_which_families_train_by_themselves(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    client, where = sign_in(lead), reverse("project-settings", args=[project.slug])
    form = client.get(where).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    assert fields["families"] == ["embedding", "tfidf"]
    client.post(where, {**fields, "families": ["tfidf"]})
    project.refresh_from_db()
    assert project.families == ["tfidf"]
    for wrong in ([], ["nonsense"]):
        refused = client.post(where, {**fields, "families": wrong})
        assert refused.context["form"].errors["families"]
    project.refresh_from_db()
    assert project.families == ["tfidf"]


@pytest.mark.parametrize("trait", [True, False])
def test_the_forms_say_of_a_family_what_its_entry_says(
    trait: bool, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, TOY.key, replace(TOY, is_slow=trait, explains=trait))
    slow = str(SettingsForm(instance=project).fields["families"].help_text)
    explaining = str(ConstraintsForm().fields["explainable"].help_text)
    assert (TOY.title in slow, TOY.title in explaining) == (trait, trait)


def test_a_strategy_of_the_other_task_is_not_offered() -> None:
    single, multi = (dict(strategy_choices(task)) for task in (SINGLE, MULTI))
    assert "margin" in single
    assert "label_turns" not in single
    assert "label_turns" in multi


def _label_fields(project: Project, **hotkeys: str) -> dict[str, str]:
    fields = {}
    for label in project.labels.live():
        fields[f"{label.pk}-name"] = label.name
        fields[f"{label.pk}-hotkey"] = hotkeys.get(label.name, label.hotkey)
        fields[f"{label.pk}-description"] = label.description
    return fields


def test_a_clash_of_keys_keeps_what_was_typed_and_says_why(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    where = reverse("project-labels", args=[project.slug])
    response = sign_in(lead).post(where, _label_fields(project, blue="1"))
    assert "“red” and “blue”" in response.content.decode()
    assert project.labels.get(name="blue").hotkey == "3"


def test_an_archived_label_moves_to_its_own_table(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    red = project.labels.get(name="red")
    client = sign_in(lead)
    response = client.post(reverse("project-label-archive", args=[project.slug, red.pk]), follow=True)
    assert [label.name for label in response.context["archived"]] == ["red"]
    client.post(reverse("project-label-restore", args=[project.slug, red.pk]))
    assert project.labels.live().filter(name="red").exists()


def test_the_last_lead_is_told_why_nothing_changed(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    own = project.memberships.get(user=lead)
    where = reverse("member-remove", args=[project.slug, own.pk])
    response = sign_in(lead).post(where, follow=True)
    assert "only lead" in response.content.decode()


def test_a_member_is_added_by_user_name(
    sign_in: Callable[[User], Client], lead: User, stranger: User, project: Project
) -> None:
    where = reverse("project-members", args=[project.slug])
    sign_in(lead).post(where, {"username": "stefan", "role": "annotator"})
    assert project.memberships.get(user=stranger).role == Role.ANNOTATOR


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    rows: list[Any] = []
    monkeypatch.setattr("annotate.tasks.wake", rows.extend)
    return rows


def save(client: Client, project: Project, **changes: object) -> None:
    """Send the settings page as it is shown, but for `changes`."""
    where = reverse("project-settings", args=[project.slug])
    form = client.get(where).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value is not None and value is not False}
    response = client.post(where, {**sent, **changes})
    assert response.status_code == 302, response.context["form"].errors


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"batch_size": 7}, ["rechoose"]),
        ({"strategy": "entropy"}, ["rechoose"]),
        ({"random_share": 0.5}, ["rechoose"]),
        ({"holdout_queue_share": 0.5}, ["rechoose"]),
        ({"name": "Another", "retrain_after": 3}, []),
    ],
)
def test_a_change_of_how_documents_are_chosen_reaches_the_queue(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    woken: list[Any],
    django_capture_on_commit_callbacks: Any,
    changes: dict[str, object],
    kinds: list[str],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        save(sign_in(lead), project, **changes)
    assert [row.kind for row in woken] == kinds


def test_another_aim_of_thresholds_lets_the_automatic_families_learn(
    sign_in: Callable[[User], Client],
    lead: User,
    multi_project: Project,
    add_documents: Callable[..., list[Document]],
    woken: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    client = sign_in(lead)
    with django_capture_on_commit_callbacks(execute=True):
        save(client, multi_project, objective="fbeta", objective_value=2)
    assert woken == []  # nothing was labelled yet
    (document,) = add_documents(multi_project, "one")
    Annotation.objects.create(project=multi_project, document=document, annotator=lead, outcome="answered")
    with django_capture_on_commit_callbacks(execute=True):
        save(client, multi_project, objective="f1", objective_value=1)
    assert {run.family for run in woken} == set(multi_project.families)


def test_settings_of_thresholds_are_shown_where_there_are_any(
    sign_in: Callable[[User], Client], lead: User, project: Project, multi_project: Project
) -> None:
    client = sign_in(lead)
    for one, has_thresholds in ((project, False), (multi_project, True)):
        html = client.get(reverse("project-settings", args=[one.slug])).content.decode()
        assert ('name="objective"' in html) is has_thresholds
        assert ("<legend>Thresholds</legend>" in html) is has_thresholds


def test_settings_say_what_happens_to_what_is_queued(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    form = sign_in(lead).get(reverse("project-settings", args=[project.slug])).context["form"]
    for name in ("strategy", "batch_size", "novel_share", "random_share", "holdout_queue_share"):
        assert "what waits in the queue is chosen again" in str(form.fields[name].help_text)
    for name in ("annotators_per_document", "suggestions", "lease_seconds", "holdout_share"):
        assert "change holds" in str(form.fields[name].help_text)
