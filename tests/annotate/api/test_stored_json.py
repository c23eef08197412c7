"""What the API takes can be stored and told again; what cannot is a 400 that names its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from annotate import tasks
from annotate.models import Document, Project, User
from annotate.models.documents import Lane

Api = Callable[..., Client]
BASE = "/api/v1/projects/colours"
DIGITS = "9" * 5000


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "send", lambda kind, pk: None)


def post(client: Client, address: str, body: str | bytes) -> Any:
    return client.post(f"{BASE}{address}", body, content_type="application/json")


@pytest.mark.parametrize(
    ("meta", "pointer"),
    [
        ('{"k": "half \\ud83d"}', "/k"),
        ('{"a": {"b": ["x", "nul \\u0000"]}}', "/a/b/1"),
        ('{"no\\ud83d": 1}', "/no\\ud83d"),
        ('{"k": 1e999}', "/k"),
        ('{"k": [-1e999]}', "/k/0"),
        ('{"k": NaN}', "/k"),
        ('{"k": Infinity}', "/k"),
        (f'{{"k": {DIGITS}}}', "/k"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(
    project: Project, lead: User, api: Api, meta: str, pointer: str
) -> None:
    response = post(
        api(lead), "/documents", f'{{"documents": [{{"text": "a"}}, {{"text": "b", "meta": {meta}}}]}}'
    )
    assert response.status_code == 400
    body = response.json()
    assert [error["pointer"] for error in body["errors"]] == [f"#/documents/1/meta{pointer}"]
    assert body["detail"] == body["errors"][0]["detail"]
    assert not Document.objects.exists()


@pytest.mark.parametrize("meta", ["[" * 65 + "]" * 65, "[" * 100_000 + "]" * 100_000])
def test_nesting_without_end_is_refused(project: Project, lead: User, api: Api, meta: str) -> None:
    response = post(api(lead), "/documents", f'{{"documents": [{{"text": "b", "meta": {{"k": {meta}}}}}]}}')
    assert response.status_code == 400
    assert "nested" in response.json()["detail"]


def test_more_fields_than_are_stored_are_refused_at_their_document(
    project: Project, lead: User, api: Api
) -> None:
    fields = ",".join(f'"{n}": 1' for n in range(10_001))
    response = post(api(lead), "/documents", f'{{"documents": [{{"text": "b", "meta": {{{fields}}}}}]}}')
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "#/documents/0/meta"
    assert "10,000 named fields" in response.json()["detail"]


def test_an_error_that_repeats_what_was_sent_can_be_written_itself(
    project: Project, lead: User, api: Api
) -> None:
    response = post(api(lead), "/annotations", '{"document": 1, "outcome": "\\ud83d"}')
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "#/outcome"


@pytest.mark.parametrize("body", [b"\xff{}", "{}".encode("utf-16"), b"", b"{", b'{"documents": [}'])
def test_what_is_not_json_is_told_as_that(project: Project, lead: User, api: Api, body: bytes) -> None:
    response = post(api(lead), "/documents", body)
    assert response.status_code == 400
    assert response.json()["code"] in {"parse_error", "invalid"}


def test_rows_that_an_earlier_version_let_in_are_listed(project: Project, lead: User, api: Api) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has never taken such a value.")
    metas = [{"half \ud83d": "so \ud83e"}, {"n": 0.0}]
    Document.objects.bulk_create(
        Document(project=project, text=f"text {n}", sha256=str(n), lane=Lane.POOL, meta=meta)
        for n, meta in enumerate(metas)
    )
    with connection.cursor() as cursor:
        cursor.execute("""UPDATE annotate_document SET meta = '{"n": 1e999}' WHERE text = 'text 1'""")
    listed = api(lead).get(f"{BASE}/documents")
    assert listed.status_code == 200
    assert [row["meta"] for row in listed.json()["results"]] == [
        {"half \\ud83d": "so \\ud83e"},
        {"n": None},
    ]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=abc",
        "cursor=cD1hYmM=",
        "cursor=cD1OYU4=",
        "cursor=%00",
        "cursor=cD0%3D",
        "cursor=cD0tMQ==",
        "cursor=bz1hYmM=",
        "cursor=" + "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    ],
)
def test_a_broken_cursor_is_a_mistake_in_the_request(
    project: Project, lead: User, api: Api, query: str
) -> None:
    response = api(lead).get(f"{BASE}/documents?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "#/cursor"


def test_the_cursor_of_a_page_leads_to_the_next_one(project: Project, lead: User, api: Api) -> None:
    Document.objects.bulk_create(
        Document(project=project, text=str(n), sha256=str(n), lane=Lane.POOL) for n in range(3)
    )
    first = api(lead).get(f"{BASE}/documents?limit=2").json()
    second = api(lead).get(first["next"]).json()
    assert [row["text"] for row in first["results"] + second["results"]] == ["0", "1", "2"]
    assert api(lead).get(second["previous"]).json()["results"] == first["results"]


def test_an_external_id_that_nothing_can_have_is_a_mistake_in_the_request(
    project: Project, lead: User, api: Api
) -> None:
    response = api(lead).get(f"{BASE}/documents?external_id=a%00")
    assert response.status_code == 400
    assert "NUL" in response.json()["detail"]
