"""Spans over the API: documents come with them, annotations carry them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotate.models import Annotation, Project, User

Api = Callable[..., Client]
BASE = "/api/v1/projects/entities"


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place"), task="span")


def post(client: Client, address: str, **body: Any) -> Any:
    return client.post(f"{BASE}{address}", body, content_type="application/json")


def test_documents_come_with_spans(entities: Project, lead: User, api: Api) -> None:
    rows = [
        {"text": "Ada 😀 in Rome", "spans": [{"start": 9, "end": 13, "label": "place"}]},
        {"text": "Nobody", "spans": []},
        {"text": "Bob", "spans": [{"start": 0, "end": 9, "label": "person"}]},
    ]
    told = post(api(lead), "/documents", documents=rows).json()
    assert told["created"] == 3
    assert told["unfit_answers"] == {"The span 0-9 ends behind the text, which has 3 characters.": 1}
    assert [len(one.answer.spans) for one in Annotation.objects.order_by("pk")] == [1, 0]


def test_an_annotation_is_sent_and_read_with_its_spans(entities: Project, annotator: User, api: Api) -> None:
    document = entities.documents.create(text="Ada in Rome", sha256="0" * 64, lane="pool")
    spans = [{"start": 0, "end": 3, "label": "person"}, {"start": 7, "end": 11, "label": "place"}]
    client = api(annotator)
    made = post(client, "/annotations", document=document.pk, spans=spans)
    assert (made.status_code, made.json()["spans"]) == (201, spans)
    listed = client.get(f"{BASE}/annotations").json()["results"]
    assert [row["spans"] for row in listed] == [spans]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"labels": ["person"]}, 400),
        ({}, 400),
        ({"spans": [{"start": 0, "end": 3, "label": "animal"}]}, 400),
        ({"spans": [{"start": 0, "end": 99, "label": "person"}]}, 409),
        ({"spans": [{"start": 0, "end": 3, "label": "person"}], "sha256": "1" * 64}, 409),
        ({"spans": []}, 201),
    ],
)
def test_what_is_no_answer_to_the_text_is_refused(
    entities: Project, annotator: User, api: Api, sent: dict[str, Any], status: int
) -> None:
    document = entities.documents.create(text="Ada in Rome", sha256="0" * 64, lane="pool")
    assert post(api(annotator), "/annotations", document=document.pk, **sent).status_code == status
    assert Annotation.objects.count() == (status == 201)
