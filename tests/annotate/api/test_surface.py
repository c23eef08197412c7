"""What every address of the API has in common: tokens, scopes, errors and the description of it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from annotate.models import ApiKey, Project, User
from annotate.services.people import api_keys
from annotate.services.versions import predictions

Api = Callable[..., Client]
PREDICT = "/api/v1/projects/colours/predict"
TYPE = "application/problem+json"
OPERATIONS = {
    "give_feedback",
    "list_drift_windows",
    "list_drift_alarms",
    "see_drift_alarm",
    "take_drift_as_usual",
    "read_model_card",
    "annotate",
    "list_bulk_changes",
    "preview_bulk_change",
    "read_bulk_change",
    "start_bulk_change",
    "undo_bulk_change",
    "delete_imported",
    "ask_for_export",
    "download_export",
    "export_annotations",
    "list_exports",
    "read_export",
    "list_annotations",
    "archive_label",
    "change_label",
    "create_label",
    "list_labels",
    "merge_label",
    "order_labels",
    "read_label",
    "read_merge",
    "restore_label",
    "split_label",
    "add_member",
    "change_document",
    "change_role",
    "comment",
    "delete_document",
    "invite",
    "list_comments",
    "list_events",
    "list_invitations",
    "list_members",
    "read_document",
    "remove_member",
    "revoke_invitation",
    "list_documents",
    "list_imports",
    "list_versions",
    "list_projects",
    "predict",
    "publish_version",
    "read_import",
    "read_metrics",
    "read_project",
    "roll_back",
    "store_documents",
    "undo_import",
}


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == TYPE
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    return body


def test_without_a_token_it_asks_for_one(client: Client, project: Project) -> None:
    response = client.get("/api/v1/projects")
    problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_session_is_no_token(lead: User, project: Project, sign_in: Callable[[User], Client]) -> None:
    problem(sign_in(lead).get("/api/v1/projects"), 401, "not_authenticated")


def test_a_project_names_the_families_that_train_by_themselves(
    annotator: User, project: Project, api: Api
) -> None:
    body = api(annotator).get("/api/v1/projects/colours").json()
    assert body["families"] == ["embedding", "tfidf"]


@pytest.mark.parametrize("secret", ["", "winnow_0_wrong", "é", "x" * 5000])
def test_a_wrong_token_is_refused(secret: str, client: Client, project: Project) -> None:
    response = client.get(
        "/api/v1/projects", headers={"authorization": f"Bearer {secret}".encode().decode("latin-1")}
    )
    problem(response, 401, "authentication_failed")


def test_an_expired_token_is_refused(lead: User, api: Api) -> None:
    client = api(lead)
    assert client.get("/api/v1/projects").status_code == 200
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem(client.get("/api/v1/projects"), 401, "authentication_failed")


def test_a_revoked_token_is_refused(lead: User, api: Api) -> None:
    client = api(lead)
    assert api_keys.revoke(user=lead, pk=lead.api_keys.get().pk)
    problem(client.get("/api/v1/projects"), 401, "authentication_failed")


def test_a_token_of_a_user_who_left_is_refused(lead: User, api: Api) -> None:
    client = api(lead)
    User.objects.filter(pk=lead.pk).update(is_active=False)
    problem(client.get("/api/v1/projects"), 401, "authentication_failed")


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [
        ("post", "predict", "predict"),
        ("post", "predictions/feedback", "feedback:write"),
        ("get", "documents", "documents:read"),
        ("post", "documents", "documents:write"),
        ("get", "documents/1", "documents:read"),
        ("patch", "documents/1", "documents:write"),
        ("delete", "documents/1", "documents:write"),
        ("get", "documents/1/comments", "documents:read"),
        ("post", "documents/1/comments", "documents:write"),
        ("get", "events", "events:read"),
        ("post", "labels", "labels:write"),
        ("patch", "labels/1", "labels:write"),
        ("get", "labels/1/merge", "labels:write"),
        ("post", "labels/1/merge", "labels:write"),
        ("get", "members", "members:read"),
        ("post", "members", "members:write"),
        ("patch", "members/1", "members:write"),
        ("delete", "members/1", "members:write"),
        ("get", "invitations", "members:read"),
        ("post", "invitations", "members:write"),
        ("delete", "invitations/1", "members:write"),
        ("get", "annotations", "annotations:read"),
        ("post", "annotations", "annotations:write"),
        ("get", "annotations/export.jsonl", "annotations:read"),
        ("get", "versions", "models:read"),
        ("get", "versions/1/metrics", "models:read"),
        ("get", "versions/1/card", "models:read"),
        ("get", "drift/windows", "models:read"),
        ("get", "drift/alarms", "models:read"),
        ("post", "drift/alarms/1/seen", "models:write"),
        ("post", "drift/alarms/1/usual", "models:write"),
        ("post", "versions/1/publish", "models:write"),
        ("post", "versions/roll-back", "models:write"),
    ],
)
def test_each_address_needs_its_scope(
    method: str, address: str, scope: str, lead: User, project: Project, api: Api
) -> None:
    others = [other for other in api_keys.Scope.values if other != scope]
    send = getattr(api(lead, *others), method)
    refused = send(f"/api/v1/projects/colours/{address}", content_type="application/json")
    assert scope in problem(refused, 403, "permission_denied")["detail"]


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", ""),
        ("post", "/predict"),
        ("get", "/documents"),
        ("post", "/documents"),
        ("get", "/documents/1"),
        ("patch", "/documents/1"),
        ("delete", "/documents/1"),
        ("post", "/documents/1/comments"),
        ("get", "/events"),
        ("get", "/labels"),
        ("post", "/labels"),
        ("get", "/labels/1"),
        ("post", "/labels/1/merge"),
        ("get", "/members"),
        ("post", "/members"),
        ("delete", "/members/1"),
        ("post", "/invitations"),
        ("delete", "/invitations/1"),
        ("get", "/annotations"),
        ("post", "/annotations"),
        ("get", "/annotations/export.jsonl"),
        ("get", "/annotations/export.csv"),
        ("get", "/versions"),
        ("get", "/versions/1/metrics"),
        ("post", "/versions/1/publish"),
        ("post", "/versions/roll-back"),
    ],
)
def test_a_stranger_cannot_tell_a_project_from_none(
    method: str, address: str, project: Project, stranger: User, api: Api
) -> None:
    send = getattr(api(stranger), method)
    known = send(f"/api/v1/projects/colours{address}", content_type="application/json")
    unknown = send(f"/api/v1/projects/nowhere{address}", content_type="application/json")
    assert problem(known, 404, "not_found") == problem(unknown, 404, "not_found")


@pytest.mark.parametrize("address", ["nowhere", "projects/", "projects/colours/predict/", ""])
def test_an_unknown_address_is_a_problem_detail(address: str, client: Client) -> None:
    problem(client.get(f"/api/v1/{address}"), 404, "not_found")


def test_a_wrong_method_is_a_problem_detail(lead: User, project: Project, api: Api) -> None:
    problem(api(lead).delete(PREDICT), 405, "method_not_allowed")


def test_only_json_is_taken(lead: User, project: Project, api: Api) -> None:
    problem(api(lead).post(PREDICT, {"text": "red"}), 415, "unsupported_media_type")


@pytest.mark.parametrize("body", ["{", "[1]", '"red"', '{"text": NaN}', "[" * 100_000, b"\xff"])
def test_broken_json_is_a_problem_detail(body: str | bytes, lead: User, project: Project, api: Api) -> None:
    response = api(lead).post(PREDICT, body, content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == TYPE


def test_a_body_over_the_limit_is_refused_unread(
    lead: User, project: Project, api: Api, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    response = api(lead).post(PREDICT, {"text": "a red tree"}, content_type="application/json")
    problem(response, 413, "too_large")


def test_a_failure_is_a_problem_detail_that_tells_nothing(
    lead: User, project: Project, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(predictions, "predict", fail)
    response = api(lead).post(PREDICT, {"text": "red"}, content_type="application/json")
    problem(response, 500, "error")
    assert b"secret" not in response.content


def test_one_token_has_so_many_requests_a_minute(
    lead: User, project: Project, api: Api, settings: Any
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    client, other = api(lead), api(lead)
    assert [client.get("/api/v1/projects").status_code for _ in range(2)] == [200, 200]
    refused = client.get("/api/v1/projects")
    problem(refused, 429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 61
    assert other.get("/api/v1/projects").status_code == 200


def test_predictions_are_counted_by_texts(lead: User, project: Project, api: Api, settings: Any) -> None:
    settings.API_TEXTS_PER_MINUTE = 3
    client = api(lead)
    first = client.post(PREDICT, {"texts": ["a", "b", "c"]}, content_type="application/json")
    problem(first, 409, "nothing_published")
    problem(client.post(PREDICT, {"text": "d"}, content_type="application/json"), 429, "throttled")


def test_several_errors_are_each_pointed_at(lead: User, project: Project, api: Api) -> None:
    response = api(lead).post(PREDICT, {"texts": ["a", None], "top": 0}, content_type="application/json")
    body = problem(response, 400, "invalid")
    assert {error["pointer"] for error in body["errors"]} == {"#/texts/1", "#/top"}


def test_the_schema_is_described_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_the_schema_describes_every_operation(lead: User, sign_in: Callable[[User], Client]) -> None:
    paths = sign_in(lead).get("/api/v1/schema").json()["paths"]
    found = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
    assert found == OPERATIONS


def test_the_docs_relax_styles_but_no_scripts(lead: User, sign_in: Callable[[User], Client]) -> None:
    client = sign_in(lead)
    response = client.get("/api/v1/docs")
    policy = response["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["script-src"] == "'self'"
    assert "'unsafe-inline'" in directives["style-src"]
    assert b"//" not in response.content.replace(b"http://testserver", b"")
    assert "'unsafe-inline'" not in client.get("/api/v1/schema")["Content-Security-Policy"]
