"""A project begins with its file: what is found, what is guessed, and that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate import tasks
from annotate.models import Event, Import, Project, User
from annotate.models.members import Role
from annotate.services.imports import job, project_file

ROWS = b"id,review,sentiment,city\n1,so nice,good,Bonn\n2,so bad,bad,Kiel\n3,fine,good,Ulm\n4,hm,,Jena\n"


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(tasks, "send", Mock())


@pytest.fixture
def client(stranger: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(stranger)


def upload(client: Client, content: bytes = ROWS, name: str = "My reviews.csv") -> Import:
    answer = client.post(reverse("project-from-file"), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302, answer.context["file_form"].errors
    source = Import.objects.latest("pk")
    assert answer["Location"] == address(source)
    return source


def address(source: Import) -> str:
    return reverse("import-begin", args=[source.project.slug, source.pk])


def shown(client: Client, source: Import) -> dict[str, Any]:
    form = client.get(address(source)).context["form"]
    return {name: form[name].value() for name in form.fields}


def test_a_file_becomes_a_project_with_its_labels(client: Client, stranger: User) -> None:
    source = upload(client)
    fields = shown(client, source)
    assert fields == {
        "name": "My reviews", "slug": "my-reviews", "text": "review", "label": "sentiment", "spans": "",
        "task": "single", "separator": "",
    }  # fmt: skip
    found = client.get(address(source)).context["found"]
    assert (found.rows, found.labelled, found.labels, found.is_whole) == (
        4,
        3,
        [("good", 2), ("bad", 1)],
        True,
    )
    answer = client.post(address(source), fields | {"name": "Reviews", "slug": "reviews"})
    assert answer["Location"] == reverse("import", args=["reviews", source.pk])
    source.refresh_from_db()
    assert source.state == "queued"
    done = job.run(import_id=source.pk)
    assert done is not None
    project = Project.objects.get()
    assert (project.name, project.memberships.get(user=stranger).role) == ("Reviews", Role.LEAD)
    assert set(project.labels.values_list("name", flat=True)) == {"good", "bad"}
    assert (project.documents.count(), project.annotations.count()) == (4, 3)
    assert project.documents.get(external_id="1").meta == {"city": "Bonn"}
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["project-created", "uploaded", "settings-changed", "imported"]
    page = client.get(reverse("import", args=["reviews", source.pk])).content.decode()
    assert reverse("label", args=["reviews"]) in page


@pytest.mark.parametrize(
    ("content", "name", "task"),
    [
        (b"text,tags\na,red|blue\nb,blue\nc,red|green\nd,green\n", "a.csv", "multi"),
        (b'{"text": "a", "labels": ["red", "blue"]}\n{"text": "b", "labels": []}\n', "a.jsonl", "multi"),
        (b'text,label\na,"Bonn, Germany"\nb,"Ulm, Suebia"\nc,Kiel\n', "a.csv", "single"),
        (b"text\na\nb\n", "a.csv", "single"),
    ],
)
def test_the_task_is_guessed(client: Client, content: bytes, name: str, task: str) -> None:
    assert shown(client, upload(client, content, name))["task"] == task


def test_other_columns_and_another_task_are_counted_again_and_chosen(client: Client) -> None:
    source = upload(client, b"a,b,c\nsome words,x;y,red\nmore words,y,blue\n", "a.csv")
    chosen = {"name": "A", "slug": "a", "text": "c", "label": "b", "task": "multi", "separator": ";"}
    page = client.post(address(source), chosen | {"look": "1"})
    assert page.status_code == 200
    assert page.context["found"].labels == [("y", 2), ("x", 1)]
    assert page.context["form"]["text"].value() == "c"
    client.post(address(source), chosen)
    job.run(import_id=source.pk)
    project = Project.objects.get()
    assert (project.task, sorted(project.documents.values_list("text", flat=True))) == (
        "multi",
        ["blue", "red"],
    )
    assert project.annotations.filter(labels__name="y").count() == 2


def test_what_was_typed_stays_where_it_is_refused(client: Client, project: Project) -> None:
    source = upload(client)
    chosen = shown(client, source) | {"name": "Typed by hand", "slug": project.slug, "task": "multi"}
    page = client.post(address(source), chosen)
    assert page.status_code == 422
    assert "exists already" in page.content.decode()
    form = page.context["form"]
    assert [form[name].value() for name in ("name", "slug", "task")] == [
        "Typed by hand",
        project.slug,
        "multi",
    ]
    source.refresh_from_db()
    assert source.state == "uploaded"


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "a.csv"), (b"%PDF-1.4", "a.pdf"), (b"PK\x03\x04", "a.xlsx")]
)
def test_a_file_that_cannot_be_read_makes_no_project(
    client: Client, content: bytes, name: str, tmp_path: Path
) -> None:
    answer = client.post(reverse("project-from-file"), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 422
    assert answer.context["file_form"].errors["file"]
    assert not Project.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_two_files_of_one_name_are_two_projects(client: Client) -> None:
    assert [upload(client).project.slug for _time in range(2)] == ["my-reviews", "my-reviews-2"]


def test_it_is_begun_once(client: Client) -> None:
    source = upload(client)
    fields = shown(client, source)
    for _time in range(2):
        answer = client.post(address(source), fields)
        assert answer["Location"] == reverse("import", args=[source.project.slug, source.pk])
    assert Event.objects.filter(kind="imported").count() == 1


def test_a_large_file_is_counted_as_far_as_a_page_may_take(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_file, "MOST_ROWS", 2)
    source = upload(client)
    page = client.get(address(source))
    assert (page.context["found"].rows, page.context["found"].is_whole) == (2, False)
    assert "The first 2 rows were looked at" in page.content.decode()


def test_nobody_else_finds_it(client: Client, annotator: User, sign_in: Callable[[User], Client]) -> None:
    source = upload(client)
    for who in (sign_in(annotator), Client()):
        for answer in (who.get(address(source)), who.post(address(source))):
            assert answer.status_code in (404, 302)
            assert answer.status_code == 404 or answer["Location"].startswith(reverse("login"))
