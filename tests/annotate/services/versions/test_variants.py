"""What tells one run of a family from another: its words, its queue, and which runs follow each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotate.models import ModelVersion, Project, TrainingRun, User
from annotate.models.work import WorkState
from annotate.services.runs import schedule
from annotate.services.versions import publication, reportcards
from annotate.services.versions.variants import RunConfig, Variant
from tests.annotate.made.bundles import add_version

pytestmark = [pytest.mark.django_db(transaction=True)]
LEAD = schedule.RunReason.LEAD
SVM = {"head": "svm"}


@pytest.mark.parametrize(
    ("family", "config", "words"),
    [
        ("tfidf", {}, ""),
        ("tfidf", {"head": "logistic", "imbalance": "usual"}, ""),
        ("tfidf", {"head": "svm", "imbalance": "balanced"}, "svm, balanced"),
        ("tfidf", {"teacher": "transformer"}, "taught by transformer"),
        ("transformer", {"checkpoint": "some/rubert-tiny"}, "checkpoint some/rubert-tiny"),
        ("embedding", {"encoder": "tuned", "prepare": True}, "tuned encoder"),
        ("embedding", {"encoder": "some/e5-small"}, "some/e5-small encoder"),
        ("embedding", {"encoder": "/models/e5/"}, "/models/e5/ encoder"),
        ("cascade", {"cheap": 1, "strong": 2}, ""),
    ],
)
def test_a_variant_is_named_by_what_is_unusual(family: str, config: dict[str, Any], words: str) -> None:
    assert Variant(family, RunConfig.load(config)).name == words


def test_checkpoints_of_one_name_are_told_apart_however_long_their_places_are() -> None:
    places = [f"/{'models/' * 30}{owner}/e5" for owner in ("one", "two")]
    configs = [
        {"encoder": place, "teacher": teacher} for place in places for teacher in ("tfidf", "fasttext")
    ]
    names = {Variant("embedding", RunConfig.load(config)).name for config in configs}
    assert len(names) == 4
    assert all(len(name) == 120 and name.startswith("/models") for name in names)


@pytest.mark.parametrize(
    ("family", "config", "slow"),
    [
        ("tfidf", SVM, False),
        ("transformer", {}, True),
        ("tfidf", {"teacher": "transformer"}, True),
        ("tfidf", {"teacher": "embedding"}, False),
        ("tfidf", {"teacher": "cascade"}, True),
        ("embedding", {"encoder": "tuned", "prepare": True}, True),
        ("embedding", {"encoder": "tuned"}, False),
    ],
)
def test_what_takes_minutes_is_slow(family: str, config: dict[str, Any], slow: bool) -> None:
    assert Variant(family, RunConfig.load(config)).is_slow is slow


def test_the_family_gets_its_own_parameters_only() -> None:
    config = {"head": "svm", "teacher": "embedding", "encoder": "tuned", "prepare": True}
    assert RunConfig.load(config).parameters == SVM


@pytest.mark.parametrize(
    "stored",
    [
        {},
        SVM,
        {"head": "svm", "teacher": "embedding", "encoder": "tuned", "prepare": True},
        {"cheap": 2, "strong": 1},
        {"from a later site": [1, 2]},
    ],
)
def test_a_stored_config_is_written_as_it_was_read(stored: dict[str, Any]) -> None:
    assert RunConfig.load(stored).dump() == stored
    assert RunConfig.load(stored).lasting().dump() == {k: v for k, v in stored.items() if k != "prepare"}


def test_what_is_as_usual_is_left_out_of_a_stored_config() -> None:
    assert RunConfig.load({"teacher": "", "encoder": None, "prepare": False}) == RunConfig()
    assert RunConfig().dump() == {}


def test_a_variant_is_opened_beside_the_usual_run(project: Project) -> None:
    (usual,) = schedule.open_if_due(project=project, reason=LEAD, family="tfidf", config=RunConfig())
    (svm,) = schedule.open_if_due(project=project, reason=LEAD, family="tfidf", config=RunConfig.load(SVM))
    assert (usual.variant, svm.variant, svm.config) == ("", "svm", SVM)
    assert (
        schedule.open_if_due(project=project, reason=LEAD, family="tfidf", config=RunConfig.load(SVM)) == []
    )


def test_a_variant_does_not_count_as_the_usual_run(
    project: Project, annotator: User, label_colours: Callable[..., None]
) -> None:
    label_colours(project, annotator)
    (svm,) = schedule.open_if_due(project=project, reason=LEAD, family="tfidf", config=RunConfig.load(SVM))
    TrainingRun.objects.filter(pk=svm.pk).update(state=WorkState.SUCCEEDED)
    assert schedule.labels_until_next(project=project) == 0
    assert {run.family for run in schedule.open_if_due(project=project)} == {"embedding", "tfidf"}


def test_a_family_trains_by_itself_the_way_it_was_last_published(
    project: Project, lead: User, settings: Any, tmp_path: Any
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    config = {"encoder": "tuned", "prepare": True, "head": "lightgbm"}
    (run,) = schedule.open_if_due(
        project=project, reason=LEAD, family="embedding", config=RunConfig.load(config)
    )
    version = add_version(project, tmp_path)
    ModelVersion.objects.filter(pk=version.pk).update(run=run, family="embedding", variant=run.variant)
    TrainingRun.objects.filter(pk=run.pk).update(state=WorkState.SUCCEEDED)
    version = ModelVersion.objects.get(pk=version.pk)
    publication.publish(version=version, by=lead)
    project.refresh_from_db()
    assert project.family_options == {"embedding": {"encoder": "tuned", "head": "lightgbm"}}
    opened = {run.family: run for run in schedule.open_if_due(project=project, reason=LEAD)}
    assert opened["embedding"].config == {"encoder": "tuned", "head": "lightgbm"}
    assert (opened["embedding"].variant, opened["embedding"].is_slow) == (run.variant, False)
    assert opened["tfidf"].config == {}
    assert schedule.automatic(project) == [("embedding", "lightgbm, tuned encoder"), ("tfidf", "")]


def test_rolling_back_brings_back_how_the_family_trained_then(
    project: Project, lead: User, settings: Any, tmp_path: Any
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    for number, config in ((1, SVM), (2, {})):
        (run,) = schedule.open_if_due(
            project=project, reason=LEAD, family="tfidf", config=RunConfig.load(config)
        )
        TrainingRun.objects.filter(pk=run.pk).update(state=WorkState.SUCCEEDED)
        version = add_version(project, tmp_path, number=number, stage="candidate")
        version.run, version.variant = run, run.variant
        version.save()
        publication.publish(version=version, by=lead)
    project.refresh_from_db()
    assert project.family_options["tfidf"] == {}
    publication.roll_back(project=project, by=lead)
    project.refresh_from_db()
    assert project.family_options["tfidf"] == SVM


def test_a_variant_whose_run_is_gone_leaves_how_its_family_trains(
    project: Project, lead: User, settings: Any, tmp_path: Any
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    project.family_options = {"tfidf": SVM}
    project.save()
    version = add_version(project, tmp_path, stage="candidate")
    version.variant = "svm, balanced"
    version.save()
    publication.publish(version=version, by=lead)
    project.refresh_from_db()
    assert project.family_options == {"tfidf": SVM}
    version.variant = ""
    version.save()
    publication.publish(version=version, by=lead)
    project.refresh_from_db()
    assert project.family_options == {"tfidf": {}}


def test_each_variant_has_its_row_on_the_card_and_keeps_its_newest_bundle(
    project: Project, settings: Any, tmp_path: Any
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    add_version(project, tmp_path, number=1, stage="candidate")
    ModelVersion.objects.filter(number=1).update(variant="svm")
    for number in range(2, publication.KEPT_BUNDLES + 4):
        add_version(project, tmp_path, number=number, stage="candidate")
    assert publication.prune(project=project) == 2
    rows = [(version.number, version.variant) for version in reportcards.newest(project)]
    assert rows == [(publication.KEPT_BUNDLES + 3, ""), (1, "svm")]
    assert (tmp_path / ModelVersion.objects.get(number=1).bundle).is_dir()
