"""Which documents are held out: by share and by label, and never one that a person has decided on."""

from __future__ import annotations

from annotate.models import Annotation, Document, Project, User
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training.types import Answer


def decide(document: Document, user: User) -> None:
    Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome=Outcome.ANSWERED
    )


def test_the_holdout_lane_follows_the_share_and_near_duplicates_stay_together(project: Project) -> None:
    store_rows(
        project=project,
        rows=[IncomingDocument(f"text {chr(97 + i % 26)}{chr(97 + i // 26)}") for i in range(600)],
    )
    assert 30 <= project.documents.holdout().count() <= 95
    held = project.documents.holdout().first()
    assert held is not None
    store_rows(
        project=project,
        rows=[IncomingDocument(held.text.upper() + "!"), IncomingDocument(held.text + " ...")],
    )
    twins = project.documents.filter(split_key=held.split_key)
    assert {(d.lane, d.half) for d in twins} == {(Lane.HOLDOUT, held.half)}
    assert len(twins) == 3


def words(count: int) -> list[str]:
    return ["".join(chr(97 + int(digit)) for digit in str(10_000 + i)) for i in range(count)]


def test_each_known_label_gets_twenty_holdout_documents_once(project: Project) -> None:
    rows = [
        IncomingDocument(word, answer=Answer((("red", "green")[i % 2],))) for i, word in enumerate(words(200))
    ]
    rows += [IncomingDocument(f"rare {word}", answer=Answer(("blue",))) for word in words(10)]
    store_rows(project=project, rows=rows)
    held = project.documents.holdout()
    for name in ("red", "green"):
        assert held.filter(annotations__labels__name=name).count() >= 20
    assert held.filter(annotations__labels__name="blue").count() == 5
    before = set(held.values_list("pk", flat=True))
    store_rows(project=project, rows=rows)
    assert set(held.values_list("pk", flat=True)) == before


def test_a_document_that_a_person_has_decided_on_is_not_moved(project: Project, annotator: User) -> None:
    project.holdout_share = 0.0
    store_rows(project=project, rows=[IncomingDocument(word) for word in words(10)])
    for document in project.documents.all():
        decide(document, annotator)
    store_rows(project=project, rows=[IncomingDocument(word, answer=Answer(("red",))) for word in words(10)])
    assert not project.documents.holdout().exists()
