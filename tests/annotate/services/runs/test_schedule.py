from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Annotation, Document, Project, TrainingRun, User
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.runs import schedule
from training.registry import FAMILIES, Family
from training.tasks import SINGLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def labels(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Annotation],
) -> Callable[[int], None]:
    def add(n: int) -> None:
        there = project.documents.count()
        for document in add_documents(project, *(f"text {there + i}" for i in range(n))):
            annotate(document, annotator, "red")

    return add


def finish_all() -> None:
    TrainingRun.objects.update(state="succeeded")


def test_it_opens_a_run_of_each_family_once_enough_labels_are_new(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(9)
    assert schedule.open_if_due(project=project) == []
    assert schedule.labels_until_next(project=project) == 1
    labels(1)
    assert [run.family for run in schedule.open_if_due(project=project)] == ["embedding", "tfidf"]


def test_labels_of_the_holdout_lane_open_no_run(
    project: Project,
    annotator: User,
    labels: Callable[[int], None],
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Annotation],
) -> None:
    for document in add_documents(project, *(f"held {i}" for i in range(20)), lane="holdout"):
        annotate(document, annotator, "red")
    assert schedule.open_if_due(project=project) == []
    assert schedule.labels_until_next(project=project) == 10
    Annotation.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE) == []
    labels(10)
    assert schedule.labels_until_next(project=project) == 0
    assert len(schedule.open_if_due(project=project)) == len(project.families)


def test_the_page_waits_for_no_labels_while_no_number_of_them_opens_a_run(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(10)
    schedule.open_if_due(project=project)
    labels(30)
    assert schedule.open_if_due(project=project) == []  # all are training
    assert schedule.labels_until_next(project=project) is None
    TrainingRun.objects.filter(family="tfidf").update(state="succeeded")
    assert schedule.labels_until_next(project=project) == 0
    assert [run.family for run in schedule.open_if_due(project=project)] == ["tfidf"]
    finish_all()
    project.families = ["gone from the registry"]
    assert schedule.labels_until_next(project=project) is None
    project.families, project.training_enabled = ["tfidf"], False
    assert schedule.labels_until_next(project=project) is None


def test_the_family_that_learned_longest_ago_is_the_next_to_be_due(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(10)
    schedule.open_if_due(project=project)
    finish_all()
    labels(4)
    schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD, family="tfidf")
    finish_all()
    labels(3)
    assert schedule.labels_until_next(project=project) == 3
    labels(3)
    assert [run.family for run in schedule.open_if_due(project=project)] == ["embedding"]


def test_only_the_project_s_families_train_by_themselves(
    project: Project, labels: Callable[[int], None]
) -> None:
    project.families = ["tfidf", "gone from the registry"]
    labels(10)
    assert [run.family for run in schedule.open_if_due(project=project)] == ["tfidf"]
    assert schedule.labels_until_next(project=project) is None  # the one there is is training


def test_a_lead_starts_one_family_that_is_not_automatic(project: Project) -> None:
    project.families = ["tfidf"]
    lead = schedule.RunReason.LEAD
    assert [run.family for run in schedule.open_if_due(project=project, reason=lead)] == ["tfidf"]
    opened = schedule.open_if_due(project=project, reason=lead, family="embedding")
    assert [run.family for run in opened] == ["embedding"]
    assert schedule.open_if_due(project=project, reason=lead, family="embedding") == []


def test_a_family_that_cannot_do_the_task_is_not_one_of_its_families(
    project: Project, multi_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = (SINGLE.score_kind,)
    one = Family("one", "One", "nowhere:One", help="For one task.", score_kinds=kinds)
    monkeypatch.setitem(FAMILIES, "one", one)
    assert "one" in schedule.able_families(project.task)
    assert "one" not in schedule.able_families(multi_project.task)


def test_a_slow_run_that_is_alive_does_not_count_as_due(
    project: Project, labels: Callable[[int], None]
) -> None:
    TrainingRun.objects.create(project=project, family="embedding", reason="lead", state="running")
    labels(10)
    (quick,) = schedule.open_if_due(project=project)
    assert quick.family == "tfidf"
    TrainingRun.objects.filter(pk=quick.pk).update(state="succeeded")
    assert schedule.labels_until_next(project=project) == project.retrain_after


def test_it_counts_from_the_last_run_on(project: Project, labels: Callable[[int], None]) -> None:
    labels(10)
    schedule.open_if_due(project=project)
    finish_all()
    labels(9)
    assert schedule.open_if_due(project=project) == []
    labels(1)
    assert len(schedule.open_if_due(project=project)) == len(project.families)


def test_it_keeps_one_live_run_per_family(project: Project) -> None:
    assert len(schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)) == len(project.families)
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD) == []


def test_it_trains_on_few_labels_when_people_pause(project: Project, labels: Callable[[int], None]) -> None:
    labels(1)
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE) == []
    Annotation.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert len(schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE)) == len(project.families)
    finish_all()
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE) == []


@pytest.mark.parametrize(("learned", "enough"), [(0, 1), (74, 1), (76, 2), (200, 4)])
def test_a_pause_makes_a_model_of_the_more_labels_the_more_it_has_learned(
    project: Project, labels: Callable[[int], None], learned: int, enough: int
) -> None:
    schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
    finish_all()
    for run in project.runs.all():
        run.snapshot = replace(SnapshotSummary.load(run.snapshot), labelled=learned).dump()
        run.save()
    labels(enough - 1)
    Annotation.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE) == []
    labels(1)
    Annotation.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert len(schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE)) == len(project.families)


def test_people_have_not_paused_while_the_newest_label_is_fresh(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(2)
    first = Annotation.objects.earliest("pk")
    Annotation.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(seconds=60))
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE) == []


def test_before_the_first_label_only_families_that_start_from_names_are_opened(project: Project) -> None:
    names = schedule.RunReason.NAMES
    assert [run.family for run in schedule.open_if_due(project=project, reason=names)] == ["embedding"]
    finish_all()
    project.training_enabled = False
    assert schedule.open_if_due(project=project, reason=names) == []


def test_it_leaves_a_project_alone_that_does_not_train_by_itself(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(10)
    project.training_enabled = False
    assert schedule.open_if_due(project=project) == []
    assert schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
