"""Every address of the API x method x whoever asks: who is let in, and who learns nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from annotate.api.urls import urlpatterns
from annotate.models import ApiKey, BulkChange, Document, Export, Import, ModelVersion, Project, User
from annotate.services.people import api_keys, invitations
from annotate.services.people.api_keys import Scope
from tests.annotate.made.drift import make_alarm

pytestmark = pytest.mark.one_database

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
VALUES: dict[str, Any] = {"slug": "colours", "kind": "jsonl", "number": 1}
VIEWS = {
    str(pattern.name): pattern
    for pattern in urlpatterns
    if isinstance(pattern, URLPattern) and pattern.name not in {"api-missing", "api-docs", "api-schema"}
}
# What each method of each address needs; None: any valid token. What is not here does not exist.
NEEDED: dict[str, dict[str, Scope | None]] = {
    "api-projects": {"GET": None},
    "api-project": {"GET": None},
    "api-predict": {"POST": Scope.PREDICT},
    "api-feedback": {"POST": Scope.FEEDBACK},
    "api-documents": {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE},
    "api-bulk-changes": {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE},
    "api-bulk": {"GET": Scope.DOCUMENTS_READ},
    "api-bulk-start": {"POST": Scope.DOCUMENTS_WRITE},
    "api-bulk-undo": {"POST": Scope.DOCUMENTS_WRITE},
    "api-imports": {"GET": Scope.DOCUMENTS_READ},
    "api-import": {"GET": Scope.DOCUMENTS_READ, "DELETE": Scope.DOCUMENTS_WRITE},
    "api-import-undo": {"POST": Scope.DOCUMENTS_WRITE},
    "api-document": {
        "GET": Scope.DOCUMENTS_READ,
        "PATCH": Scope.DOCUMENTS_WRITE,
        "DELETE": Scope.DOCUMENTS_WRITE,
    },
    "api-comments": {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE},
    "api-events": {"GET": Scope.EVENTS_READ},
    "api-drift-windows": {"GET": Scope.MODELS_READ},
    "api-drift-alarms": {"GET": Scope.MODELS_READ},
    "api-drift-alarm-seen": {"POST": Scope.MODELS_WRITE},
    "api-drift-alarm-usual": {"POST": Scope.MODELS_WRITE},
    "api-labels": {"GET": None, "POST": Scope.LABELS_WRITE},
    "api-labels-order": {"POST": Scope.LABELS_WRITE},
    "api-label": {"GET": None, "PATCH": Scope.LABELS_WRITE},
    "api-label-archive": {"POST": Scope.LABELS_WRITE},
    "api-label-restore": {"POST": Scope.LABELS_WRITE},
    "api-label-merge": {"GET": Scope.LABELS_WRITE, "POST": Scope.LABELS_WRITE},
    "api-label-split": {"POST": Scope.LABELS_WRITE},
    "api-members": {"GET": Scope.MEMBERS_READ, "POST": Scope.MEMBERS_WRITE},
    "api-member": {"PATCH": Scope.MEMBERS_WRITE, "DELETE": Scope.MEMBERS_WRITE},
    "api-invitations": {"GET": Scope.MEMBERS_READ, "POST": Scope.MEMBERS_WRITE},
    "api-invitation": {"DELETE": Scope.MEMBERS_WRITE},
    "api-annotations": {"GET": Scope.ANNOTATIONS_READ, "POST": Scope.ANNOTATIONS_WRITE},
    "api-export": {"GET": Scope.ANNOTATIONS_READ},
    "api-exports": {"GET": Scope.ANNOTATIONS_READ, "POST": Scope.ANNOTATIONS_READ},
    "api-export-job": {"GET": Scope.ANNOTATIONS_READ},
    "api-export-file": {"GET": Scope.ANNOTATIONS_READ},
    "api-versions": {"GET": Scope.MODELS_READ},
    "api-metrics": {"GET": Scope.MODELS_READ},
    "api-card": {"GET": Scope.MODELS_READ},
    "api-publish": {"POST": Scope.MODELS_WRITE},
    "api-roll-back": {"POST": Scope.MODELS_WRITE},
}
NEEDED |= {
    f"api-{word}-before": NEEDED[f"api-{word}"]
    for word in ("versions", "metrics", "card", "publish", "roll-back")
}
FOR_ANNOTATORS = {"api-projects", "api-project", "api-predict", "api-feedback", "api-annotations"}
FOR_REVIEWERS = FOR_ANNOTATORS | {
    "api-comments",
    "api-events",
    "api-export",
    "api-versions",
    "api-metrics",
    "api-versions-before",
    "api-metrics-before",
    "api-card",
    "api-drift-windows",
    "api-drift-alarms",
    "api-card-before",
}
# Of these addresses they may read only.
READ_BY_ANNOTATORS = {"api-labels", "api-label"}
READ_BY_REVIEWERS = {"api-documents", "api-document"} | READ_BY_ANNOTATORS
WITHOUT_PROJECT = {"api-projects"}
CELLS = [(name, method) for name in VIEWS for method in METHODS]


# The rows that an address with a `pk` is about, as the fixture below makes them.
KEYS: dict[str, int] = {}
DONE = {200, 201, 202, 204, 400, 409}


@pytest.fixture(autouse=True)
def _things(
    project: Project, lead: User, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(project, "a text")
    ((invitation, _token),) = invitations.issue(
        project=project, by=lead, role="annotator", guests=["Ada"], days=7
    )
    change = BulkChange.objects.create(
        project=project, by=lead, action="return", packed=BulkChange.pack([document.pk]), hits=1
    )
    export = Export.objects.create(project=project, user=lead, format="csv")
    KEYS.update(
        {
            "api-bulk": change.pk,
            "api-bulk-start": change.pk,
            "api-bulk-undo": change.pk,
            "api-export-job": export.pk,
            "api-export-file": export.pk,
            **dict.fromkeys(("api-drift-alarm-seen", "api-drift-alarm-usual"), make_alarm(project).pk),
            "api-document": document.pk,
            **{name: project.labels.all()[0].pk for name in VIEWS if name.startswith("api-label")},
            "api-comments": document.pk,
            "api-member": project.memberships.get(user=annotator).pk,
            "api-invitation": invitation.pk,
        }
    )
    ModelVersion.objects.create(project=project, number=1, family="tfidf", labelled=2, holdout_documents=0)
    Import.objects.create(pk=1, project=project, name="mine.csv", state="succeeded")


def address(name: str) -> str:
    values = VALUES | {"pk": KEYS.get(name)}
    return reverse(name, kwargs={key: values[key] for key in VIEWS[name].pattern.converters})


def ask(name: str, method: str, secret: str | None) -> int:
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    client = Client(raise_request_exception=False)
    response = client.generic(method, address(name), "{}", "application/json", headers=headers)
    if method == "HEAD" or response.status_code in (401, 404, 405):
        assert b"a text" not in b"".join(_content(response))
    return response.status_code


def _content(response: object) -> Iterator[bytes]:
    is_streamed = getattr(response, "streaming", False)
    return iter(response.streaming_content if is_streamed else [response.content])  # type: ignore[attr-defined]


def token(user: User, *scopes: str) -> str:
    return api_keys.issue(user=user, name="test", scopes=scopes)[1]


def needed(name: str, method: str) -> dict[str, Scope | None]:
    """Return the entry of a method where the address has it; HEAD is GET."""
    known = NEEDED[name]
    key = "GET" if method == "HEAD" else method
    return {key: known[key]} if key in known else {}


def test_every_address_is_looked_at() -> None:
    assert set(NEEDED) == set(VIEWS)


def test_every_method_of_a_view_names_its_scope() -> None:
    for name, pattern in VIEWS.items():
        view = pattern.callback.cls  # type: ignore[union-attr]
        has = {method for method in METHODS if hasattr(view, method.lower())} - {"OPTIONS"}
        assert has == set(view.scopes) == set(NEEDED[name]), name


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_without_a_valid_token_nothing_is_told(name: str, method: str, lead: User) -> None:
    expired, revoked = token(lead, *Scope.values), token(lead, *Scope.values)
    rows = {secret: ApiKey.objects.get(digest=api_keys.digest(secret)) for secret in (expired, revoked)}
    ApiKey.objects.filter(pk=rows[expired].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api_keys.revoke(user=lead, pk=rows[revoked].pk)
    assert {ask(name, method, secret) for secret in (None, "wrong", expired, revoked)} == {401}


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_a_token_needs_the_scope_of_what_it_does(name: str, method: str, lead: User) -> None:
    asked = needed(name, method)
    for scope in Scope:
        status = ask(name, method, token(lead, scope))
        if method == "OPTIONS":
            assert status == 200
        elif not asked:
            assert status == 405
        elif scope in asked.values() or None in asked.values():
            assert status in DONE
        else:
            assert status == 403


@pytest.mark.parametrize(("name", "method"), [cell for cell in CELLS if needed(*cell)])
def test_a_token_sees_what_its_user_sees(
    name: str, method: str, reviewer: User, annotator: User, stranger: User
) -> None:
    reviewers = ask(name, method, token(reviewer, *Scope.values))
    may = name in FOR_REVIEWERS or (name in READ_BY_REVIEWERS and method in {"GET", "HEAD"})
    assert reviewers in DONE if may else reviewers == 404
    theirs = ask(name, method, token(annotator, *Scope.values))
    may = name in FOR_ANNOTATORS or (name in READ_BY_ANNOTATORS and method in {"GET", "HEAD"})
    assert theirs in DONE if may else theirs == 404
    if name not in WITHOUT_PROJECT:
        assert ask(name, method, token(stranger, *Scope.values)) == 404


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["api-docs", "api-schema"])
def test_the_docs_are_for_people_who_are_logged_in_and_for_tokens(
    name: str, method: str, lead: User, sign_in: Callable[[User], Client]
) -> None:
    where, stranger = reverse(name), Client(raise_request_exception=False)
    response = stranger.generic(method, where)
    assert response.status_code == (302 if name == "api-docs" else 401)
    refused = stranger.generic(method, where, headers={"authorization": "Bearer wrong"})
    assert refused.status_code == 401
    expected = 200 if method in {"GET", "HEAD"} else 405
    bearer = {"authorization": f"Bearer {token(lead, Scope.PREDICT)}"}
    assert stranger.generic(method, where, headers=bearer).status_code == expected
    assert sign_in(lead).generic(method, where).status_code == expected


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_address_is_unknown_by_any_method(method: str) -> None:
    assert Client(raise_request_exception=False).generic(method, "/api/v1/nowhere").status_code == 404
