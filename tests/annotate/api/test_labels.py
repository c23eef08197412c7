"""The labels of a project over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotate.models import BulkChange, Document, Event, Job, Label, Project, User
from annotate.services.projects import labels, merging
from tests.annotate.made.answered import answer

Api = Callable[..., Client]
ROOT = "/api/v1/projects/colours"
JSON = "application/json"


def _post(client: Client, address: str, sent: dict[str, Any] | None = None) -> Any:
    return client.post(f"{ROOT}/{address}", sent or {}, content_type=JSON)


@pytest.fixture
def red(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> Label:
    """The label that somebody has given the only document."""
    (text,) = add_documents(project, "one")
    answer(text, annotator, "red")
    return project.labels.get(name="red")


def test_a_label_is_made_changed_ordered_archived_and_restored(
    project: Project, lead: User, api: Api
) -> None:
    client = api(lead)
    made = _post(client, "labels", {"name": " pink\u200b", "description": "A light red."})
    pink = made.json()
    assert (made.status_code, pink["name"], pink["description"]) == (201, "pink", "A light red.")
    where = f"labels/{pink['id']}"
    changed = client.patch(f"{ROOT}/{where}", {"name": "rose", "hotkey": "P"}, content_type=JSON).json()
    assert (changed["name"], changed["description"], changed["hotkey"]) == ("rose", "A light red.", "p")
    ordered = _post(client, "labels/order", {"labels": [pink["id"]]}).json()
    assert [row["name"] for row in ordered] == ["rose", "red", "green", "blue"]
    assert _post(client, f"{where}/archive").json()["archived_at"]
    late = client.patch(f"{ROOT}/{where}", {"description": "late"}, content_type=JSON)
    assert (late.status_code, late.json()["detail"]) == (409, "The label “rose” was archived meanwhile.")
    assert _post(client, f"{where}/restore").json()["archived_at"] is None
    listed = client.get(f"{ROOT}/labels").json()["results"]
    assert [row["name"] for row in listed] == ["red", "green", "blue", "rose"]
    kinds = list(Event.objects.filter(project_id=project.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["labels-added", "label-changed", "labels-reordered", "label-archived", "label-restored"]


def test_what_one_leaves_out_stays_as_somebody_else_has_made_it(project: Project, lead: User) -> None:
    red = project.labels.get(name="red")
    edit = labels.LabelEdit(pk=red.pk, description="as a rose")
    Label.objects.filter(pk=red.pk).update(name="crimson")
    labels.update_labels(project=project, edits=[edit], by=lead)
    red.refresh_from_db()
    assert (red.name, red.description) == ("crimson", "as a rose")


@pytest.mark.parametrize(
    ("address", "sent", "status", "told"),
    [
        ("labels", {"name": "red"}, 409, "would exist twice"),
        ("labels", {"name": "\u200b"}, 409, "can be seen"),
        ("labels", {"name": "r" * 201}, 400, "200"),
        ("labels/order", {"labels": [999]}, 400, "no label with the id 999"),
        ("labels/RED/merge", {"into": 999}, 400, "by its id"),
        ("labels/RED/merge", {"into": "RED"}, 409, "another label"),
        ("labels/RED/merge", {"into": "GREEN"}, 409, "is archived"),
        ("labels/RED/split", {"labels": [{"name": "a"}, {"name": "a"}]}, 409, "two labels or more"),
        ("labels/RED/split", {"labels": [{"name": "a"}]}, 400, "at least 2"),
        ("labels/GREEN/split", {"labels": [{"name": "a"}, {"name": "b"}]}, 409, "is archived"),
        ("labels/RED/split", {"labels": [{"name": "a"}, {"name": "b"}], "people": ["stefan"]}, 400, "stefan"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_changes_nothing(
    address: str,
    sent: dict[str, Any],
    status: int,
    told: str,
    project: Project,
    lead: User,
    stranger: User,
    api: Api,
) -> None:
    red, green, _blue = project.labels.all()
    labels.archive_label(label=green)
    before = list(project.labels.values())
    keys = {"RED": red.pk, "GREEN": green.pk}
    for word, key in keys.items():
        address = address.replace(word, str(key))
    client = api(lead)
    events = Event.objects.count()
    refused = _post(client, address, {name: keys.get(str(value), value) for name, value in sent.items()})
    assert (refused.status_code, told in refused.content.decode()) == (status, True), refused.content
    assert (list(project.labels.values()), Event.objects.count()) == (before, events)


def test_a_merge_is_previewed_started_once_and_tells_how_far_it_is(
    project: Project, lead: User, red: Label, api: Api
) -> None:
    green = project.labels.get(name="green")
    client, where = api(lead), f"labels/{red.pk}/merge"
    preview = client.get(f"{ROOT}/{where}?into={green.pk}").json()
    assert (preview["state"], preview["answers"]) == ("previewed", 1)
    assert preview["consequences"] == merging.consequences(red, green)
    assert client.get(f"{ROOT}/{where}").status_code == 400
    assert not Job.objects.exists()
    assert project.labels.live().count() == 3
    for _time in range(2):
        started = _post(client, where, {"into": green.pk})
        assert (started.status_code, started.json()["state"]) == (202, "queued")
    assert Event.objects.filter(kind="label-merged").count() == 1
    job = Job.objects.get()
    Job.objects.filter(pk=job.pk).update(state="failed", error="No room is left.")
    failed = client.get(f"{ROOT}/{where}").json()
    assert (failed["state"], failed["error"], failed["answers"]) == ("failed", "No room is left.", 1)
    assert merging.move(project=project)
    done = client.get(f"{ROOT}/{where}").json()
    assert (done["state"], done["answers"], done["into"], done["error"]) == ("succeeded", 0, green.pk, "")


def test_a_program_that_calls_a_merged_label_by_its_old_name_means_what_it_became(
    project: Project, lead: User, annotator: User, add_documents: Callable[..., list[Document]], api: Api
) -> None:
    red, green, _blue = project.labels.all()
    (text,) = add_documents(project, "one")
    assert _post(api(lead), f"labels/{red.pk}/merge", {"into": green.pk}).status_code == 202
    kept = _post(api(annotator), "annotations", {"document": text.pk, "labels": ["red"]})
    assert (kept.status_code, kept.json()["labels"]) == (201, ["green"])
    labels.archive_label(label=green)
    refused = _post(api(annotator), "annotations", {"document": text.pk, "labels": ["red"]})
    assert refused.status_code in {400, 409}, refused.content


def test_a_split_makes_the_new_labels_and_a_list_of_the_documents(
    project: Project, lead: User, annotator: User, red: Label, api: Api
) -> None:
    sent = {"labels": [{"name": "crimson"}, {"name": "blue"}], "people": ["anton"]}
    split = _post(api(lead), f"labels/{red.pk}/split", sent)
    assert split.status_code == 202, split.content
    assert sorted(row["name"] for row in split.json()["labels"]) == ["blue", "crimson"]
    change = BulkChange.objects.get(pk=split.json()["bulk"])
    assert (change.state, change.keys, change.options["people"]) == (
        "queued",
        [project.documents.get().pk],
        [annotator.pk],
    )
    assert project.labels.get(pk=red.pk).archived_at
