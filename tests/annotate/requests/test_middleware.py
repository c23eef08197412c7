"""Too large a body is refused before anything of it is kept; no answer is kept by a browser or a proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse

from annotate.models import Document, Project, User
from annotate.views.middleware import PAGE_BYTES

SignIn = Callable[[User], Client]
IMPORTS = "/projects/colours/imports/"
LARGE = b"text\n" + b"a red tree\n" * (PAGE_BYTES // 10)


@pytest.fixture(autouse=True)
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each file that Django begins to write to the disk."""
    found: list[str] = []
    before = TemporaryFileUploadHandler.new_file

    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        found.append(args[1])
        before(self, *args, **kwargs)

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", noted)
    return found


def send(client: Client, address: str, content: bytes = LARGE) -> Any:
    return client.post(address, {"file": SimpleUploadedFile("large.csv", content)})


def test_a_lead_uploads_a_large_file(project: Project, lead: User, sign_in: SignIn) -> None:
    assert send(sign_in(lead), IMPORTS).status_code == 302


@pytest.mark.usefixtures("project")
def test_nobody_else_fills_the_disk(
    lead: User, annotator: User, stranger: User, sign_in: SignIn, spooled: list[str]
) -> None:
    clients = [Client(), sign_in(annotator), sign_in(stranger)]
    assert [send(client, IMPORTS).status_code for client in clients] == [413, 413, 413]
    for address in ("/login/", "/admin/login/", "/projects/new/", "/projects/colours/settings/", "/logout/"):
        assert send(sign_in(lead), address).status_code == 413, address
    assert spooled == []


@pytest.mark.usefixtures("project")
def test_a_file_over_the_limit_is_refused_with_a_sentence(
    lead: User, sign_in: SignIn, settings: Any, spooled: list[str]
) -> None:
    settings.IMPORT_MAX_BYTES = 1024 * 1024
    response = send(sign_in(lead), IMPORTS)
    assert response.status_code == 413
    assert "larger than the 1 MB" in response.content.decode()
    assert spooled == []


@pytest.mark.parametrize("address", ["/login/", IMPORTS])
def test_a_body_without_a_length_is_refused(address: str, lead: User, sign_in: SignIn) -> None:
    response = sign_in(lead).post(address, {"a": "b"}, headers={"transfer-encoding": "chunked"})
    assert response.status_code == 411
    assert "Content-Length" in response.content.decode()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"headers": {"transfer-encoding": "Chunked"}}, 411, "length_required"),
        ({"CONTENT_LENGTH": "many"}, 400, "bad_length"),
        ({"CONTENT_LENGTH": str(21 * 1024**2)}, 413, "too_large"),
    ],
)
def test_the_api_says_so_as_a_problem(
    changes: dict[str, Any], status: int, code: str, client: Client
) -> None:
    response = client.post("/api/v1/projects", "{}", "application/json", **changes)
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["code"] == code


def test_no_page_and_no_export_is_kept(
    project: Project, lead: User, sign_in: SignIn, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "a text")
    client = sign_in(lead)
    export = reverse("export", args=[project.slug, "csv"])
    for address in ("/projects/", f"/projects/{project.slug}/label/", "/account/password/", "/admin/", export,
                    "/api/v1/docs", "/api/v1/projects", "/glossary/", "/nowhere/"):  # fmt: skip
        assert client.get(address)["Cache-Control"] == "no-store", address
    streamed = client.get(f"{export}?everything=1")
    assert streamed.streaming
    assert streamed["Cache-Control"] == "no-store"
    assert Client().get("/projects/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("door", ["/logout/", "/admin/logout/"])
def test_a_logout_clears_what_was_kept_but_not_the_outbox(door: str, lead: User, sign_in: SignIn) -> None:
    User.objects.update(is_staff=True)
    client = sign_in(lead)
    assert "Clear-Site-Data" not in client.get("/projects/")
    response = client.post(door)
    assert response["Clear-Site-Data"] == '"cache"'
    assert client.cookies["sessionid"].value == ""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"User-Agent": "a\0b"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=rot13"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}, 200),
    ],
)
@pytest.mark.parametrize("address", ["/login/", "/api/v1/projects"])
def test_headers_that_would_break_their_reader_are_refused(
    db: None, address: str, headers: dict[str, str], status: int
) -> None:
    response = Client().get(address, headers=headers)
    assert response.status_code == (401 if status == 200 and "api" in address else status)
