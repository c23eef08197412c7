"""The pages of archives: an administrator restores one, and a lead duplicates a project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotate.models import Document, Event, Export, Project, Restoration, User
from annotate.services.archives import job
from annotate.services.exports import job as exports

SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _home(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.TEMPORARY_ROOT = tmp_path / "uploads", tmp_path / "tmp"
    settings.BUNDLE_ROOT = tmp_path / "bundles"


@pytest.fixture
def administrator(lead: User) -> User:
    lead.is_superuser = True
    lead.save()
    return lead


def test_what_one_page_writes_another_restores(
    administrator: User, project: Project, sign_in: SignIn, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one text")
    client = sign_in(administrator)
    assert client.post("/projects/colours/export/start/", {"archive": "1"}).status_code == 302
    export = Export.objects.get(format="archive")
    exports.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error, export.rows) == ("succeeded", "", 1)
    written = client.get(f"/projects/colours/exports/{export.pk}/")
    content = b"".join(written.streaming_content)  # type: ignore[attr-defined]
    sent = client.post("/restore/", {"file": SimpleUploadedFile("colours.zip", content)})
    row = Restoration.objects.get()
    assert sent["Location"] == f"/restore/{row.pk}/"
    assert "Waiting for a worker" in client.get(sent["Location"]).content.decode()
    job.run(row.pk)
    page = client.get(sent["Location"]).content.decode()
    assert "/projects/colours-2/" in page
    told = Event.objects.filter(kind__in=["archive-uploaded", "project-restored"]).order_by("pk")
    assert [(event.kind, event.by, event.subject) for event in told] == [
        ("archive-uploaded", administrator, "colours.zip"),
        ("project-restored", administrator, "colours.zip"),
    ]


def test_a_file_that_is_no_archive_is_refused_at_once(
    administrator: User, project: Project, sign_in: SignIn
) -> None:
    answer = sign_in(administrator).post("/restore/", {"file": SimpleUploadedFile("a.zip", b"no")})
    assert answer.status_code == 422
    assert "no archive of a project" in answer.content.decode()
    assert not Restoration.objects.exists()


def test_a_lead_restores_nothing(lead: User, project: Project, sign_in: SignIn) -> None:
    client, row = sign_in(lead), Restoration.objects.create(name="a.zip")
    assert [client.get(where).status_code for where in ("/restore/", f"/restore/{row.pk}/")] == [404, 404]
    assert client.post("/restore/", {"file": SimpleUploadedFile("a.zip", b"no")}).status_code == 404


@pytest.mark.parametrize("documents", ["", "on"])
def test_a_lead_duplicates_a_project(lead: User, project: Project, sign_in: SignIn, documents: str) -> None:
    client = sign_in(lead)
    shown = client.get("/projects/colours/duplicate/").context["form"]
    sent = {"name": shown["name"].value(), "slug": shown["slug"].value(), "documents": documents}
    assert client.post("/projects/colours/duplicate/", sent)["Location"] == "/projects/colours-copy/"
    assert Restoration.objects.count() == bool(documents)
    made = Project.objects.get(slug="colours-copy")
    kinds = set(Event.objects.filter(project_id=made.pk, by=lead).values_list("kind", flat=True))
    assert kinds == {"project-created", "labels-added", "project-duplicated"}
    again = client.post("/projects/colours/duplicate/", sent)
    assert again.status_code == 422
    assert "exists already" in again.content.decode()
