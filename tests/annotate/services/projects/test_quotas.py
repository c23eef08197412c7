"""One person adds so much in a day, and is told so in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from annotate.models import Import, Project, User
from annotate.services.projects import projects
from annotate.services.projects.refused import Refused

SignIn = Callable[[User], Client]


def make(by: User, slug: str) -> Project:
    return projects.create_project(by=by, name=slug, slug=slug, task="single", labels=[("a", "")])


def test_a_person_makes_so_many_projects_a_day(lead: User, annotator: User, settings: Any) -> None:
    settings.PROJECTS_PER_DAY = 2
    for slug in ("one", "two"):
        make(lead, slug)
    with pytest.raises(Refused, match="You may make 2 projects a day"):
        make(lead, "three")
    make(annotator, "three")
    Project.objects.filter(slug="one").update(created_at=timezone.now() - timedelta(hours=25))
    make(lead, "four")


def test_the_page_says_so_and_keeps_what_was_typed(lead: User, sign_in: SignIn, settings: Any) -> None:
    settings.PROJECTS_PER_DAY = 0
    fields = {"name": "Mine", "slug": "mine", "task": "single", "labels": "a\nb"}
    page = sign_in(lead).post("/projects/new/", fields).content.decode()
    assert "You may make 0 projects a day" in page
    assert 'value="Mine"' in page
    assert not Project.objects.exists()


def test_a_person_uploads_so_many_files_a_day(
    project: Project, make_project: Callable[..., Project], lead: User, sign_in: SignIn, settings: Any
) -> None:
    settings.UPLOADS_PER_DAY = 1
    client, other = sign_in(lead), make_project(slug="other")

    def upload(to: Project) -> Any:
        file = SimpleUploadedFile("mine.csv", b"text\na red tree\n")
        return client.post(f"/projects/{to.slug}/imports/", {"file": file})

    assert upload(project).status_code == 302
    refused = upload(other)
    assert refused.status_code == 422
    assert "You may upload 1 file a day" in refused.content.decode()
    assert Import.objects.count() == 1
    Import.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert upload(other).status_code == 302
