"""Many documents changed at once over the API: previewed, started, watched, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotate.models import Annotation, BulkChange, Document, Project, User
from annotate.services.bulk import job

Api = Callable[..., Client]
AddDocuments = Callable[..., list[Document]]
BULK = "/api/v1/projects/colours/bulk"


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.tasks.wake", lambda rows: None)


def send(client: Client, where: str = "", **body: Any) -> Any:
    return client.post(BULK + where, body, content_type="application/json")


def test_a_lead_labels_what_fits_watches_it_and_undoes_it(
    lead: User, project: Project, api: Api, add_documents: AddDocuments
) -> None:
    add_documents(project, "a card", "a second card", "a letter")
    client = api(lead)
    asked = send(client, action="label", labels=["red"], filters={"q": "card"})
    assert asked.status_code == 201
    told = asked.json()
    assert (told["state"], told["hits"], told["changed"], told["stays"]) == ("previewed", 2, 2, {})
    assert not Annotation.objects.exists()
    where = f"/{told['id']}"
    assert send(client, f"{where}/start").json()["state"] == "queued"
    job.run(told["id"])
    told = client.get(BULK + where).json()
    assert (told["state"], told["progress"], told["changed"], told["undo"]) == ("succeeded", 1.0, 2, None)
    assert told["undo_until"]
    given = Annotation.objects.answered().values_list("annotator", "labels__name")
    assert list(given) == [(lead.pk, "red")] * 2
    assert send(client, f"{where}/undo").status_code == 202
    job.run(BulkChange.objects.latest("pk").pk)
    undone = client.get(BULK + where).json()["undo"]
    assert undone == {"state": "succeeded", "progress": 1.0, "error": "", "undone": 2, "kept": 0}
    assert not Annotation.objects.answered().exists()
    assert [one["id"] for one in client.get(BULK).json()["results"]] == [told["id"]]


def test_a_deletion_takes_the_number_that_the_preview_told(
    lead: User, project: Project, api: Api, add_documents: AddDocuments
) -> None:
    (document, _other) = add_documents(project, "a card", "a letter")
    client = api(lead)
    told = send(client, action="delete", documents=[document.pk]).json()
    assert told["documents"] == 1
    assert told["consequences"]
    for wrong in ({}, {"documents": 2}):
        assert send(client, f"/{told['id']}/start", **wrong).status_code == 400
    assert send(client, f"/{told['id']}/start", documents=1).status_code == 202
    assert send(client, f"/{told['id']}/undo").status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"action": "label", "labels": ["red"]},
        {"action": "label", "labels": ["red"], "filters": {}, "documents": [1]},
        {"action": "label", "labels": ["red", "blue"], "filters": {}},
        {"action": "label", "labels": ["word"], "filters": {}},
        {"action": "label", "filters": {}},
        {"action": "add", "labels": ["red"], "filters": {}},
        {"action": "undo", "filters": {}},
        {"action": "move", "filters": {}},
        {"action": "list", "name": "mine", "people": ["word"], "filters": {}},
        {"action": "delete", "filters": {"word": "x"}},
        {"action": "delete", "filters": {"lane": "nowhere"}},
        {"action": "delete", "documents": []},
    ],
)
def test_what_there_is_not_is_refused(lead: User, project: Project, api: Api, body: dict[str, Any]) -> None:
    assert send(api(lead), **body).status_code == 400
    assert not BulkChange.objects.exists()


def test_a_key_that_may_not_annotate_gives_no_labels_to_many(
    lead: User, project: Project, api: Api, add_documents: AddDocuments
) -> None:
    add_documents(project, "a card")
    client = api(lead, "documents:write")
    refused = send(client, action="label", labels=["red"], filters={})
    assert refused.status_code == 403
    assert "annotations:write" in refused.json()["detail"]
    assert send(client, action="move", lane="holdout", filters={}).status_code == 201
    assert send(client, action="return", filters={"q": "nowhere"}).status_code == 409
