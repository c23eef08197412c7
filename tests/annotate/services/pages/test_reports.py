"""What a lead reads: progress, the learning curve, what is mixed up, and each label's figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from annotate.models import (
    Annotation,
    ClassMetric,
    Document,
    Label,
    ModelVersion,
    Project,
    Publication,
    TrainingRun,
    User,
)
from annotate.services.imports.labels import machine_annotator
from annotate.services.pages import overview
from annotate.services.runs import execution, schedule

pytestmark = pytest.mark.django_db
Annotate = Callable[..., Annotation]
AddDocuments = Callable[..., list[Document]]


def add_version(project: Project, number: int, f1: float | None = None, **fields: object) -> ModelVersion:
    values = {"family": "tfidf", "labelled": 10 * number, "holdout_documents": 30, "macro_f1": f1} | fields
    return ModelVersion.objects.create(project=project, number=number, **values)


def add_confused(project: Project, confusion: list[list[int]] | None) -> ModelVersion:
    labels = list(project.labels.order_by("position").values_list("pk", flat=True))
    return add_version(project, 1, label_ids=labels, report={"confusion": confusion})


def test_progress_counts_documents_by_lane_and_outcome(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments, annotate: Annotate
) -> None:
    pool = add_documents(project, *(f"pool {n}" for n in range(6)))
    held = add_documents(project, *(f"held {n}" for n in range(4)), lane="holdout")
    for document in (*pool[:3], held[0]):
        annotate(document, annotator, "red")
    annotate(pool[0], lead, "blue")  # a second opinion is no second document
    annotate(pool[3], annotator, outcome="skipped")
    annotate(held[1], annotator, outcome="flagged")
    found = overview.progress(project)
    assert {row.lane: (row.documents, row.labelled, row.share) for row in found.lanes} == {
        "pool": (6, 3, 50),
        "holdout": (4, 1, 25),
    }
    assert (found.documents, found.labelled, found.share) == (10, 4, 40)
    assert (found.skipped, found.flagged) == (1, 1)


def test_an_empty_project_has_no_progress_and_no_curve(project: Project) -> None:
    found = overview.progress(project)
    assert (found.documents, found.labelled, found.share, found.skipped, found.flagged) == (0, 0, 0, 0, 0)
    assert overview.curve(project) == []
    assert overview.published(project) == (None, None)


def test_another_project_is_not_counted(
    project: Project,
    make_project: Callable[..., Project],
    annotator: User,
    annotate: Annotate,
    add_documents: AddDocuments,
) -> None:
    other = make_project(slug="other")
    annotate(add_documents(other, "not mine")[0], annotator, "red")
    add_version(other, 1, 0.9, stage="published", published_at=timezone.now())
    assert (overview.progress(project).documents, overview.curve(project)) == (0, [])
    assert (overview.annotators(project), overview.published(project)) == ([], (None, None))


def test_the_curve_is_in_the_order_of_labels_and_leaves_out_what_was_not_measured(project: Project) -> None:
    add_version(project, 1, 0.5, labelled=30)
    add_version(project, 2, None, labelled=20)
    add_version(project, 3, 0.4, labelled=10)
    add_version(project, 4, 0.6, labelled=30, family="embedding")
    assert [(v.number, v.labelled, v.macro_f1) for v in overview.curve(project)] == [
        (3, 10, 0.4),
        (1, 30, 0.5),
        (4, 30, 0.6),
    ]


def test_the_published_version_comes_with_the_one_that_served_before_it(project: Project) -> None:
    first = add_version(project, 1, 0.5, stage="retired", bundle="1")
    add_version(project, 2, 0.4, bundle="2")  # never published
    third = add_version(project, 3, 0.6, stage="published", bundle="3")
    for version in (first, third):
        Publication.objects.create(project=project, version=version, published_at=timezone.now())
    assert overview.published(project) == (third, first)


def test_confusions_are_the_pairs_mixed_up_most_often(project: Project) -> None:
    red, green, blue = project.labels.order_by("position")
    version = add_confused(project, [[9, 2, 0], [7, 5, 2], [0, 1, 8]])
    found = [(row.label, row.decided, row.documents) for row in overview.confusions(version)]
    assert found == [(green, red, 7), (red, green, 2), (green, blue, 2), (blue, green, 1)]
    assert len(overview.confusions(version, top=2)) == 2


def test_a_label_deleted_since_is_left_out_of_the_confusions(project: Project) -> None:
    red, green, blue = project.labels.order_by("position")
    version = add_confused(project, [[1, 3, 4], [0, 1, 0], [0, 0, 1]])
    blue.delete()
    assert [(row.label, row.decided) for row in overview.confusions(version)] == [(red, green)]


def test_multi_label_versions_have_no_confusions(multi_project: Project) -> None:
    assert overview.confusions(add_confused(multi_project, None)) == []


def test_class_metrics_come_worst_first_and_the_unmeasurable_last(project: Project) -> None:
    version = add_version(project, 1)
    for name, f1, support in (("red", None, 0), ("green", 0.9, 8), ("blue", 0.0, 3)):
        label = project.labels.get(name=name)
        ClassMetric.objects.create(version=version, label=label, threshold=0.5, support=support, f1=f1)
    found = [(row.label.name, row.f1) for row in overview.class_metrics(version)]
    assert found == [("blue", 0.0), ("green", 0.9), ("red", None)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("only_tfidf")
def test_a_label_without_a_holdout_document_is_not_measurable_yet_and_not_zero(
    project: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    label_colours(project, annotator)
    label_colours(project, annotator, lane="holdout", each=6)
    project.annotations.filter(document__lane="holdout", labels__name="blue").delete()
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
    version = execution.execute(run_id=run.pk)
    assert version is not None
    *measured, blue = overview.class_metrics(version)
    assert (blue.label.name, blue.support) == ("blue", 0)
    assert (blue.f1, blue.f1_low, blue.precision, blue.recall) == (None, None, None, None)
    assert all(row.f1 is not None and row.support >= 5 for row in measured)
    assert version.macro_f1 == pytest.approx(sum(row.f1 or 0 for row in measured) / 2)


def test_annotators_come_by_what_they_did_and_machines_last(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments, annotate: Annotate
) -> None:
    robot = machine_annotator()
    documents = add_documents(project, *(f"text {n}" for n in range(5)))
    for document, seconds in zip(documents[:3], (2.0, 4.0, 90.0), strict=True):
        annotate(document, annotator, "red", seconds=seconds)
    annotate(documents[3], annotator, outcome="flagged")
    annotate(documents[0], lead, "red")
    for document in documents:
        annotate(document, robot, "red")
    found = overview.annotators(project)
    assert [row.name for row in found] == ["anton", "lena", "import"]
    assert [(row.answered, row.flagged, row.seconds) for row in found] == [
        (3, 1, 4.0),
        (1, 0, None),
        (5, 0, None),
    ]


def test_learning_names_what_lives_and_what_failed_last(project: Project, annotator: User) -> None:
    TrainingRun.objects.create(project=project, family="embedding", state="failed", error="Once.")
    TrainingRun.objects.create(project=project, family="embedding", state="succeeded")
    failed = TrainingRun.objects.create(project=project, family="tfidf", state="failed", error="Now.")
    live = TrainingRun.objects.create(project=project, family="embedding", state="running")
    found = overview.learning(project)
    assert (found.live, found.failed) == ((live,), (failed,))
    assert found.missing == project.retrain_after
    assert set(found.silent_queues) >= {"interactive", "training"}


def test_a_labels_figures_cannot_outlive_it(project: Project) -> None:
    version = add_version(project, 1)
    label: Label = project.labels.get(name="red")
    ClassMetric.objects.create(version=version, label=label, threshold=0.5, support=0)
    label.delete()
    assert overview.class_metrics(version) == []
