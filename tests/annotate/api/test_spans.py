"""Spans over the API: documents come with them, annotations carry them, predictions find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.api import predict
from annotate.models import Annotation, PredictionTally, Project, User
from annotate.services.drift.counting import PredictionCounter
from tests.annotate.made.span_bundles import add_span_version

Api = Callable[..., Client]
BASE = "/api/v1/projects/entities"
NAMES = {"person": ("Ada Lovelace", "Bob"), "place": ("Rome",)}


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


def test_a_prediction_has_spans_with_places_text_and_confidence(
    entities: Project, annotator: User, api: Api, bundle_root: Path
) -> None:
    add_span_version(entities, bundle_root, NAMES, number=3)
    texts = ["👩‍🚀\r\nADA Lovelace met Bob", "nothing here", "", "Rome"]
    told = post(api(annotator), "/predict", texts=texts).json()
    assert (told["version"], told["guess"], told["thresholds"]) == (3, "", {})
    found = [text["spans"] for text in told["predictions"]]
    assert [(one["start"], one["end"], one["text"], one["label"]) for one in found[0]] == [
        (5, 17, "ADA Lovelace", "person"),
        (22, 25, "Bob", "person"),
    ]
    assert all(0.5 < one["confidence"] < 1 for one in found[0])
    assert [len(spans) for spans in found] == [2, 0, 0, 1]
    assert {"labels", "scores"}.isdisjoint(told["predictions"][0])


def test_spans_of_a_version_that_only_ranks_have_no_confidence(
    entities: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_span_version(entities, bundle_root, NAMES, calibrated=False)
    told = post(api(lead), "/predict", text="Bob", explain=True).json()
    assert told["guess"] == "guess from few labels"
    (said,) = told["predictions"]
    assert [one["confidence"] for one in said["spans"]] == [None]
    assert said["explanation"] is None


def test_spans_come_in_labels_of_today(entities: Project, lead: User, api: Api, bundle_root: Path) -> None:
    version = add_span_version(entities, bundle_root, NAMES)
    entities.labels.filter(name="person").update(name="human")
    entities.labels.filter(name="place").update(archived_at=version.created_at)
    (said,) = post(api(lead), "/predict", text="Bob in Rome").json()["predictions"]
    assert [(one["text"], one["label"]) for one in said["spans"]] == [("Bob", "human")]


def test_predicted_spans_are_counted_by_their_labels(
    entities: Project, lead: User, api: Api, bundle_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = PredictionCounter()
    monkeypatch.setattr(predict, "COUNTER", counter)
    add_span_version(entities, bundle_root, NAMES)
    post(api(lead), "/predict", texts=["Bob met Ada in Rome", "Bob met Bob", "nobody"])
    assert counter.write() == 1
    person, place = entities.labels.order_by("pk").values_list("pk", flat=True)
    tally = PredictionTally.objects.get()
    assert tally.classes == {str(person): 2, str(place): 1, "": 1}
    assert tally.moments["confidence"][0] == 2
