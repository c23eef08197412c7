from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import (
    Annotation,
    AnnotationLabel,
    Card,
    Document,
    Event,
    ModelVersion,
    OutOfFoldScore,
    Prediction,
    Project,
    User,
)
from annotate.models.documents import Lane
from annotate.models.events import EventKind
from annotate.services.documents import comments, history
from annotate.services.labeling import decisions, places, queue
from training.types import Answer


@pytest.fixture
def document(project: Project, add_documents: Callable[..., list[Document]]) -> Document:
    (document,) = add_documents(project, "a red rose")
    return document


@pytest.fixture
def client(sign_in: Callable[[User], Client], lead: User) -> Client:
    return sign_in(lead)


def _where(document: Document, name: str = "document") -> str:
    return reverse(name, args=[document.project.slug, document.pk])


def _label(document: Document, name: str) -> int:
    return int(document.project.labels.get(name=name).pk)


def _decide(document: Document, user: User, *labels: str, shown: Answer | None = None) -> Annotation:
    card = Card.objects.create(document=document, annotator=user, shown=shown)
    answer = Answer(tuple(_label(document, name) for name in labels))
    return decisions.submit(
        project=document.project,
        annotator=user,
        card=card.key,
        outcome="answered",
        answer=answer,
        seconds=2.5,
    )


def _predict(document: Document, label: str) -> None:
    version = ModelVersion.objects.create(
        project=document.project, number=1, family="tfidf", labelled=1, holdout_documents=1, calibrated=True
    )
    pk = _label(document, label)
    Prediction.objects.create(document=document, version=version, answer=Answer((pk,), scores=((pk, 0.83),)))


def _send(client: Client, document: Document, *labels: str, key: uuid.UUID | None = None, **sent: Any) -> Any:
    chosen = [_label(document, name) for name in labels]
    form = {"key": str(key or uuid.uuid4()), "labels": chosen, "as": "gold"} | sent
    return client.post(_where(document, "document-answer"), form)


def test_the_page_shows_the_text_as_text_and_what_was_imported_beside_it(
    client: Client, document: Document
) -> None:
    document.text = "<b>bold</b>"
    document.meta = {"from": "<i>Ann</i>", "tags": ["a", "ж"], "n": 3, "deep": {"x": {"y": None}}}
    document.save()
    page = client.get(_where(document)).content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&lt;i&gt;Ann&lt;/i&gt;" in page
    assert history.metadata(document) == [
        ("from", "<i>Ann</i>"),
        ("tags", '["a","ж"]'),
        ("n", "3"),
        ("deep", '{"x":{"y":null}}'),
    ]


def test_metadata_may_be_any_json(client: Client, document: Document) -> None:
    for meta, rows in (([1, 2], [("", "[1,2]")]), ("word", [("", "word")]), ({}, [])):
        document.meta = meta
        document.save()
        assert history.metadata(document) == rows
        assert client.get(_where(document)).status_code == 200


def test_an_annotation_tells_what_was_suggested_whether_it_was_taken_and_what_it_replaced(
    client: Client, document: Document, annotator: User
) -> None:
    red = _label(document, "red")
    annotation = _decide(document, annotator, "green", shown=Answer((red,), scores=((red, 0.9),)))
    (told,) = history.said_of(document)
    assert (told.suggested, told.is_taken, told.earlier) == ([("red", None)], False, [])
    decisions.submit(
        project=document.project,
        annotator=annotator,
        card=decisions.reopen(annotation=annotation).key,
        outcome="answered",
        answer=Answer((red,)),
    )
    (told,) = history.said_of(document)
    assert told.is_taken
    assert [names for _decision, names in told.earlier] == [["green"]]
    page = " ".join(client.get(_where(document)).content.decode().split())
    assert "and it was taken." in page
    assert "1 earlier decision" in page


def test_what_was_never_suggested_is_not_compared(document: Document, annotator: User) -> None:
    _decide(document, annotator, "red")
    (told,) = history.said_of(document)
    assert (told.suggested, told.is_taken) == (None, None)


def test_a_labelled_pool_document_does_not_show_what_the_model_says_of_it(
    client: Client, document: Document, annotator: User
) -> None:
    _predict(document, "red")
    assert "83 %" in client.get(_where(document)).content.decode()
    _decide(document, annotator, "red")
    page = " ".join(client.get(_where(document)).content.decode().split())
    assert "83 %" not in page
    assert "may have learned this very text" in page
    version = ModelVersion.objects.get()
    red = document.project.labels.get(name="red")
    OutOfFoldScore.objects.create(
        project=document.project,
        document=document,
        version=version,
        answer=Answer((red.pk,), scores=((red.pk, 0.41),)),
        disagrees=False,
        is_suspect=False,
        learned_at=timezone.now(),
    )
    assert "41 %" not in client.get(_where(document)).content.decode()  # the version does not serve
    ModelVersion.objects.update(stage="published", calibrated=True)
    page = client.get(_where(document)).content.decode()
    assert "41 %" in page
    assert "Out of fold" in page
    Document.objects.filter(pk=document.pk).update(lane=Lane.HOLDOUT, half="reporting")
    assert "83 %" in client.get(_where(document)).content.decode()


def test_a_skip_is_nothing_that_a_model_learns(client: Client, document: Document, annotator: User) -> None:
    _predict(document, "red")
    Annotation.objects.create(
        project=document.project, document=document, annotator=annotator, outcome="skipped"
    )
    assert "83 %" in client.get(_where(document)).content.decode()


def test_near_duplicates_are_listed_up_to_a_bound(
    client: Client, document: Document, add_documents: Callable[..., list[Document]]
) -> None:
    assert history.near_duplicates(document) == ([], False)  # an empty key is shared by nobody
    others = add_documents(document.project, *[f"a red rose {n}" for n in range(history.MOST_NEAR + 1)])
    Document.objects.update(split_key="same")
    document.refresh_from_db()
    near, has_more = history.near_duplicates(document)
    assert [other.pk for other in near] == [other.pk for other in reversed(others[1:])]
    assert has_more
    others[0].delete()
    assert not history.near_duplicates(document)[1]
    assert "a red rose 5" in client.get(_where(document)).content.decode()


def test_the_neighbours_are_those_of_the_list_with_its_filter(
    client: Client, project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    first, second, third, fourth = add_documents(project, "x one", "two", "x three", "x four")
    page = client.get(_where(third), {"q": "x", "lane": "pool", "colour": "odd"})
    assert (page.context["newer"], page.context["older"]) == (fourth.pk, first.pk)
    assert f'href="{_where(first)}?q=x&amp;lane=pool"' in page.content.decode()
    page = client.get(_where(third))
    assert (page.context["newer"], page.context["older"]) == (fourth.pk, second.pk)
    page = client.get(_where(first), {"disagree": "1"})
    assert (page.context["newer"], page.context["older"]) == (None, None)
    assert page.context["query"] == "disagree=1"


def test_the_list_opens_a_document_with_its_own_filter(client: Client, document: Document) -> None:
    page = client.get(reverse("documents", args=[document.project.slug]), {"lane": "pool"}).content.decode()
    assert f'href="{_where(document)}?lane=pool"' in page


def test_a_gold_answer_settles_the_document_and_keeps_what_others_said(
    client: Client, document: Document, annotator: User, lead: User
) -> None:
    theirs = _decide(document, annotator, "green")
    response = client.post(
        _where(document, "document-answer") + "?lane=pool",
        {"key": str(uuid.uuid4()), "labels": [_label(document, "red")], "as": "gold", "reason": "see page 3"},
    )
    assert response["Location"] == _where(document) + "?lane=pool"
    gold = Annotation.objects.get(document=document, is_gold=True)
    assert (gold.annotator, gold.source, gold.reason) == (lead, "web", "see page 3")
    assert [choice.label.name for choice in gold.choices.all()] == ["red"]
    theirs.refresh_from_db()
    assert [choice.label.name for choice in theirs.choices.all()] == ["green"]
    event = Event.objects.get(kind=EventKind.GOLD_GIVEN)
    assert (event.by, event.document_id, event.details) == (lead, document.pk, {})
    assert "lena gave document" in client.get(_where(document)).content.decode()


def test_a_document_has_one_gold_answer_and_the_event_says_whose_it_was_before(
    client: Client, document: Document, annotator: User
) -> None:
    theirs = _decide(document, annotator, "green")
    Annotation.objects.filter(pk=theirs.pk).update(is_gold=True)
    _send(client, document, "red")
    assert document.annotations.filter(is_gold=True).exclude(pk=theirs.pk).count() == 1
    assert not document.annotations.get(pk=theirs.pk).is_gold
    assert Event.objects.get(kind=EventKind.GOLD_GIVEN).details == {"in_place_of": "anton"}


def test_a_lead_may_answer_without_gold_and_take_gold_back(
    client: Client, document: Document, annotator: User, lead: User
) -> None:
    _send(client, document, "red", **{"as": "own"})
    own = document.annotations.get()
    assert (own.is_gold, own.annotator) == (False, lead)
    assert not Event.objects.exists()
    _send(client, document, "red")
    _send(client, document, "blue", **{"as": "own"})
    own.refresh_from_db()
    assert not own.is_gold
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True)) == ["gold-given", "gold-removed"]
    (told,) = history.said_of(document)
    assert [names for _decision, names in told.earlier] == [["red"], ["red"]]


def test_an_answer_of_the_lead_leaves_gold_of_others_alone(
    client: Client, document: Document, annotator: User
) -> None:
    theirs = _decide(document, annotator, "green")
    Annotation.objects.filter(pk=theirs.pk).update(is_gold=True)
    _send(client, document, "red", **{"as": "own"})
    assert document.annotations.get(is_gold=True).pk == theirs.pk


def test_a_form_that_is_sent_twice_counts_once(client: Client, document: Document) -> None:
    key = uuid.uuid4()
    for _time in range(2):
        assert _send(client, document, "red", key=key).status_code == 302
    assert document.annotations.get().decisions.count() == 1
    assert Event.objects.count() == 1


def test_a_gold_answer_takes_the_document_out_of_the_queue(
    client: Client, document: Document, annotator: User
) -> None:
    places.append(project=document.project, documents=[document], number=1, batch=None)
    assert history.is_queued(document)
    _send(client, document, "red")
    assert not history.is_queued(document)
    assert queue.deal(project=document.project, annotator=annotator) is None


@pytest.mark.parametrize("labels", [[], ["red", "green"]])
def test_what_the_task_does_not_allow_is_refused_and_stays_chosen(
    client: Client, document: Document, labels: list[str]
) -> None:
    response = _send(client, document, *labels, reason="because")
    assert response.status_code == 422
    assert not document.annotations.exists()
    assert "takes exactly one label" in response.content.decode()
    assert "because" in response.content.decode()
    chosen = [label.name for label, is_chosen in response.context["form"].choices if is_chosen]
    assert chosen == labels


@pytest.mark.parametrize(
    "sent", [{"labels": ["x"]}, {"labels": ["999999"]}, {"key": "none"}, {"reason": "\0"}]
)
def test_what_no_form_sends_is_told(client: Client, document: Document, sent: dict[str, Any]) -> None:
    response = _send(client, document, "red", **sent)
    assert response.status_code == 422
    assert "Nothing was saved" in response.content.decode()
    assert not document.annotations.exists()


def test_none_applies_is_chosen_and_never_left_over(
    client: Client, multi_project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(multi_project, "nothing")
    assert _send(client, document).status_code == 422
    assert _send(client, document, "red", none="1").status_code == 422
    assert _send(client, document, none="1").status_code == 302
    assert document.annotations.get().choices.count() == 0
    assert client.get(_where(document)).context["form"].is_none
    assert _send(client, document, "red", "blue").status_code == 302
    assert AnnotationLabel.objects.filter(annotation__document=document).count() == 2


def test_a_document_of_another_project_is_not_there(
    client: Client, make_project: Callable[..., Project], document: Document
) -> None:
    other = make_project(slug="shapes")
    assert client.get(reverse("document", args=[other.slug, document.pk])).status_code == 404
    assert client.post(reverse("document-answer", args=[other.slug, document.pk])).status_code == 404


def _withdraw(client: Client, annotation: Annotation) -> Any:
    where = reverse("annotation-withdraw", args=[annotation.project.slug, annotation.pk])
    return client.post(f"{where}?lane=pool")


def test_a_withdrawn_answer_counts_no_more_and_stays_in_the_history(
    client: Client, document: Document, annotator: User, lead: User
) -> None:
    annotation = _decide(document, annotator, "green")
    Annotation.objects.filter(pk=annotation.pk).update(is_gold=True)
    assert _withdraw(client, annotation)["Location"] == _where(document) + "?lane=pool"
    annotation.refresh_from_db()
    assert (annotation.outcome, annotation.is_gold) == ("withdrawn", False)
    assert not annotation.choices.exists()
    assert not document.annotations.answered().exists()
    (told,) = history.said_of(document)
    assert [(decision.outcome, names) for decision, names in told.earlier] == [("answered", ["green"])]
    event = Event.objects.get(kind=EventKind.ANSWER_WITHDRAWN)
    assert (event.by, event.document_id, event.subject) == (lead, document.pk, "anton")
    assert event.details == {"was_gold": True}


def test_an_answer_without_a_decision_of_its_own_is_kept_as_one_when_it_is_withdrawn(
    client: Client, document: Document, annotator: User
) -> None:
    annotation = Annotation.objects.create(
        project=document.project, document=document, annotator=annotator, outcome="answered"
    )
    AnnotationLabel.objects.create(annotation=annotation, label_id=_label(document, "red"))
    _withdraw(client, annotation)
    (told,) = history.said_of(document)
    assert [names for _decision, names in told.earlier] == [["red"]]


def test_what_is_no_answer_cannot_be_withdrawn(client: Client, document: Document, annotator: User) -> None:
    annotation = _decide(document, annotator, "green")
    for _time in range(2):
        _withdraw(client, annotation)
    assert Event.objects.count() == 1
    assert annotation.decisions.count() == 1
    annotation.refresh_from_db()
    assert annotation.outcome == "withdrawn"


def test_a_withdrawn_answer_can_be_returned_to_the_queue_and_given_anew(
    client: Client, document: Document, annotator: User
) -> None:
    annotation = _decide(document, annotator, "green")
    _withdraw(client, annotation)
    assert queue.deal(project=document.project, annotator=annotator) is None
    client.post(reverse("document-return", args=[document.project.slug, annotation.pk]))
    dealt = queue.deal(project=document.project, annotator=annotator)
    assert dealt is not None
    _decide(document, annotator, "blue")
    annotation.refresh_from_db()
    assert annotation.outcome == "answered"
    (told,) = history.said_of(document)
    assert [names for _decision, names in told.earlier] == [["green"]]


def test_nobody_sends_a_withdrawal_as_a_decision(document: Document, annotator: User) -> None:
    card = Card.objects.create(document=document, annotator=annotator)
    with pytest.raises(decisions.Rejected):
        decisions.submit(
            project=document.project, annotator=annotator, card=card.key, outcome="withdrawn", answer=Answer()
        )


def test_the_withdrawn_are_found_by_their_outcome(
    client: Client, document: Document, annotator: User
) -> None:
    _withdraw(client, _decide(document, annotator, "green"))
    where = reverse("documents", args=[document.project.slug])
    found = {
        outcome: len(client.get(where, {"outcome": outcome}).context["rows"])
        for outcome in ("answered", "skipped", "withdrawn", "none")
    }
    assert found == {"answered": 0, "skipped": 0, "withdrawn": 1, "none": 0}


def test_a_comment_is_shown_as_text_and_its_event_does_not_repeat_it(
    client: Client, document: Document, lead: User
) -> None:
    form = {"key": str(uuid.uuid4()), "text": "is <b>this</b> right?"}
    for _time in range(2):
        response = client.post(_where(document, "document-comment") + "?lane=pool", form)
        assert response["Location"] == _where(document) + "?lane=pool#comments"
    comment = document.comments.get()
    assert (comment.author, comment.text) == (lead, "is <b>this</b> right?")
    event = Event.objects.get()
    assert (event.kind, event.by, event.document_id) == (EventKind.COMMENTED, lead, document.pk)
    assert (event.subject, event.details) == ("", {})
    assert "is &lt;b&gt;this&lt;/b&gt; right?" in client.get(_where(document)).content.decode()


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * (comments.LONGEST + 1)])
def test_a_comment_that_cannot_be_kept_is_told_and_stays_in_the_form(
    client: Client, document: Document, text: str
) -> None:
    response = client.post(_where(document, "document-comment"), {"key": str(uuid.uuid4()), "text": text})
    assert response.status_code == 422
    assert "Nothing was saved" in response.content.decode()
    assert response.context["comment_form"]["text"].value() == text
    assert not document.comments.exists()
