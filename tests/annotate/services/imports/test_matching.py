"""Which document a row of a file is about, and what it may change of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import (
    Assignment,
    Document,
    Embedding,
    ModelVersion,
    Neighbourhood,
    Prediction,
    Project,
    User,
)
from annotate.models.documents import Lane
from annotate.models.queue import AssignmentState
from annotate.services.imports import upsert
from annotate.services.imports.upsert import Counts, IncomingDocument, store_rows
from training.types import Answer

Row = Callable[..., Counts]


@pytest.fixture
def store(project: Project, monkeypatch: pytest.MonkeyPatch) -> Row:
    """Store rows in transactions of one row each, so that each finds what the earlier ones left."""
    monkeypatch.setattr(upsert, "CHUNK", 1)

    def go(*rows: IncomingDocument, **settings: bool) -> Counts:
        return store_rows(project=project, rows=rows, **settings)

    return go


def test_two_texts_without_an_id_are_two_documents_in_a_dry_run_too(store: Row) -> None:
    assert store(IncomingDocument("one"), IncomingDocument("two"), dry_run=True).created == 2


@pytest.mark.parametrize("chunk", [1, 10])
@pytest.mark.parametrize(
    ("labels", "outcome"),
    [
        (("red", None, "red"), (1, 0, 2, 0)),
        ((None, "red", None, "blue"), (1, 1, 1, 1)),
        (("red", "blue", "red"), (1, 0, 1, 1)),
    ],
)
def test_a_row_that_says_more_or_less_of_the_same_document_does_not_contradict_an_earlier_one(
    store: Row,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    labels: tuple[str | None, ...],
    outcome: tuple[int, ...],
) -> None:
    monkeypatch.setattr(upsert, "CHUNK", chunk)
    rows = [IncomingDocument("one", answer=None if label is None else Answer((label,))) for label in labels]
    for dry_run in (True, False):
        counts = store(*rows, dry_run=dry_run)
        assert (counts.created, counts.updated, counts.unchanged, counts.broken) == outcome


def test_two_texts_of_one_id_contradict_each_other_in_a_dry_run_too(store: Row) -> None:
    rows = [IncomingDocument("one", external_id="1"), IncomingDocument("two", external_id="1")]
    assert [store(*rows, dry_run=dry_run).broken for dry_run in (True, False)] == [1, 1]


def test_a_row_about_one_document_is_no_repetition_of_the_row_about_its_neighbour(
    project: Project, store: Row
) -> None:
    names = [str(n) for n in range(20)]
    store(*(IncomingDocument(f"old {name}", external_id=name) for name in names))
    assert store(*(IncomingDocument(f"new {name}", external_id=name) for name in names)).updated == 20
    assert store(*(IncomingDocument(f"text {name}", external_id="0") for name in names)).broken == 19
    assert project.documents.get(external_id="0").text == "text 0"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_near_duplicates_lie_in_one_lane_where_the_share_has_changed_since(
    project: Project, store: Row, share: float
) -> None:
    project.holdout_share = share
    store(IncomingDocument("one text"))
    project.holdout_share = 1.0 - share
    store(IncomingDocument("One TEXT!"), IncomingDocument("another text"))
    lanes = dict(project.documents.values_list("text", "lane"))
    assert lanes["One TEXT!"] == lanes["one text"]
    assert lanes["one text"] == (Lane.HOLDOUT if share else Lane.POOL)
    assert lanes["another text"] != lanes["one text"]


@pytest.mark.parametrize(
    ("state", "minutes", "may_change"),
    [
        (AssignmentState.LEASED, 5, False),
        (AssignmentState.LEASED, -5, True),
        (AssignmentState.WAITING, 5, True),
    ],
)
def test_a_text_that_somebody_has_before_them_does_not_change(
    project: Project, annotator: User, store: Row, state: str, minutes: int, may_change: bool
) -> None:
    store(IncomingDocument("old", external_id="1"), IncomingDocument("old too", external_id="2"))
    Assignment.objects.create(
        project=project,
        document=project.documents.get(external_id="1"),
        rank=1.0,
        state=state,
        annotator=annotator,
        expires_at=timezone.now() + timedelta(minutes=minutes),
    )
    counts = store(IncomingDocument("new", external_id="1"), IncomingDocument("new too", external_id="2"))
    assert (counts.updated, counts.broken) == ((2, 0) if may_change else (1, 1))
    assert project.documents.get(external_id="2").text == "new too"


def test_a_text_that_a_person_has_decided_on_keeps_only_itself_from_changing(
    project: Project, annotator: User, store: Row
) -> None:
    store(IncomingDocument("old", external_id="1"), IncomingDocument("old too", external_id="2"))
    decided = project.documents.get(external_id="1")
    decided.annotations.create(project=project, annotator=annotator, outcome="skipped")
    counts = store(IncomingDocument("new", external_id="1"), IncomingDocument("new too", external_id="2"))
    assert (counts.updated, counts.broken) == (1, 1)


def test_a_prediction_goes_with_the_text_that_it_was_made_for(project: Project, store: Row) -> None:
    store(IncomingDocument("old", external_id="1"), IncomingDocument("same", external_id="2"))
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=0, holdout_documents=0
    )
    for document in project.documents.all():
        Prediction.objects.create(document=document, version=version, answer=Answer())
    store(IncomingDocument("new", external_id="1"), IncomingDocument("same", external_id="2", meta={"n": 1}))
    assert Prediction.objects.get().document.text == "same"


def test_the_vector_of_a_text_goes_with_it_unless_another_project_has_the_text(
    project: Project, make_project: Callable[..., Project], store: Row
) -> None:
    store(*(IncomingDocument(f"old {n}", external_id=str(n)) for n in range(3)))
    store_rows(project=make_project("other"), rows=[IncomingDocument("old 1")])
    for document in project.documents.all():
        for encoder in ("a", "b"):
            Embedding.objects.create(encoder=encoder, sha256=document.sha256, vector=b"v")
            Neighbourhood.objects.create(document=document, encoder=encoder, neighbours=b"", similarities=b"")
    digests = dict(project.documents.values_list("text", "sha256"))
    store(*(IncomingDocument(f"new {n}", external_id=str(n)) for n in range(2)))
    kept = {(encoder, digests[f"old {n}"]) for encoder in ("a", "b") for n in (1, 2)}
    assert set(Embedding.objects.values_list("encoder", "sha256")) == kept
    assert {row.document.text for row in Neighbourhood.objects.all()} == {"old 2"}


def add_same(project: Project, external_id: str | None) -> Document:
    digest = hashlib.sha256(b"same").hexdigest()
    return Document.objects.create(
        project=project, text="same", sha256=digest, external_id=external_id, lane=Lane.POOL
    )


@pytest.mark.parametrize("ids", [(None, "1"), ("1", None)])
def test_of_two_documents_with_a_text_the_one_without_an_id_takes_on_the_next_id(
    project: Project, store: Row, ids: tuple[str | None, ...]
) -> None:
    for external_id in ids:
        add_same(project, external_id)
    assert store(IncomingDocument("same", external_id="2")).updated == 1
    assert sorted(project.documents.values_list("external_id", flat=True)) == ["1", "2"]


def test_of_two_documents_with_a_text_a_row_without_an_id_is_about_the_older_one(
    project: Project, store: Row
) -> None:
    for external_id in ("1", "2"):
        add_same(project, external_id)
    assert store(IncomingDocument("same", meta={"n": 1})).updated == 1
    assert project.documents.get(external_id="1").meta == {"n": 1}


def test_a_row_that_gives_an_id_to_the_text_of_an_earlier_row_repeats_it(
    project: Project, store: Row
) -> None:
    counts = store(IncomingDocument("same"), IncomingDocument("same", external_id="7"))
    assert (counts.created, counts.updated, counts.unchanged) == (1, 0, 1)


def test_what_a_row_adds_to_the_fields_of_a_document_is_kept_beside_the_others(
    project: Project, store: Row
) -> None:
    store(IncomingDocument("one", meta={"town": "Bonn", "year": 1}))
    assert store(IncomingDocument("one", meta={"year": 2})).updated == 1
    assert store(IncomingDocument("one", meta={"year": 2})).unchanged == 1
    assert project.documents.get().meta == {"town": "Bonn", "year": 2}


def test_a_text_with_an_imported_label_may_change_with_its_label(project: Project, store: Row) -> None:
    store(IncomingDocument("old", external_id="1", answer=Answer(("red",))))
    assert "imported label" in store(IncomingDocument("new", external_id="1")).problems[0][1]
    assert store(IncomingDocument("new", external_id="1", answer=Answer(("blue",)))).updated == 1
    assert project.documents.get().text == "new"
