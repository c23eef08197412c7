"""The page of a document on which people mark pieces: who marked what, and a lead who takes of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Annotation, Document, Project, User
from annotate.services.documents import filters
from annotate.services.documents.spans import agreement
from annotate.services.projects import labels
from training.types import Answer, Span


@pytest.fixture(autouse=True)
def _no_figures_are_kept() -> None:
    cache.clear()


TEXT = "Ada met Bob in Paris."


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place"), task="span")


@pytest.fixture
def document(entities: Project, add_documents: Callable[..., list[Document]]) -> Document:
    return add_documents(entities, TEXT)[0]


def span(document: Document, words: str, label: str) -> Span:
    start = document.text.index(words)
    return Span(start, start + len(words), document.project.labels.get(name=label).pk)


def mark(document: Document, user: User, *spans: Span) -> Annotation:
    made = Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome="answered"
    )
    made.say(Answer(spans=spans))
    return made


def where(document: Document, name: str = "document") -> str:
    return reverse(name, args=[document.project.slug, document.pk])


def test_the_page_shows_each_span_once_with_who_marked_it(
    document: Document, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    ada, paris = span(document, "Ada", "person"), span(document, "Paris", "place")
    first = mark(document, annotator, ada, paris)
    second = mark(document, lead, ada)
    context = sign_in(lead).get(where(document)).context
    assert json.loads(context["offered"]) == [
        [0, 3, ada.label, None, "anton, lena", [first.pk, second.pk]],
        [15, 20, paris.label, None, "anton", [first.pk]],
    ]
    assert context["takers"] == [((first.pk, "anton"), "s"), ((second.pk, "lena"), "c")]


def test_of_an_archived_label_nothing_is_offered_and_a_refused_answer_stays_marked(
    document: Document, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    ada, paris = span(document, "Ada", "person"), span(document, "Paris", "place")
    mark(document, annotator, ada, paris)
    document.project.labels.filter(name="person").update(archived_at=timezone.now())
    client = sign_in(lead)
    assert [row[4] for row in json.loads(client.get(where(document)).context["offered"])] == ["anton"]
    sent = [[15, 20, paris.label], [16, 20, paris.label]]
    form = {"key": str(uuid.uuid4()), "as": "gold", "spans": json.dumps(sent)}
    refused = client.post(where(document, "document-answer"), form)
    assert refused.status_code == 422
    assert json.loads(refused.context["desk"].marked_spans) == sent


def test_a_lead_takes_some_spans_as_gold_and_one_that_the_text_cannot_have_is_refused(
    document: Document, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    ada, paris = span(document, "Ada", "person"), span(document, "Paris", "place")
    mark(document, annotator, ada, paris)
    client = sign_in(lead)
    sent = {"key": str(uuid.uuid4()), "as": "gold", "marked": [f"{paris.start}-{paris.end}-{paris.label}"]}
    assert client.post(where(document, "document-answer"), sent).status_code == 302
    gold = Annotation.objects.get(is_gold=True)
    assert (gold.annotator, gold.answer.spans) == (lead, (paris,))
    wrong = {"key": str(uuid.uuid4()), "as": "own", "marked": [f"3-99-{paris.label}"]}
    refused = client.post(where(document, "document-answer"), wrong)
    assert refused.status_code == 422
    assert "ends behind the text" in refused.content.decode()


def test_documents_are_found_by_the_label_of_a_span(
    entities: Project, document: Document, add_documents: Callable[..., list[Document]], annotator: User
) -> None:
    (other,) = add_documents(entities, "Bob was there.")
    mark(document, annotator, span(document, "Paris", "place"))
    mark(other, annotator, span(other, "Bob", "person"))
    place = entities.labels.get(name="place").pk
    assert [*filters.find(entities, {"label": place})] == [document]
    assert Annotation.objects.with_label(place).count() == 1


def test_people_who_marked_otherwise_disagree(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    ada = span(document, "Ada", "person")
    mark(document, annotator, ada)
    other = mark(document, lead, ada)
    assert not filters.find(entities, {"split": True}).exists()
    other.say(Answer(spans=(span(document, "Ada met", "person"),)))
    other.save()  # as a decision does, which tells when it was
    assert [*filters.find(entities, {"split": True})] == [document]


def test_agreement_counts_equal_spans_and_those_that_share_a_letter(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    mark(document, annotator, span(document, "Ada", "person"), span(document, "Paris", "place"))
    mark(document, lead, span(document, "Ada met", "person"), span(document, "Paris", "place"))
    (pair,) = agreement.of(entities).pairs
    assert (pair.one, pair.other, pair.documents) == ("anton", "lena", 1)
    assert (pair.exact, pair.overlapping) == (0.5, 1.0)


def test_agreement_of_people_who_found_nothing_is_no_figure(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    mark(document, annotator)
    mark(document, lead)
    assert [(pair.exact, pair.overlapping) for pair in agreement.of(entities).pairs] == [(None, None)]
    assert agreement.of(entities).token_alpha is None


def test_token_alpha_takes_each_word_for_one_decision(
    entities: Project, document: Document, annotator: User, lead: User
) -> None:
    mark(document, annotator, span(document, "Ada", "person"), span(document, "Paris", "place"))
    mark(document, lead, span(document, "Ada met", "person"), span(document, "Paris", "place"))
    # Of six words (the full stop is one) five are alike: 12 values, 7 of them none, 3 a person, 2 a place.
    expected = 1 - 11 * 2 / (12**2 - 7**2 - 3**2 - 2**2)
    assert agreement.of(entities).token_alpha == pytest.approx(expected)


def test_people_agree_on_labels_of_the_whole_text_beside_spans(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    annotator: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    project = make_project(slug="both", labels=("asks", "thanks"), task="joint")
    labels.add_labels(project=project, labels=[("person", "")], of_spans=True)
    asks, thanks = (project.labels.get(name=name).pk for name in ("asks", "thanks"))
    (document,) = add_documents(project, TEXT)
    ada = span(document, "Ada", "person")
    mark(document, annotator, ada).say(Answer((asks, thanks), (ada,)))
    mark(document, lead, ada).say(Answer((asks,), (ada,)))
    (pair,) = agreement.of(project).pairs
    assert (pair.exact, pair.labels) == (1.0, pytest.approx(2 / 3))
    assert agreement.of(project).token_alpha == 1.0
    page = sign_in(lead).get(reverse("documents", args=["both"])).content.decode()
    assert "F1 of labels" in page
    assert '<td class="number">0.67</td>' in page


def test_the_table_and_the_history_tell_what_was_marked(
    document: Document, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    mark(document, annotator, span(document, "Paris", "place"))
    table = sign_in(lead).get(reverse("documents", args=["entities"])).content.decode()
    mine = sign_in(annotator).get(reverse("my-work", args=["entities"])).content.decode()
    for page in (table, mine):
        assert '<strong dir="auto">place</strong> <bdi>Paris</bdi>' in page
