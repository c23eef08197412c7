"""The encoder is tuned by itself at set numbers of labels, once at each, and only where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotate.models import Document, ModelVersion, Project, TrainingRun, User
from annotate.services.runs import schedule, tuning
from annotate.services.versions.variants import RunConfig, Variant
from training.figures import evidence

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune at 24 and 36 labels and 3 held-out documents, whether or not torch is installed."""
    monkeypatch.setattr(
        tuning, "last_step", lambda labels: max((n for n in (24, 36) if n <= labels), default=0)
    )
    monkeypatch.setattr(tuning, "is_installed", lambda: True)
    monkeypatch.setattr(evidence, "FEWEST", 3)


def hold_out(project: Project, annotator: User, label_colours: Callable[..., None]) -> None:
    label_colours(project, annotator, each=1, lane="holdout", offset=900)
    project.documents.filter(lane="holdout").update(half="tuning")


@pytest.fixture
def learned(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
) -> Project:
    """A project with 24 labels and a version of the family that reads the encoder."""
    label_colours(project, annotator, each=8)
    hold_out(project, annotator, label_colours)
    ModelVersion.objects.create(
        project=project, number=1, family="embedding", labelled=9, holdout_documents=0
    )
    return project


def opened() -> list[TrainingRun]:
    return list(tuning.due())


def end(run: TrainingRun, state: str = "succeeded") -> None:
    TrainingRun.objects.filter(pk=run.pk).update(state=state)


def test_a_run_tunes_at_each_step_once(
    learned: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    (run,) = opened()
    assert (run.family, run.variant, run.is_slow, run.reason) == ("embedding", "tuned encoder", True, "tune")
    assert run.config == {"encoder": "tuned", "prepare": True}
    assert opened() == []  # it is live
    end(run)
    assert opened() == []  # the step has had its run
    label_colours(learned, annotator, each=3, offset=100)
    assert opened() == []
    label_colours(learned, annotator, each=1, offset=200)
    (second,) = opened()
    assert second.pk > run.pk


def test_labels_of_the_holdout_lane_reach_no_step(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
) -> None:
    ModelVersion.objects.create(
        project=project, number=1, family="embedding", labelled=9, holdout_documents=0
    )
    label_colours(project, annotator, each=7)
    label_colours(project, annotator, each=10, lane="holdout")
    project.documents.filter(lane="holdout").update(half="tuning")
    assert opened() == []


def test_it_waits_for_held_out_documents_to_be_compared_on(
    learned: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    learned.documents.filter(lane="holdout").update(half="reporting")
    assert opened() == []
    learned.documents.filter(lane="holdout").update(half="tuning")
    assert len(opened()) == 1


def test_it_waits_until_two_labels_are_known(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Any],
    label_colours: Callable[..., None],
) -> None:
    hold_out(project, annotator, label_colours)
    ModelVersion.objects.create(
        project=project, number=1, family="embedding", labelled=9, holdout_documents=0
    )
    for document in add_documents(project, *(f"text {i}" for i in range(30))):
        annotate(document, annotator, "red")
    assert opened() == []
    for document in add_documents(project, *(f"more {i}" for i in range(8))):
        annotate(document, annotator, "blue")
    assert len(opened()) == 1


def test_after_one_that_failed_none_follows_by_itself(
    learned: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    (run,) = opened()
    end(run, "failed")
    label_colours(learned, annotator, each=8, offset=100)
    assert opened() == []


def test_what_a_lead_has_tuned_at_a_step_is_not_tuned_again(learned: Project, lead: User) -> None:
    config = RunConfig(encoder="tuned", prepare=True)
    (run,) = schedule.open_run(
        project=learned, variant=Variant("embedding", config), reason=schedule.RunReason.LEAD, by=lead
    )
    assert opened() == []
    end(run)
    assert opened() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"training_enabled": False},
        {"publish_automatically": False},
        {"families": ["tfidf"]},
        {"family_options": {"embedding": {"encoder": "another/encoder"}}},
        {"family_options": {"embedding": {"teacher": "transformer"}}},
    ],
)
def test_a_project_that_is_set_otherwise_is_left_alone(learned: Project, changes: dict[str, Any]) -> None:
    Project.objects.filter(pk=learned.pk).update(**changes)
    assert opened() == []


def test_a_site_without_torch_or_that_is_told_not_to_tunes_nothing(
    learned: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TUNE_ENCODERS = False
    assert opened() == []
    settings.TUNE_ENCODERS = True
    monkeypatch.setattr(tuning, "is_installed", lambda: False)
    assert opened() == []


def test_so_it_is_where_any_number_of_labels_is_right(
    multi_project: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    label_colours(multi_project, annotator, each=8)
    ModelVersion.objects.create(
        project=multi_project, number=1, family="embedding", labelled=9, holdout_documents=0
    )
    assert opened() == []
    hold_out(multi_project, annotator, label_colours)
    (run,) = opened()
    assert (run.project, run.variant) == (multi_project, "tuned encoder")


def test_a_project_of_spans_is_left_alone(make_project: Callable[..., Project]) -> None:
    assert tuning.variant_of(make_project("spans", task="span")) is None


def test_nothing_is_tuned_before_the_family_has_a_model(learned: Project) -> None:
    ModelVersion.objects.all().delete()
    assert opened() == []
