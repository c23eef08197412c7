"""Feedback on predictions, and what the API tells of drift."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.api import predict
from annotate.models import Annotation, AskedText, Corridor, Document, Feedback, Project, User
from annotate.services.drift.counting import PredictionCounter
from annotate.services.people import api_keys
from tests.annotate.made.bundles import add_version
from tests.annotate.made.drift import make_alarm

Api = Callable[..., Client]
AddDocuments = Callable[..., list[Document]]
DRIFT = "/api/v1/projects/colours/drift"


@pytest.fixture(autouse=True)
def counter(monkeypatch: pytest.MonkeyPatch) -> PredictionCounter:
    """Counts that are written when a test says so."""
    counter = PredictionCounter()
    monkeypatch.setattr(predict, "COUNTER", counter)
    return counter


@pytest.fixture
def program(project: Project, annotator: User, api: Api, bundle_root: Path) -> Client:
    """A program that may ask the published model and send feedback, and nothing else."""
    add_version(project, bundle_root, number=4)
    return api(annotator, "predict", "feedback:write")


def ask(client: Client, *texts: str, slug: str = "colours") -> list[str]:
    body = {"texts": texts}
    answer = client.post(f"/api/v1/projects/{slug}/predict", body, content_type="application/json")
    return [one["id"] for one in answer.json()["predictions"]]


def give(client: Client, *feedback: dict[str, Any], slug: str = "colours") -> Any:
    address = f"/api/v1/projects/{slug}/predictions/feedback"
    return client.post(address, {"feedback": feedback}, content_type="application/json")


def test_each_prediction_has_an_id_of_its_own(program: Client) -> None:
    assert len(set(ask(program, "red", "red", "green"))) == 3


def test_a_text_that_is_known_gets_an_annotation_of_that_origin(
    program: Client, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "a green tree")
    (name,) = ask(program, "a green tree")
    (result,) = give(program, {"id": name, "labels": ["red"]}).json()["feedback"]
    annotation = Annotation.objects.get()
    assert result == {"id": name, "was_right": False, "annotation": annotation.pk, "detail": ""}
    assert (annotation.document, annotation.annotator, annotation.source) == (document, annotator, "feedback")
    assert [label.name for label in annotation.labels.all()] == ["red"]


def test_the_same_feedback_again_changes_nothing_and_another_one_is_refused(
    program: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "a green tree")
    (name,) = ask(program, "a green tree")
    first = give(program, {"id": name, "labels": ["green"]}, {"id": name, "labels": ["green"]})
    assert first.json() == give(program, *[{"id": name, "labels": ["green"]}] * 2).json()
    assert (Feedback.objects.count(), Annotation.objects.count()) == (1, 1)
    other = give(program, {"id": name, "labels": ["red"]})
    assert (other.status_code, other.json()["code"]) == (409, "feedback_differs")
    assert Feedback.objects.get().is_right


def test_a_text_that_is_kept_becomes_a_document_of_the_pool(
    program: Client, project: Project, counter: PredictionCounter
) -> None:
    Project.objects.update(holdout_share=1.0)
    Corridor.objects.create(project=project, window=500, texts_kept_until=timezone.localdate())
    names = ask(program, *(f"red {number}" for number in range(3)))
    counter.write()
    give(program, *({"id": name, "labels": ["red"]} for name in names))
    assert list(project.documents.values_list("lane", flat=True)) == ["pool"] * 3
    assert Annotation.objects.count() == 3


def test_of_a_text_that_nobody_keeps_only_the_answer_counts(
    program: Client, project: Project, counter: PredictionCounter
) -> None:
    (name,) = ask(program, "a red secret")
    counter.write()
    (result,) = give(program, {"id": name, "labels": ["red"]}).json()["feedback"]
    assert (result["was_right"], result["annotation"]) == (True, None)
    assert "the text is not kept" in result["detail"]
    assert not project.documents.exists()


def test_of_a_long_text_whose_beginning_is_kept_no_document_is_made(
    program: Client, project: Project, counter: PredictionCounter
) -> None:
    Corridor.objects.create(project=project, texts_kept_until=timezone.localdate())
    (name,) = ask(program, "red " * 600)
    counter.write()
    assert AskedText.objects.get().sha256 == ""
    assert give(program, {"id": name, "labels": ["red"]}).json()["feedback"][0]["annotation"] is None


def test_a_text_of_the_holdout_gets_no_annotation(
    program: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "a green tree", lane="holdout")
    (name,) = ask(program, "a green tree")
    (result,) = give(program, {"id": name, "labels": ["red"]}).json()["feedback"]
    assert "is in the holdout" in result["detail"]
    assert not Annotation.objects.exists()


def test_an_unknown_id_is_told_with_its_place_and_nothing_is_kept(program: Client) -> None:
    (name,) = ask(program, "red")
    changed = ("A" if name[0] != "A" else "B") + name[1:]
    for wrong in ("", "nonsense", "é", changed, name[:-1], "A" * 200):
        refused = give(program, {"id": name, "labels": ["red"]}, {"id": wrong, "labels": ["red"]})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == "#/feedback/1/id"
    assert not Feedback.objects.exists()


def test_an_id_of_another_project_is_unknown(
    program: Client, multi_project: Project, annotator: User, api: Api
) -> None:
    (name,) = ask(program, "red")
    assert (
        give(program, {"id": name, "labels": ["red"]}, slug="topics").json()["code"] == "unknown_prediction"
    )


def test_an_id_ends_after_a_month_and_a_clock_that_goes_back_does_no_harm(
    program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    old, new = ask(program, "red", "red")
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=30, minutes=1))
    assert "older than 30 days" in give(program, {"id": old, "labels": ["red"]}).json()["detail"]
    monkeypatch.setattr(timezone, "now", lambda: now - timedelta(days=2))
    assert give(program, {"id": new, "labels": ["red"]}).status_code == 200


def test_a_label_that_was_merged_since_is_the_one_that_it_became(program: Client, project: Project) -> None:
    (name,) = ask(program, "green")
    green, red = project.labels.get(name="green"), project.labels.get(name="red")
    project.labels.filter(pk=green.pk).update(archived_at=timezone.now(), merged_into=red)
    assert give(program, {"id": name, "labels": ["red"]}).json()["feedback"][0]["was_right"]


def test_it_needs_its_scope_an_answer_and_no_more_than_a_hundred_ids(
    program: Client, annotator: User, api: Api
) -> None:
    (name,) = ask(program, "red")
    others = [scope for scope in api_keys.Scope.values if scope != "feedback:write"]
    assert give(api(annotator, *others), {"id": name, "labels": ["red"]}).status_code == 403
    assert "needs `labels`" in give(program, {"id": name}).json()["detail"]
    assert give(program, *[{"id": name, "labels": ["red"]}] * 101).status_code == 400
    assert give(program).status_code == 400


def test_the_page_tells_live_accuracy_from_ten_answers_on(
    program: Client, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    names = ask(program, *["red"] * 10)
    for name in names[:9]:
        give(program, {"id": name, "labels": ["red"]})
    page = reverse("drift", args=[project.slug])
    assert "not measurable yet" in sign_in(lead).get(page).content.decode()
    give(program, {"id": names[9], "labels": ["green"]})
    shown = sign_in(lead).get(page).content.decode()
    assert "0.90 <span" in shown
    assert "(0.60–0.98)" in shown
    assert "chosen by whoever sends it" in shown


def test_windows_and_alarms_are_listed(project: Project, reviewer: User, api: Callable[..., Client]) -> None:
    alarm = make_alarm(project)
    client = api(reviewer)
    (window,) = client.get(f"{DRIFT}/windows").json()["results"]
    last = project.labels.get(name="blue").pk
    assert window["moved"][0] == {"label": last, "before": 0.1, "now": 0.7}
    assert (window["id"], window["texts"], window["is_outside"]) == (alarm.window_id, 100, True)
    (found,) = client.get(f"{DRIFT}/alarms").json()["results"]
    assert (found["id"], found["queued"], found["ended_at"]) == (alarm.pk, 50, None)


def test_texts_without_a_label_are_told_as_none(
    project: Project, reviewer: User, api: Callable[..., Client]
) -> None:
    alarm = make_alarm(project)
    alarm.window.moved = [["", 0.0, 0.4]]
    alarm.window.save()
    assert api(reviewer).get(f"{DRIFT}/windows").json()["results"][0]["moved"][0]["label"] is None


def test_a_lead_sees_an_alarm_and_ends_it(project: Project, lead: User, api: Callable[..., Client]) -> None:
    alarm, client = make_alarm(project), api(lead)
    seen = client.post(f"{DRIFT}/alarms/{alarm.pk}/seen").json()
    assert (seen["seen_by"], seen["ended_at"]) == ("lena", None)
    ended = client.post(f"{DRIFT}/alarms/{alarm.pk}/usual").json()
    assert ended["ended_by"] == "lena"
    assert client.post(f"{DRIFT}/alarms/{alarm.pk}/usual").json()["ended_at"] == ended["ended_at"]


def test_an_alarm_of_another_project_is_not_there(
    project: Project, multi_project: Project, lead: User, api: Callable[..., Client]
) -> None:
    alarm = make_alarm(multi_project)
    assert api(lead).post(f"{DRIFT}/alarms/{alarm.pk}/usual").status_code == 404
    assert multi_project.drift_alarms.open() is not None
