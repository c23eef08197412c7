from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from annotate.models import Annotation, Card, Decision, Document, Event, Job, Label, Project, User
from annotate.models.jobs import JobKind
from annotate.models.work import WorkState
from annotate.services.corpus import snapshots
from annotate.services.documents import filters
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.labeling import decisions
from annotate.services.projects import labels, merging
from annotate.services.projects.refused import Refused
from training.types import Answer

Annotate = Callable[..., Annotation]


def _names(project: Project) -> list[list[str]]:
    rows = project.annotations.order_by("pk")
    return [sorted(row.choices.values_list("label__name", flat=True)) for row in rows]


def test_answers_become_answers_with_the_other_label_and_keep_the_old_name_in_their_history(
    multi_project: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Annotate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "CHUNK", 2)
    red, green, _blue = multi_project.labels.all()
    texts = add_documents(multi_project, "one", "two", "three", "four")
    for text, names in zip(texts, (["red"], ["red", "green"], ["green"], ["red", "blue"]), strict=True):
        annotate(text, annotator, *names)
    assert merging.answers_with_both(red, green) == 1
    (job,) = merging.merge(label=red, into=green, by=lead)
    assert (job.kind, Event.objects.get().details) == (JobKind.MERGE, {"into": "green", "annotations": 3})
    learned = [label for votes in _votes(multi_project).values() for label in votes]
    assert red.pk not in learned, "a run that starts before the worker learns them as what they became"
    assert list(merging.waiting()) == [multi_project]
    assert merging.move(project=multi_project)
    assert _names(multi_project) == [["green"], ["green"], ["green"], ["blue", "green"]]
    said = Decision.objects.order_by("pk").values_list("answer", flat=True)
    assert sorted(len(answer.labels) for answer in said if red.pk in answer.labels) == [1, 2, 2]
    assert not merging.waiting().exists()
    assert {text.pk for text in filters.find(multi_project, {"label": red.pk})} == {text.pk for text in texts}


def _votes(project: Project) -> dict[int, tuple[int | str, ...]]:
    live = set(project.labels.live().values_list("pk", flat=True))
    _newest, cast = snapshots.votes(project, labels=live, project=project)
    return {document: votes[0].answer.labels for document, votes in cast.items()}


def test_a_page_a_file_and_an_earlier_merge_that_name_a_merged_label_mean_what_it_became(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]], annotate: Annotate
) -> None:
    (document,) = add_documents(project, "one")
    red, green, blue = project.labels.all()
    card = Card.objects.create(document=document, annotator=annotator, key=uuid.uuid4())
    merging.merge(label=red, into=green)
    merging.merge(label=green, into=blue)
    for _sent_twice in range(2):
        decisions.submit(
            project=project,
            annotator=annotator,
            card=card.key,
            outcome="answered",
            answer=Answer((red.pk,)),
        )
    row = IncomingDocument("two", answer=Answer(("red",)))
    store_rows(project=project, rows=[row], create_labels=True)
    assert _names(project) == [["blue"], ["blue"]]
    assert Decision.objects.get(card=card.key).answer.labels == (red.pk,)
    assert Decision.objects.filter(annotation__document=document).count() == 1


def test_a_merge_that_makes_no_sense_is_refused(project: Project) -> None:
    red, green, _blue = project.labels.all()
    with pytest.raises(Refused, match="Choose another"):
        merging.merge(label=red, into=red)
    labels.archive_label(label=green)
    with pytest.raises(Refused, match="“green” is archived"):
        merging.merge(label=red, into=green)
    labels.restore_label(label=green)
    (job,) = merging.merge(label=red, into=green)
    assert job.state == WorkState.QUEUED
    with pytest.raises(Refused, match="“red” was merged already"):
        merging.merge(label=red, into=green)


def test_a_merge_that_is_taken_back_gives_a_label_the_answers_that_nobody_has_decided_anew(
    multi_project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Annotate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "CHUNK", 2)
    red, green, blue = multi_project.labels.all()
    texts = add_documents(multi_project, "one", "two", "three", "four", "five")
    for text, names in zip(
        texts, (["red"], ["red", "green"], ["green"], ["blue", "red"], ["red"]), strict=True
    ):
        annotate(text, annotator, *names)
    merging.merge(label=red, into=green)
    assert merging.move(project=multi_project)
    for text, label in ((texts[0], blue), (texts[4], green)):
        card = Card.objects.create(document=text, annotator=annotator, key=uuid.uuid4())
        decisions.submit(
            project=multi_project,
            annotator=annotator,
            card=card.key,
            outcome="answered",
            answer=Answer((label.pk,)),
        )
    merging.merge(label=blue, into=green)
    told = merging.consequences_of_return(Label.objects.get(pk=red.pk))
    assert told[0] == "2 answers were given as “red” and are that again."
    assert labels.restore_label(label=red) == []
    assert Job.objects.get().is_asked_again, "the job of the first merge is still there"
    assert list(merging.waiting()) == [multi_project]
    while not merging.move(project=multi_project):
        pass
    assert _names(multi_project) == [["green"], ["green", "red"], ["green"], ["green", "red"], ["green"]]
    assert not merging.waiting().exists()
    assert labels.restore_label(label=red) == [], "it is offered already"


def test_an_answer_that_somebody_holds_is_given_back_later(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Annotate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    red, green, _blue = project.labels.all()
    annotate(add_documents(project, "one")[0], annotator, "red")
    merging.merge(label=red, into=green)
    merging.move(project=project)
    Job.objects.all().delete()
    (job,) = labels.restore_label(label=red)
    assert job.kind == JobKind.MERGE
    with monkeypatch.context() as held:
        held.setattr(merging, "_lock", lambda annotations: Annotation.objects.none())
        assert not merging.move(project=project)
    assert _names(project) == [["green"]]
    assert merging.move(project=project)
    assert _names(project) == [["red"]]


def test_labels_stand_in_the_order_that_a_lead_gives_them(project: Project) -> None:
    red, green, blue = project.labels.all()
    assert labels.reorder(project=project, order=[blue.pk, 987654, red.pk, blue.pk])
    assert list(project.labels.live()) == [blue, red, green]
    assert not labels.reorder(project=project, order=[blue.pk, red.pk])
    assert snapshots.take(project=project).label_ids == (red.pk, green.pk, blue.pk)
