"""Exports over the API: asked for, written by a worker, and downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.models import Document, Export, Project, User
from annotate.services.exports import job

Api = Callable[..., Client]
EXPORTS = "/api/v1/projects/colours/exports"


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.TEMPORARY_ROOT = tmp_path / "uploads", tmp_path / "tmp"


def ask(client: Client, **body: Any) -> Any:
    return client.post(EXPORTS, body, content_type="application/json")


def test_a_lead_asks_for_an_export_watches_it_and_takes_it(
    lead: User, project: Project, api: Api, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "in the pool")
    add_documents(project, "held out", lane="holdout")
    client = api(lead)
    asked = ask(client, format="csv", whole=True, parts=["meta"], filters={"lane": "holdout"})
    assert asked.status_code == 202
    pk = asked.json()["id"]
    assert client.get(f"{EXPORTS}/{pk}/file").json()["code"] == "not_ready"
    job.run(pk)
    told = client.get(f"{EXPORTS}/{pk}").json()
    assert (told["state"], told["progress"], told["rows"]) == ("succeeded", 1.0, 1)
    content = b"".join(client.get(f"{EXPORTS}/{pk}/file").streaming_content).decode()  # type: ignore[attr-defined]
    assert "held out" in content
    assert "in the pool" not in content
    assert [one["id"] for one in client.get(EXPORTS).json()["results"]] == [pk]


@pytest.mark.parametrize(
    "body",
    [
        {"format": "word"},
        {"format": "csv", "per": "word"},
        {"format": "csv", "parts": ["word"]},
        {"format": "csv", "filters": {"word": "x"}},
        {"format": "csv", "filters": {"lane": "nowhere"}},
    ],
)
def test_what_there_is_not_is_refused(lead: User, project: Project, api: Api, body: dict[str, Any]) -> None:
    assert ask(api(lead), **body).status_code == 400
    assert not Export.objects.exists()


def test_only_leads_ask_and_take(annotator: User, lead: User, project: Project, api: Api) -> None:
    export = Export.objects.create(project=project, format="csv")
    client = api(annotator)
    assert ask(client, format="csv").status_code == 404
    found = [
        client.get(f"{EXPORTS}{rest}").status_code for rest in ("", f"/{export.pk}", f"/{export.pk}/file")
    ]
    assert found == [404, 404, 404]


def test_a_key_of_another_scope_is_refused(lead: User, project: Project, api: Api) -> None:
    assert ask(api(lead, "predict"), format="csv").status_code == 403


def test_a_fourth_at_once_is_a_conflict(lead: User, project: Project, api: Api) -> None:
    client = api(lead)
    assert [ask(client, format="csv").status_code for _number in range(4)] == [202, 202, 202, 409]
