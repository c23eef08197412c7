"""Decisions that mark pieces of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from annotate.models import Annotation, Card, Decision, Document, Project, User
from annotate.services.labeling import corrections, decisions
from annotate.services.projects import labels, merging
from training.types import Answer, Span

pytestmark = pytest.mark.django_db
TEXT = "Ada 👩‍🚀 met Bob\r\nin Paris."


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place"), task="span")


@pytest.fixture
def document(entities: Project, add_documents: Callable[..., list[Document]]) -> Document:
    return add_documents(entities, TEXT)[0]


def place(words: str) -> tuple[int, int]:
    start = TEXT.index(words)
    return start, start + len(words)


def spans(project: Project, **named: str) -> Answer:
    """Return the answer that gives each label some words."""
    keys = dict(project.labels.values_list("name", "pk"))
    return Answer(spans=tuple(Span(*place(words), keys[label]) for label, words in named.items()))


def send(document: Document, user: User, answer: Answer, card: Any = None, **more: Any) -> Annotation:
    card = card or Card.objects.create(document=document, annotator=user).key
    sent = decisions.Submission(card, "answered", answer, **more)
    return decisions.keep(project=document.project, annotator=user, submission=sent).annotation


def said(annotation: Annotation) -> list[str]:
    return [TEXT[span.start : span.end] for span in annotation.spans.order_by("start")]


def test_an_answer_keeps_its_spans_and_another_one_replaces_them(
    entities: Project, document: Document, annotator: User
) -> None:
    first = send(document, annotator, spans(entities, person="Ada", place="Paris"))
    assert said(first) == ["Ada", "Paris"]
    second = send(document, annotator, spans(entities, person="Bob"))
    assert (second.pk, said(second)) == (first.pk, ["Bob"])
    assert [len(one.answer.spans) for one in Decision.objects.order_by("pk")] == [2, 1]


def test_the_same_spans_in_another_order_are_the_same_decision(
    entities: Project, document: Document, annotator: User
) -> None:
    card = Card.objects.create(document=document, annotator=annotator).key
    answer = spans(entities, person="Ada", place="Paris")
    send(document, annotator, answer, card)
    send(document, annotator, Answer(spans=answer.spans[::-1]), card)
    assert Decision.objects.count() == 1


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (15, 99, "behind the text"),
        (3, 3, "is empty"),
        (3, 4, "blanks only"),
        (3, 11, "begins or ends with a blank"),
    ],
)
def test_a_span_that_the_text_cannot_have_is_refused_and_nothing_is_kept(
    entities: Project, document: Document, annotator: User, start: int, end: int, told: str
) -> None:
    label = entities.labels.get(name="person").pk
    good = Span(*place("Ada"), label)
    with pytest.raises(decisions.Rejected, match=told):
        send(document, annotator, Answer(spans=(good, Span(start, end, label))))
    assert not Annotation.objects.exists()


@pytest.mark.parametrize(("task", "is_kept"), [("span", False), ("overlapping_span", True)])
def test_spans_cross_only_where_the_task_takes_it(
    entities: Project, document: Document, annotator: User, task: str, is_kept: bool
) -> None:
    Project.objects.update(task=task)
    document.project.refresh_from_db()
    crossing = spans(entities, person="Ada 👩‍🚀 met", place="met Bob")
    if is_kept:
        assert len(said(send(document, annotator, crossing))) == 2
    else:
        with pytest.raises(decisions.Rejected, match="overlap"):
            send(document, annotator, crossing)


def test_spans_of_another_text_are_refused(entities: Project, document: Document, annotator: User) -> None:
    seen = hashlib.sha256(TEXT.encode()).hexdigest()
    assert said(send(document, annotator, spans(entities, person="Ada"), digest=seen)) == ["Ada"]
    with pytest.raises(decisions.Rejected, match="has been changed"):
        send(document, annotator, spans(entities, person="Bob"), digest=hashlib.sha256(b"Ada").hexdigest())


def test_spans_of_a_merged_label_become_those_of_the_other_and_none_is_doubled(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    Project.objects.update(task="overlapping_span")
    document.project.refresh_from_db()
    person, other = entities.labels.order_by("pk")
    both = Answer(spans=tuple(Span(*place("Ada"), key) for key in (person.pk, other.pk)))
    kept = send(document, annotator, both)
    merging.merge(label=person, into=other, by=lead)
    assert [*merging.waiting()] == [entities]
    assert merging.move(project=entities)
    assert [span.label for span in kept.spans.all()] == [other]
    assert not merging.waiting().exists()
    late = send(document, annotator, Answer(spans=(Span(*place("Bob"), person.pk),)))
    assert [span.label for span in late.spans.all()] == [other]


def test_an_archived_label_counts_the_answers_that_keep_its_spans(
    entities: Project, document: Document, annotator: User
) -> None:
    send(document, annotator, spans(entities, person="Ada"))
    assert labels.archive_label(label=entities.labels.get(name="person")) == 1
    with pytest.raises(decisions.Rejected, match="no longer"):
        send(document, annotator, spans(entities, person="Bob"))


def test_a_withdrawn_answer_leaves_its_spans_in_the_history_alone(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    kept = send(document, annotator, spans(entities, person="Ada"))
    assert corrections.withdraw(annotation=kept, by=lead)
    assert said(kept) == []
    assert len(kept.decisions.get().answer.spans) == 1


def test_a_label_of_the_whole_text_is_no_answer_here(
    entities: Project, document: Document, annotator: User
) -> None:
    with pytest.raises(decisions.Rejected, match="takes spans only"):
        send(document, annotator, Answer((entities.labels.get(name="person").pk,)))
    assert send(document, annotator, Answer()).outcome == "answered"
