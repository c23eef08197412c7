"""Documents, annotations, exports, models and metrics: what a lead and an annotator get."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate import kinds, tasks
from annotate.models import Annotation, ClassMetric, Document, Import, ModelVersion, Project, User
from annotate.models.versions import Stage
from annotate.services.labeling import queue
from tests.annotate.made.bundles import add_version

Api = Callable[..., Client]
BASE = "/api/v1/projects/colours"


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep the messages that would go to the broker."""
    messages: list[str] = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: messages.append(kind.name))
    return messages


def post(client: Client, address: str, **body: Any) -> Any:
    return client.post(f"{BASE}{address}", body, content_type="application/json")


def test_projects_are_those_of_the_user(project: Project, annotator: User, stranger: User, api: Api) -> None:
    listed = api(annotator).get("/api/v1/projects").json()["results"]
    assert [row["slug"] for row in listed] == ["colours"]
    assert [label["name"] for label in listed[0]["labels"]] == ["red", "green", "blue"]
    assert api(stranger).get("/api/v1/projects").json()["results"] == []


def test_documents_go_in_and_again_change_nothing(
    project: Project, lead: User, api: Api, sent: list[str]
) -> None:
    client = api(lead)
    rows = [{"text": "a red tree", "external_id": "1", "labels": ["red"]}, {"text": "a sea"}]
    first = post(client, "/documents", documents=rows).json()
    assert (first["created"], first["broken"]) == (2, 0)
    assert "vectors" in sent
    again = post(client, "/documents", documents=rows).json()
    assert (again["created"], again["unchanged"]) == (0, 2)
    assert Document.objects.count() == 2
    assert Annotation.objects.get().annotator.is_machine


def test_a_broken_document_is_named_and_the_rest_goes_in(project: Project, lead: User, api: Api) -> None:
    rows = [{"text": "good"}, {"text": "\n"}]
    told = post(api(lead), "/documents", documents=rows).json()
    assert (told["created"], told["broken"]) == (1, 1)
    assert told["problems"][0]["index"] == 1
    assert "empty" in told["problems"][0]["reason"]


def test_a_document_is_kept_without_an_unknown_label_which_is_named(
    project: Project, lead: User, api: Api
) -> None:
    told = post(api(lead), "/documents", documents=[{"text": "good", "labels": ["mauve"]}]).json()
    assert (told["created"], told["broken"], told["missing_labels"]) == (1, 0, {"mauve": 1})
    assert not Annotation.objects.exists()


def test_a_document_is_kept_without_an_answer_that_it_cannot_have(
    project: Project, lead: User, api: Api
) -> None:
    rows = [{"text": "two", "labels": ["red", "blue"]}, {"text": "none", "labels": []}]
    told = post(api(lead), "/documents", documents=rows).json()
    assert (told["created"], told["broken"], sum(told["unfit_answers"].values())) == (2, 0, 2)
    assert "exactly one label; 2 are given. “blue”, “red”" in "".join(told["unfit_answers"])
    assert not Annotation.objects.exists()


def test_a_dry_run_stores_nothing(project: Project, lead: User, api: Api, sent: list[str]) -> None:
    told = post(api(lead), "/documents", documents=[{"text": "a"}], dry_run=True).json()
    assert told["created"] == 1
    assert not Document.objects.exists()
    assert not sent


@pytest.mark.parametrize("address", ["documents", "versions", "versions/1/metrics", "annotations/export.csv"])
def test_an_annotator_does_not_get_what_only_leads_see(
    address: str, project: Project, annotator: User, api: Api
) -> None:
    assert api(annotator).get(f"{BASE}/{address}").status_code == 404


def test_pages_stay_stable_while_documents_come_in(
    project: Project, lead: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    client = api(lead)
    known = [document.pk for document in add_documents(project, *"abcde")]
    first = client.get(f"{BASE}/documents?limit=2").json()
    Document.objects.filter(pk=known[0]).delete()
    later = add_documents(project, "f")[0].pk
    seen = [row["id"] for row in first["results"]]
    address = first["next"]
    while address:
        found = client.get(address).json()
        seen += [row["id"] for row in found["results"]]
        address = found["next"]
    assert seen == [*known, later]


def test_documents_are_found_by_lane(
    project: Project, lead: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "a", "b")
    held = add_documents(project, "c", lane="holdout")[0]
    client = api(lead)
    rows = client.get(f"{BASE}/documents?lane=holdout").json()["results"]
    assert [(row["id"], row["lane"]) for row in rows] == [(held.pk, "holdout")]
    assert client.get(f"{BASE}/documents?lane=fast").status_code == 400


def test_an_annotation_is_ones_own_and_said_to_come_by_api(
    project: Project, annotator: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    document = add_documents(project, "a red tree")[0]
    response = post(api(annotator), "/annotations", document=document.pk, labels=["red"], seconds=1.5)
    assert response.status_code == 201
    told = response.json()
    assert (told["annotator"], told["labels"], told["source"]) == ("anton", ["red"], "api")
    assert Annotation.objects.get().source == "api"


def test_the_same_request_again_changes_nothing(
    project: Project, annotator: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    document, client, key = add_documents(project, "a red tree")[0], api(annotator), str(uuid.uuid4())
    first = post(client, "/annotations", document=document.pk, labels=["red"], key=key)
    again = post(client, "/annotations", document=document.pk, labels=["red"], key=key)
    assert (again.status_code, again.json()) == (201, first.json())
    revised = post(client, "/annotations", document=document.pk, labels=["blue"])
    assert revised.json()["labels"] == ["blue"]
    assert Annotation.objects.count() == 1


@pytest.mark.parametrize(
    "other", [{"labels": ["blue"]}, {"labels": [], "outcome": "skipped"}, {"reason": "so it is"}]
)
def test_a_key_used_for_another_decision_is_refused(
    other: dict[str, Any],
    project: Project,
    annotator: User,
    api: Api,
    add_documents: Callable[..., list[Document]],
) -> None:
    document, client, key = add_documents(project, "a red tree")[0], api(annotator), str(uuid.uuid4())
    asked = {"document": document.pk, "labels": ["red"], "key": key}
    post(client, "/annotations", **asked)
    refused = post(client, "/annotations", **asked | other)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    assert str(document.pk) in refused.json()["detail"]
    assert Annotation.objects.get().labels.get().name == "red"


def test_a_key_used_for_another_document_is_refused_and_the_queue_stays(
    project: Project, annotator: User, lead: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    first, second = add_documents(project, "a red tree", "a red barn")
    queue.top_up(project=project)
    client, key = api(annotator), str(uuid.uuid4())
    post(client, "/annotations", document=first.pk, labels=["red"], key=key)
    refused = post(client, "/annotations", document=second.pk, labels=["red"], key=key)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    assert str(first.pk) in refused.json()["detail"]
    theirs = post(api(lead), "/annotations", document=first.pk, labels=["red"], key=key)
    assert (theirs.status_code, theirs.json()["code"]) == (409, "key_reused")
    assert str(first.pk) not in theirs.json()["detail"]  # what another person did is not told
    assert second.assignments.get().state == "waiting"
    assert [annotation.document for annotation in Annotation.objects.all()] == [first]


@pytest.mark.parametrize(("labels", "status"), [(["mauve"], 400), ([], 409), (["red", "blue"], 409)])
def test_an_answer_that_does_not_fit_the_project_is_refused(
    labels: list[str],
    status: int,
    project: Project,
    annotator: User,
    api: Api,
    add_documents: Callable[..., list[Document]],
) -> None:
    document = add_documents(project, "a")[0]
    assert post(api(annotator), "/annotations", document=document.pk, labels=labels).status_code == status
    assert not Annotation.objects.exists()


def test_an_answer_of_a_program_to_a_document_that_others_have_is_not_late(
    project: Project,
    annotator: User,
    lead: User,
    api: Api,
    add_documents: Callable[..., list[Document]],
) -> None:
    document = add_documents(project, "a")[0]
    assert queue.claim(project=project, annotator=lead) is not None
    post(api(annotator), "/annotations", document=document.pk, labels=["red"])
    assert not Annotation.objects.get().is_late


def test_an_empty_answer_has_to_be_said(
    make_project: Callable[..., Project],
    annotator: User,
    api: Api,
    add_documents: Callable[..., list[Document]],
) -> None:
    document = add_documents(make_project(task="multi"), "a")[0]
    client = api(annotator)
    refused = post(client, "/annotations", document=document.pk)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "#/labels")
    assert post(client, "/annotations", document=document.pk, outcome="skipped").status_code == 201
    assert post(client, "/annotations", document=document.pk, labels=[]).status_code == 201
    assert Annotation.objects.get().outcome == "answered"


def test_a_document_of_another_project_is_not_found(
    project: Project,
    multi_project: Project,
    annotator: User,
    api: Api,
    add_documents: Callable[..., list[Document]],
) -> None:
    other = add_documents(multi_project, "a")[0]
    assert post(api(annotator), "/annotations", document=other.pk, labels=["red"]).status_code == 404


def test_an_annotator_sees_own_annotations_and_a_lead_all(
    project: Project, annotator: User, lead: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    document = add_documents(project, "a")[0]
    for user in (annotator, lead):
        post(api(user), "/annotations", document=document.pk, labels=["red"])
    own = api(annotator).get(f"{BASE}/annotations").json()["results"]
    assert [row["annotator"] for row in own] == ["anton"]
    assert len(api(lead).get(f"{BASE}/annotations").json()["results"]) == 2


def test_exports_stream_what_was_decided(
    project: Project, lead: User, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    client = api(lead)
    document = add_documents(project, "=1+1", "undecided")[0]
    post(client, "/annotations", document=document.pk, labels=["red"])
    response = client.get(f"{BASE}/annotations/export.jsonl")
    lines = [json.loads(line) for line in b"".join(response).splitlines()]
    assert [(line["text"], line["labels"]) for line in lines] == [("=1+1", ["red"])]
    assert b"'=1+1" in b"".join(client.get(f"{BASE}/annotations/export.csv"))
    assert client.get(f"{BASE}/annotations/export.xml").status_code == 404


def test_a_lead_publishes_and_rolls_back(
    project: Project, lead: User, annotator: User, api: Api, bundle_root: Path, sent: list[str]
) -> None:
    add_version(project, bundle_root)
    add_version(project, bundle_root, number=2, stage=Stage.CANDIDATE)
    client = api(lead)
    assert post(api(annotator), "/versions/2/publish").status_code == 404
    assert post(client, "/versions/2/publish").json()["stage"] == "published"
    assert post(client, "/versions/roll-back", number=2).json()["code"] == "not_published"
    assert post(client, "/versions/roll-back", number="two").status_code == 400
    assert post(client, "/versions/roll-back", number=1).json()["number"] == 1
    assert post(client, "/versions/roll-back").json()["code"] == "not_published"
    assert sent == ["rescore", "rescore"]
    assert {row["number"]: row["stage"] for row in client.get(f"{BASE}/versions").json()["results"]} == {
        1: "published",
        2: "retired",
    }


def test_a_version_without_its_bundle_is_not_published(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    version = add_version(project, bundle_root, stage=Stage.CANDIDATE)
    (bundle_root / version.bundle / "model.onnx").unlink()
    response = post(api(lead), "/versions/1/publish")
    assert (response.status_code, response.json()["code"]) == (409, "not_published")
    assert post(api(lead), "/versions/roll-back").status_code == 409


def test_metrics_leave_out_what_cannot_be_measured(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    version = add_version(project, bundle_root)
    ModelVersion.objects.filter(pk=version.pk).update(holdout_documents=10, macro_f1=0.8)
    red, green, _blue = project.labels.all()
    ClassMetric.objects.create(version=version, label=red, threshold=0.5, support=9, f1=0.8)
    ClassMetric.objects.create(version=version, label=green, threshold=0.5, support=0)
    per_class = api(lead).get(f"{BASE}/versions/1/metrics").json()["per_class"]
    assert [(row["label"], row["f1"]) for row in per_class] == [("red", 0.8), ("green", None)]
    assert per_class[0]["reason"] == ""
    assert "no holdout document" in per_class[1]["reason"]


def test_a_figure_that_is_null_has_its_reason_beside_it(
    project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    version = add_version(project, bundle_root)
    version.holdout_documents, version.macro_f1 = 9, None
    version.save()
    client = api(lead)
    few = "measured from 10 holdout documents on; 9 so far"
    assert client.get(f"{BASE}/versions/1/metrics").json()["version"]["reason"] == few
    (row,) = client.get(f"{BASE}/versions").json()["results"]
    assert (row["macro_f1"], row["reason"]) == (None, few)
    version.holdout_documents, version.macro_f1 = 10, 0.8
    version.save()
    (row,) = client.get(f"{BASE}/versions").json()["results"]
    assert (row["macro_f1"], row["reason"]) == (0.8, "")


@pytest.mark.usefixtures("project")
def test_versions_answer_at_their_former_address_too(api: Callable[[User], Client], lead: User) -> None:
    former, now = (api(lead).get(f"{BASE}/{word}") for word in ("models", "versions"))
    assert former.status_code == now.status_code == 200
    assert former.json()["results"] == now.json()["results"]


def test_documents_that_come_in_are_told_with_their_lanes(project: Project, lead: User, api: Api) -> None:
    texts = [chr(97 + i % 26) * (1 + i // 26) for i in range(100)]
    sent = {"documents": [{"text": text} for text in texts]}
    answer = api(lead).post(f"{BASE}/documents", sent, content_type="application/json").json()
    assert (answer["created"], answer["pool"], answer["holdout"]) == (100, 90, 10)


def test_an_import_is_undone_and_deleted(
    project: Project, lead: User, annotator: User, api: Api, sent: list[str]
) -> None:
    source = Import.objects.create(project=project, name="mine.csv", state="succeeded", created=1)
    document = Document.objects.create(project=project, text="a", sha256="0" * 64, lane="pool", source=source)
    client, address = api(lead), f"{BASE}/imports/{source.pk}"
    assert [row["name"] for row in client.get(f"{BASE}/imports").json()["results"]] == ["mine.csv"]
    Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="skipped")
    refused = client.post(f"{address}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_taken_back")
    assert sent == []
    for _time in range(2):
        answer = client.delete(address)
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["removal"]) == ("queued", "documents")
    assert sent == ["import_file"]
    list(kinds.import_file(source.pk))
    told = client.get(address).json()
    assert (told["state"], told["removed"], project.documents.count()) == ("succeeded", 1, 0)
