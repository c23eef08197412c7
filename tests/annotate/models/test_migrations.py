"""Answers in one form: rows made with the models of the state before are carried over, and back.

A migration of the test database takes seconds, so many rows are carried over at once.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotate.models import Annotation, Card, Decision, LlmAnswer, Prediction
from training.types import Answer

BEFORE = ("annotate", "0014_bundle_digest")
AFTER = ("annotate", "0015_answers")

pytestmark = pytest.mark.django_db(transaction=True)


def migrate_to(state: tuple[str, str]) -> Apps:
    executor = MigrationExecutor(connection)
    executor.migrate([state])
    return MigrationExecutor(connection).loader.project_state([state]).apps


@pytest.fixture
def old() -> Iterator[Apps]:
    """The models of the state before; the test database is as it should be afterwards."""
    yield migrate_to(BEFORE)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("annotate"))


class World:
    """Rows of a project in the state before."""

    def __init__(self, old: Apps, task: str) -> None:
        self.old = old
        self.person = old.get_model("annotate", "User").objects.create(username=f"{task}-{uuid.uuid4()}")
        self.project = old.get_model("annotate", "Project").objects.create(
            name=task, slug=uuid.uuid4().hex, task=task
        )
        self.version = self.make(
            "ModelVersion", project=self.project, number=1, family="tfidf", labelled=1, holdout_documents=0
        )

    def make(self, model: str, /, **fields: Any) -> Any:
        return self.old.get_model("annotate", model).objects.create(**fields)

    def document(self) -> Any:
        text = uuid.uuid4().hex
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.make("Document", project=self.project, text=text, sha256=digest, lane="pool")

    def predict(self, document: Any, scores: list[Any], decided: list[int], margin: float = 0.4) -> Any:
        return self.make(
            "Prediction",
            document=document,
            version=self.version,
            scores=scores,
            decided=decided,
            margin=margin,
        )

    def card(self, shown: Any, *, document: Any = None, **fields: Any) -> Any:
        document = document or self.document()
        return self.make("Card", document=document, annotator=self.person, shown=shown, **fields)

    def annotation(self, shown: Any = None, **fields: Any) -> Any:
        values = {"document": self.document(), "outcome": "answered", "shown": shown} | fields
        return self.make("Annotation", project=self.project, annotator=self.person, **values)


SCORES = [[2, 0.45], [1, 0.35], [3, 0.2]]
HIGH = [[2, 0.9], [1, 0.5], [3, 0.49]]
AS_SCORES = ((2, 0.45), (1, 0.35), (3, 0.2))
AS_HIGH = ((2, 0.9), (1, 0.5), (3, 0.49))


def test_every_answer_is_carried_over_and_back(old: Apps) -> None:
    single, multi = World(old, "single"), World(old, "multi")
    llm = {"project": multi.project, "sha256": "a", "key": "k", "model": "m"}
    annotation = single.annotation()
    decision = {"annotation": annotation, "outcome": "answered"}
    rows = {
        "Decision": [
            single.make("Decision", card=uuid.uuid4(), label_ids=[7, 3], **decision),
            single.make("Decision", card=uuid.uuid4(), **decision | {"outcome": "skipped"}),
        ],
        "Prediction": [
            multi.predict(multi.document(), HIGH, [2, 1], 0.4),
            multi.predict(multi.document(), [[1, 0.2]], [], 0.0),
        ],
        "LlmAnswer": [
            multi.make(
                "LlmAnswer", document=multi.document(), outcome="answered", names=["red"], labels=[5], **llm
            ),
            multi.make("LlmAnswer", document=multi.document(), outcome="failed", **llm),
        ],
    }
    before = {model: [values(row) for row in made] for model, made in rows.items()}
    migrate_to(AFTER)
    assert list(Decision.objects.values_list("answer", flat=True)) == [Answer((7, 3)), Answer()]
    assert list(Prediction.objects.values_list("answer", flat=True)) == [
        Answer((2, 1), scores=AS_HIGH),
        Answer((), scores=((1, 0.2),)),
    ]
    assert list(LlmAnswer.objects.values_list("reply", "answer")) == [
        (Answer(("red",)), Answer((5,))),
        (Answer(), Answer()),
    ]
    apps = migrate_to(BEFORE)
    for model, made in before.items():
        assert [values(row) for row in apps.get_model("annotate", model).objects.order_by("pk")] == made


def values(row: Any) -> dict[str, Any]:
    return {
        field.attname: pytest.approx(value) if isinstance(value, float) else value
        for field in row._meta.concrete_fields
        for value in [getattr(row, field.attname)]
    }


def test_what_was_shown_gets_the_labels_that_the_page_drew(old: Apps) -> None:
    """Those that the version decided, while its prediction was there; else by the scores alone."""
    single, multi = World(old, "single"), World(old, "multi")
    later = multi.make(
        "ModelVersion", project=multi.project, number=2, family="tfidf", labelled=1, holdout_documents=0
    )
    stands, gone = multi.document(), multi.document()
    for document in (stands, gone):
        multi.predict(document, HIGH, [2, 1, 3])
    cases = [
        (single, SCORES, {"shown_version": single.version}, Answer((2,), scores=AS_SCORES)),
        (multi, SCORES, {"shown_version": multi.version}, Answer((), scores=AS_SCORES)),
        (multi, HIGH, {"shown_version": later}, Answer((2, 1), scores=AS_HIGH)),
        (
            multi,
            HIGH,
            {"shown_version": multi.version, "document": stands},
            Answer((2, 1, 3), scores=AS_HIGH),
        ),
        (multi, HIGH, {"shown_version": later, "document": gone}, Answer((2, 1), scores=AS_HIGH)),
        (multi, [[4, 1.0], [6, 1.0]], {}, Answer((4, 6), scores=((4, 1.0), (6, 1.0)))),
        (multi, None, {}, None),
        (single, [], {"shown_version": single.version}, None),
    ]
    cards = [world.card(shown, **fields).pk for world, shown, fields, _answer in cases]
    annotations = [world.annotation(shown, **fields).pk for world, shown, fields, _answer in cases]
    fresh = multi.card(None).pk
    migrate_to(AFTER)
    assert [Card.objects.get(pk=pk).shown for pk in cards] == [answer for *_, answer in cases]
    kept = dict(Annotation.objects.values_list("pk", "shown"))  # the model has columns of later migrations
    assert [kept[pk] for pk in annotations] == [answer for *_, answer in cases]
    Card.objects.filter(pk=fresh).update(shown=Answer((4, 6)))  # an LLM's, of the time after
    apps = migrate_to(BEFORE)
    for model, keys in (("Card", cards), ("Annotation", annotations)):
        objects = apps.get_model("annotate", model).objects
        assert [objects.get(pk=pk).shown for pk in keys] == [shown for _, shown, *_ in cases]
    assert apps.get_model("annotate", "Card").objects.get(pk=fresh).shown == [[4, 1.0], [6, 1.0]]


def test_more_rows_than_a_chunk_are_carried_over_in_seconds(old: Apps) -> None:
    multi, n = World(old, "multi"), 10_000
    model = old.get_model("annotate", "Document")
    documents = model.objects.bulk_create(
        model(project=multi.project, text=str(i), sha256=f"{i:064x}", lane="pool") for i in range(n)
    )
    model = old.get_model("annotate", "Prediction")
    model.objects.bulk_create(
        [
            model(document=d, version=multi.version, scores=[[1, i / n], [2, 0.0]], decided=[1], margin=0.0)
            for i, d in enumerate(documents)
        ],
        batch_size=1000,
    )
    started = time.monotonic()
    migrate_to(AFTER)
    answers = Prediction.objects.order_by("pk").values_list("answer", flat=True)
    assert [answer.scores[0][1] for answer in answers] == [i / n for i in range(n)]
    rows = migrate_to(BEFORE).get_model("annotate", "Prediction").objects.order_by("pk")
    assert list(rows.values_list("margin", flat=True)) == pytest.approx([i / n for i in range(n)])
    assert time.monotonic() - started < 60
