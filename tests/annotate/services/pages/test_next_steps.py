"""What a lead should do next: each rule's sentence while something is to be done, and nothing after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotate.models import (
    Annotation,
    AnnotationLabel,
    AnnotationSpan,
    Document,
    HandedOnAnswer,
    Import,
    ModelVersion,
    OutOfFoldScore,
    Project,
    ReportCard,
    User,
)
from annotate.services.pages.next_steps import todo
from tests.annotate.made.answered import answer
from tests.annotate.made.drift import make_alarm
from training.types import Answer

AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def version(project: Project) -> ModelVersion:
    """A version that serves, measured on enough documents."""
    return make_version(project, 1, "embedding", stage="published")


def make_version(project: Project, number: int, family: str, **fields: Any) -> ModelVersion:
    given = {"labelled": 100, "holdout_documents": 200, "bundle": f"bundle-{number}"} | fields
    return ModelVersion.objects.create(project=project, number=number, family=family, **given)


def told(project: Project, *, is_lead: bool = True) -> dict[str, str]:
    published = project.versions.published().first()
    found = todo.steps(project, published=published, is_lead=is_lead)
    return {step.key: step.sentence for step in found}


def test_a_project_where_all_is_well_asks_for_nothing(
    project: Project, version: ModelVersion, annotator: User, add_documents: AddDocuments
) -> None:
    for document in add_documents(project, "one", "two"):
        answer(document, annotator, "red")
    assert told(project) == {}


def test_an_open_alarm_comes_first_and_goes_with_its_end(project: Project, version: ModelVersion) -> None:
    alarm = make_alarm(project)
    Import.objects.create(project=project, name="more.csv", file="more.csv")
    assert list(told(project)) == ["drift-alarm", "waiting-import"]
    project.drift_alarms.filter(pk=alarm.pk).update(ended_at=timezone.now())
    assert "drift-alarm" not in told(project)


def _card(project: Project, documents: int, speeds: dict[int, float], recommended: int) -> None:
    names = {number: f"v{number}" for number in speeds}
    ReportCard.objects.create(
        project=project,
        content={
            "documents": documents,
            "versions": {name: number for number, name in names.items()},
            "candidates": [
                {"name": names[number], "speed": {"p50_ms": speed}} for number, speed in speeds.items()
            ],
            "recommendation": {"name": names[recommended]},
        },
    )


def test_a_cheaper_version_within_noise_is_published_by_one_press(
    project: Project, version: ModelVersion, lead: User, sign_in: Callable[[User], Client]
) -> None:
    make_version(project, 2, "tfidf")
    _card(project, 99, {1: 18.0, 2: 2.0}, 2)
    assert "recommended-version" not in told(project)  # on so few documents large differences are noise
    _card(project, 100, {1: 18.0, 2: 2.0}, 2)
    assert "9.0 times faster" in told(project)["recommended-version"]
    _card(project, 100, {1: 2.0, 2: 2.0}, 2)
    assert "is recommended in place of" in told(project)["recommended-version"]
    assert "recommended-version" not in told(project, is_lead=False)
    button = f'action="{reverse("version-publish", args=[project.slug, 2])}"'
    assert button in sign_in(lead).get(reverse("project", args=[project.slug])).content.decode()


def test_the_version_that_serves_and_its_own_successor_are_not_recommended(
    project: Project, version: ModelVersion
) -> None:
    make_version(project, 2, "embedding")
    _card(project, 100, {1: 18.0, 2: 2.0}, 2)
    assert told(project) == {}
    _card(project, 100, {1: 18.0, 2: 2.0}, 1)
    assert told(project) == {}


def test_a_version_that_nobody_could_measure_wants_holdout_answers(
    project: Project, version: ModelVersion
) -> None:
    assert "unmeasured-version" not in told(project)
    project.versions.update(holdout_documents=9)
    assert "9 holdout documents report figures, and 10 are needed" in told(project)["unmeasured-version"]


def test_probable_label_errors_are_counted(
    project: Project, version: ModelVersion, annotator: User, add_documents: AddDocuments
) -> None:
    for document in add_documents(project, "one", "two"):
        answer(document, annotator, "red")
        OutOfFoldScore.objects.create(
            project=project,
            document=document,
            version=version,
            answer=Answer(),
            disagrees=True,
            is_suspect=True,
            learned_at=timezone.now(),
        )
    assert told(project)["likely-errors"] == "2 answers are probably wrong."
    for annotation in Annotation.objects.all():
        annotation.save()  # somebody has decided anew
    assert "likely-errors" not in told(project)


def _disagree(documents: list[Document], one: User, other: User, *labels: str) -> None:
    for document in documents:
        for user, label in zip((one, other), labels, strict=True):
            answer(document, user, label)


def test_labels_that_people_take_for_each_other_want_a_word_in_the_guidelines(
    project: Project, lead: User, annotator: User, add_documents: AddDocuments
) -> None:
    documents = add_documents(project, *(f"text {n}" for n in range(5)))
    _disagree(documents[:2], lead, annotator, "red", "green")
    assert "split-labels" not in told(project)  # two may be slips
    _disagree(documents[2:4], lead, annotator, "green", "red")
    assert "on 4 documents whether they are “red” or “green”" in told(project)["split-labels"]
    project.guidelines_version += 1
    assert "split-labels" not in told(project)


def test_where_any_number_of_labels_fits_people_disagree_about_one(
    multi_project: Project, lead: User, annotator: User, add_documents: AddDocuments
) -> None:
    documents = add_documents(multi_project, "one", "two", "three")
    for document in documents:
        answer(document, lead, "red")
        answer(document, annotator)
    assert "on 3 documents about “red”" in told(multi_project)["split-labels"]
    gold = Annotation.objects.get(document=documents[0], annotator=lead)
    gold.is_gold = True
    gold.save()
    assert "split-labels" not in told(multi_project)  # a gold answer settles its document


def test_a_flag_is_open_until_somebody_answers(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one")
    answer(document, annotator, outcome="flagged")
    assert told(project, is_lead=False)["open-flags"].startswith("1 document is flagged")
    answer(document, lead, "red")
    assert "open-flags" not in told(project)


def test_answers_of_people_who_were_removed_wait_for_a_lead(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one")
    HandedOnAnswer.objects.create(
        project=project,
        document=document,
        annotator=annotator,
        card="00000000-0000-0000-0000-000000000001",
        outcome="answered",
        answer=Answer(),
    )
    assert told(project)["handed-on"].startswith("1 answer of somebody")
    HandedOnAnswer.objects.update(settled_at=timezone.now())
    assert "handed-on" not in told(project)


def test_a_file_waits_until_its_columns_are_known(project: Project) -> None:
    upload = Import.objects.create(project=project, name="more.csv", file="more.csv")
    assert "“more.csv”" in told(project)["waiting-import"]
    Import.objects.filter(pk=upload.pk).update(state="queued")
    assert "waiting-import" not in told(project)


def test_a_label_with_few_holdout_documents_is_told_with_what_is_missing(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    for number in range(20):
        (document,) = add_documents(project, f"text {number}", lane="holdout")
        answer(document, annotator, "red" if number < 19 else "green")
    assert "small-holdout" not in told(project)  # there are no figures yet
    make_version(project, 1, "tfidf", stage="published")
    sentence = told(project)["small-holdout"]
    assert "“green” has 1 holdout document: 19 more make" in sentence
    assert "1 other label has few as well." in sentence
    for name in ("red", "green"):
        for number in range(20):
            (document,) = add_documents(project, f"{name} {number}", lane="holdout")
            answer(document, annotator, name)
    assert "small-holdout" not in told(project)


def test_labels_that_nobody_gave_are_named_once_there_are_many_answers(
    make_project: Callable[..., Project], annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(slug="names", task="span", labels=("person", "place", "date", "sum", "law"))
    documents = add_documents(project, *(f"text {n}" for n in range(200)))
    first = [answer(document, annotator) for document in documents[:199]]
    assert "unused-labels" not in told(project)
    answer(documents[199], annotator)
    assert "“person”, “place”, “date” (+2)" in told(project)["unused-labels"]
    for label in project.labels.all():
        AnnotationSpan.objects.create(annotation=first[0], label=label, start=0, end=4)
    assert "unused-labels" not in told(project)


def test_what_takes_a_look_at_every_answer_is_found_once_for_each_decision(
    project: Project,
    version: ModelVersion,
    annotator: User,
    lead: User,
    add_documents: AddDocuments,
) -> None:
    documents = add_documents(project, *(f"text {n}" for n in range(5)), lane="holdout")
    _disagree(documents[:4], lead, annotator, "red", "green")
    with CaptureQueriesContext(connection) as first:
        steps = todo.steps(project, published=version, is_lead=True)
    with CaptureQueriesContext(connection) as second:
        assert todo.steps(project, published=version, is_lead=True) == steps
    assert [_reads_answers(queries) for queries in (first, second)] == [True, False]
    answer(documents[4], annotator, "red")
    with CaptureQueriesContext(connection) as third:
        todo.steps(project, published=version, is_lead=True)
    assert _reads_answers(third)


def _reads_answers(queries: CaptureQueriesContext) -> bool:
    """Tell whether labels were read, and not only looked whether there are any."""
    asked = [query["sql"] for query in queries.captured_queries]
    return any("annotate_annotationlabel" in sql and "EXISTS" not in sql for sql in asked)


def test_no_number_of_labels_or_documents_costs_more_questions(
    project: Project,
    version: ModelVersion,
    annotator: User,
    lead: User,
    add_documents: AddDocuments,
    django_assert_max_num_queries: Any,
) -> None:
    _card(project, 100, {1: 18.0}, 1)
    make_alarm(project)
    documents = add_documents(project, *(f"text {n}" for n in range(30)), lane="holdout")
    _disagree(documents, lead, annotator, "red", "green")
    assert AnnotationLabel.objects.count() == 60
    with django_assert_max_num_queries(20):
        todo.steps(project, published=version, is_lead=True)
