"""A document has as many places as the project wants people for it, whenever that is said."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from annotate.models import Annotation, Assignment, Document, Project, User
from annotate.services.labeling import api_decisions, decisions, places, queue
from annotate.services.projects.projects import change_settings
from training.types import Answer

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def ask(project: Project) -> Callable[[int], None]:
    """Save the settings of the project with another number of annotators per document."""

    def ask(number: int) -> None:
        change_settings(project=project, changes={"annotators_per_document": number})
        project.refresh_from_db()

    return ask


@pytest.fixture
def texts(project: Project, add_documents: AddDocuments) -> list[Document]:
    documents = add_documents(project, *(f"text {i}" for i in range(3)))
    queue.top_up(project=project)
    return documents


def claim(project: Project, annotator: User) -> Assignment:
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    return place


def decide(project: Project, annotator: User, outcome: str = "answered") -> Document:
    place = claim(project, annotator)
    assert place.card is not None
    said = Answer((project.labels.all()[0].pk,)) if outcome == "answered" else Answer()
    decisions.submit(project=project, annotator=annotator, card=place.card, outcome=outcome, answer=said)
    return place.document


def states(document: Document) -> list[tuple[int, str]]:
    return list(document.assignments.order_by("slot").values_list("slot", "state"))


def test_more_annotators_give_queued_and_decided_documents_a_place_at_their_rank(
    project: Project, annotator: User, texts: list[Document], ask: Callable[[int], None]
) -> None:
    decided, leased = decide(project, annotator), claim(project, annotator).document
    ask(2)
    (untouched,) = [document for document in texts if document not in (decided, leased)]
    assert states(decided) == [(0, "done"), (1, "waiting")]
    assert states(leased) == [(0, "leased"), (1, "waiting")]
    assert states(untouched) == [(0, "waiting"), (1, "waiting")]
    for document in texts:
        assert len(set(document.assignments.values_list("rank", "batch"))) == 1


def test_fewer_annotators_take_waiting_places_and_nothing_else(
    project: Project, annotator: User, lead: User, texts: list[Document], ask: Callable[[int], None]
) -> None:
    ask(3)
    by_two = decide(project, annotator)
    Assignment.objects.exclude(document=by_two).update(rank=9e9)
    assert decide(project, lead) == by_two
    leased = claim(project, annotator).document
    ask(1)
    assert states(by_two) == [(0, "done"), (1, "done")]
    (untouched,) = [document for document in texts if document not in (by_two, leased)]
    assert [state for _slot, state in states(leased)] == ["leased"]
    assert states(untouched) == [(0, "waiting")]


def test_what_was_lowered_can_be_raised_again_whichever_slot_is_left(
    project: Project, annotator: User, texts: list[Document], ask: Callable[[int], None]
) -> None:
    ask(2)
    document = texts[0]
    document.assignments.filter(slot=1).update(state="done", annotator=annotator)
    ask(1)
    assert states(document) == [(1, "done")]
    ask(3)
    assert states(document) == [(0, "waiting"), (1, "done"), (2, "waiting")]


def test_an_answer_without_a_place_counts_like_one(
    project: Project, annotator: User, add_documents: AddDocuments, ask: Callable[[int], None]
) -> None:
    (document,) = add_documents(project, "by the API")
    answer_by_api(document, annotator)
    assert states(document) == []
    ask(3)
    assert states(document) == [(0, "waiting"), (1, "waiting")]
    ask(1)
    assert states(document) == []


def test_labels_that_came_with_a_file_ask_for_no_place(
    project: Project, add_documents: AddDocuments, ask: Callable[[int], None]
) -> None:
    (document,) = add_documents(project, "labelled")
    robot = User.objects.create(username="robot", is_machine=True)
    Annotation.objects.create(project=project, document=document, annotator=robot, outcome="answered")
    ask(2)
    assert states(document) == []


def test_other_projects_keep_their_places(
    project: Project,
    make_project: Callable[..., Project],
    add_documents: AddDocuments,
    texts: list[Document],
    ask: Callable[[int], None],
) -> None:
    other = make_project(slug="other")
    (document,) = add_documents(other, "elsewhere")
    queue.top_up(project=other)
    ask(2)
    assert states(document) == [(0, "waiting")]


def answer_by_api(document: Document, annotator: User, outcome: str = "answered") -> Annotation:
    said = Answer((document.project.labels.all()[0].pk,)) if outcome == "answered" else Answer()
    return api_decisions.submit(
        document=document, annotator=annotator, key=uuid.uuid4(), outcome=outcome, answer=said
    )


def test_an_answer_by_the_api_leaves_the_others_places(
    project: Project, annotator: User, add_documents: AddDocuments, ask: Callable[[int], None]
) -> None:
    ask(2)
    (document,) = add_documents(project, "never queued")
    answer_by_api(document, annotator)
    assert states(document) == [(0, "waiting")]
    queue.refill(project=project, strategy="margin", version=None, documents=[])
    assert states(document) == [(0, "waiting")]


def test_a_late_answer_uses_up_a_waiting_place(
    project: Project, annotator: User, lead: User, texts: list[Document], ask: Callable[[int], None]
) -> None:
    ask(2)
    mine = claim(project, annotator)
    assert mine.card is not None
    key = mine.card
    Assignment.objects.filter(pk=mine.pk).update(annotator=lead, card=uuid.uuid4())
    said = Answer((project.labels.all()[0].pk,))
    decisions.submit(project=project, annotator=annotator, card=key, outcome="answered", answer=said)
    assert sorted(mine.document.assignments.values_list("state", "annotator")) == sorted(
        [("leased", lead.pk), ("done", annotator.pk)]
    )


def test_a_stale_project_queues_with_the_number_in_force(
    project: Project, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one")
    Project.objects.filter(pk=project.pk).update(annotators_per_document=2)
    assert project.annotators_per_document == 1
    queue.top_up(project=project)
    assert states(document) == [(0, "waiting"), (1, "waiting")]


def test_a_thousand_documents_take_few_queries(
    project: Project, django_assert_max_num_queries: Any, ask: Callable[[int], None]
) -> None:
    documents = Document.objects.bulk_create(
        Document(project=project, text=f"text {i}", sha256=f"{i:064x}", lane="pool") for i in range(1000)
    )
    places.append(project=project, documents=documents, number=1, batch=None)
    for number in (2, 1):
        with django_assert_max_num_queries(30):
            ask(number)
        held = Counter(Assignment.objects.values_list("document", flat=True))
        assert held == {document.pk: number for document in documents}


@pytest.mark.parametrize("has_place", [True, False])
def test_a_skipped_document_is_returned_to_its_annotator_first(
    project: Project, annotator: User, add_documents: AddDocuments, has_place: bool
) -> None:
    (document,) = add_documents(project, "hard")
    if has_place:
        decide(project, annotator, "skipped")
    else:
        answer_by_api(document, annotator, "skipped")
    annotation = document.annotations.get()
    assert places.return_to_queue(annotation=annotation)
    assert not places.return_to_queue(annotation=annotation)  # it is open already
    assert claim(project, annotator).document == document


def test_a_skip_is_not_returned_where_enough_others_have_answered(
    project: Project, annotator: User, lead: User, texts: list[Document], ask: Callable[[int], None]
) -> None:
    ask(2)
    document = decide(project, annotator, "skipped")
    Assignment.objects.exclude(document=document).update(rank=9e9)
    assert decide(project, lead) == document
    skipped = document.annotations.get(outcome="skipped")
    ask(1)
    assert not places.return_to_queue(annotation=skipped)
    ask(2)
    assert places.return_to_queue(annotation=skipped)
