"""The export page: what is chosen, its first rows, and the file itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from annotate.models import Document, Project, User

PAGE = "/projects/colours/export/"


@pytest.fixture
def client(
    lead: User,
    project: Project,
    sign_in: Callable[[User], Client],
    add_documents: Callable[..., list[Document]],
) -> Client:
    add_documents(project, "one text", "another text")
    return sign_in(lead)


def body(response: object) -> str:
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def test_the_page_shows_the_first_rows_as_the_file_has_them(client: Client) -> None:
    query = "?per=annotation&format=jsonl&whole=1"
    shown = client.get(PAGE + query)
    taken = body(client.get(f"{PAGE}file/{query}"))
    assert shown.context["hits"] == 2
    assert shown.context["preview"] == taken
    assert f"{PAGE}file/?per=annotation" in shown.content.decode()


def test_filters_of_the_documents_page_hold_for_the_file(client: Client) -> None:
    one = Document.objects.order_by("pk")[0]
    Document.objects.filter(pk=one.pk).update(lane="holdout", half="tuning")
    query = "?lane=holdout&per=annotation&format=jsonl&whole=1&part=meta"
    response = client.get(PAGE + query)
    assert response.context["hits"] == 1
    assert 'name="lane" value="holdout"' in response.content.decode()
    assert len(body(client.get(f"{PAGE}file/{query}")).splitlines()) == 1


def test_an_address_that_asks_for_what_there_is_not_is_refused(client: Client) -> None:
    assert client.get(f"{PAGE}?per=word").status_code == 422
    assert client.get(f"{PAGE}file/?per=word").status_code == 404


def test_a_project_without_answers_says_that_the_file_is_empty(client: Client) -> None:
    assert "Nothing of the project goes into it." in client.get(PAGE).content.decode()


def test_the_addresses_from_before_the_page_go_on(client: Client) -> None:
    assert len(body(client.get(f"{PAGE}jsonl/?everything=1")).splitlines()) == 2
    assert client.get(f"{PAGE}parquet/").status_code == 404
