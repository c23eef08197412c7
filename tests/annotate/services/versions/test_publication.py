"""The rule of publishing: the same family unless it is worse, another one only when it is surely better."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import timezone

from annotate.models import Label, ModelVersion, Project, Publication, TrainingRun, User
from annotate.models.versions import Stage
from annotate.services.versions import comparison, publication
from annotate.services.versions.publication import Verdict
from tests.annotate.made.bundles import add_version, write_bundle
from training.tasks import MULTI, SINGLE
from training.types import Dataset, LabelSchema, LabelSpec

pytestmark = pytest.mark.django_db

EASY = {"red": "rose", "green": "leaf", "blue": "sky"}
HARD = "navy"  # a word of the last label, which a model that has not learned it takes for the first one


@pytest.fixture(autouse=True)
def bundle_root(settings: Any, tmp_path: Path) -> None:
    settings.BUNDLE_ROOT = tmp_path


def schema(project: Project, words: dict[str, str] = EASY) -> LabelSchema:
    labels = Label.objects.filter(project=project).order_by("position")
    return LabelSchema(SINGLE, tuple(LabelSpec(str(label.pk), words[label.name]) for label in labels))


def add(project: Project, family: str, *, is_better: bool, stage: str) -> ModelVersion:
    """Add a version that knows the easy words, and the hard one too where it is the better one."""
    number = project.versions.count() + 1
    words = EASY | ({"blue": f"{EASY['blue']} {HARD}"} if is_better else {})
    write_bundle(Path(settings.BUNDLE_ROOT) / str(number), schema(project, words))
    return ModelVersion.objects.create(
        project=project,
        number=number,
        family=family,
        bundle=str(number),
        stage=stage,
        label_ids=[int(key) for key in schema(project).keys],
        labelled=10 * number,
        holdout_documents=30,
        published_at=timezone.now() if stage != Stage.CANDIDATE else None,
    )


def reporting(project: Project, hard: int, easy: int = 10) -> Dataset:
    """Return held-out texts of which `hard` ones divide the two models."""
    texts = [f"{word} {n}" for word in EASY.values() for n in range(easy)]
    answers = [name for name in EASY for _ in range(easy)]
    keys = dict(zip(EASY, schema(project).keys, strict=True))
    encoded = schema(project).encode([[keys[name]] for name in answers + ["blue"] * hard])
    return Dataset(schema(project), (*texts, *(f"{HARD} {n}" for n in range(hard))), encoded)


def judge(project: Project, families: tuple[str, str], *, difference: int, easy: int = 10) -> Verdict:
    """Judge a candidate that gets `difference` documents more right than the published version."""
    old, new = families
    add(project, old, is_better=difference < 0, stage=Stage.PUBLISHED)
    version = add(project, new, is_better=difference > 0, stage=Stage.CANDIDATE)
    return publication.judge(version=version, documents=reporting(project, abs(difference), easy))


# Two documents of 32 that differ are one standard error: the newcomer is better with a probability of 0.84.
@pytest.mark.parametrize(
    ("difference", "publish"), [(-2, False), (0, False), (2, False), (5, True), (8, True)]
)
def test_another_family_has_to_be_better_with_nine_tenths_of_certainty(
    project: Project, difference: int, publish: bool
) -> None:
    verdict = judge(project, ("tfidf", "embedding"), difference=difference)
    assert verdict.publish == publish
    assert ("better, published." if publish else "not surely better") in verdict.reason


@pytest.mark.parametrize(("difference", "publish"), [(-8, False), (-1, True), (0, True), (8, True)])
def test_the_same_family_is_published_where_it_surely_loses_no_more_than_the_margin(
    project: Project, difference: int, publish: bool
) -> None:
    verdict = judge(project, ("embedding", "embedding"), difference=difference)
    assert verdict.publish == publish
    said = "it does not lose more than 0.03, published." if publish else "Not published; a lead can"
    assert said in verdict.reason


@pytest.mark.parametrize(("difference", "publish"), [(-8, False), (0, True), (2, True)])
def test_what_is_to_take_its_family_s_place_has_to_lose_no_more_than_the_margin(
    project: Project, difference: int, publish: bool
) -> None:
    add(project, "embedding", is_better=difference < 0, stage=Stage.PUBLISHED)
    version = add(project, "embedding", is_better=difference > 0, stage=Stage.CANDIDATE)
    version.variant = "tuned encoder"
    version.save()
    documents = reporting(project, abs(difference))
    assert publication.judge(version=version, documents=documents, is_next=True).publish == publish
    few = reporting(project, 0, easy=1)
    assert not publication.judge(version=version, documents=few, is_next=True).publish  # nothing is measured
    project.versions.published().update(calibrated=True)
    told = publication.judge(version=version, documents=documents, is_next=True)
    assert not told.publish
    assert "to tell its confidences" in told.reason
    project.versions.published().update(calibrated=False)
    version.family = "tfidf"
    assert not publication.judge(version=version, documents=documents, is_next=True).publish


def test_the_reason_names_what_was_measured(project: Project) -> None:
    reason = judge(project, ("tfidf", "embedding"), difference=8).reason
    assert reason.startswith("Macro-F1 +0.")
    assert "against version 1 on 38 holdout documents (95 % interval +0." in reason


@pytest.mark.parametrize(("newcomer", "publish"), [("tfidf", True), ("embedding", False)])
def test_without_a_holdout_document_families_do_not_take_turns(
    project: Project, newcomer: str, publish: bool
) -> None:
    verdict = judge(project, ("tfidf", newcomer), difference=0, easy=0)
    assert verdict.publish == publish
    assert "No holdout document is labelled yet" in verdict.reason


@pytest.mark.parametrize(("newcomer", "publish"), [("tfidf", True), ("embedding", False)])
@pytest.mark.parametrize("difference", [-2, 2])
def test_two_documents_decide_nothing_however_sure_their_resamples_are(
    project: Project, newcomer: str, publish: bool, difference: int
) -> None:
    verdict = judge(project, ("tfidf", newcomer), difference=difference, easy=0)
    assert verdict.publish == publish
    assert "Only 2 holdout documents are labelled, too few to compare two models" in verdict.reason


def test_a_family_that_was_surely_better_is_not_replaced_by_the_one_before_it(project: Project) -> None:
    assert judge(project, ("tfidf", "embedding"), difference=8).publish
    publication.publish(version=project.versions.get(number=2))
    again = add(project, "tfidf", is_better=False, stage=Stage.CANDIDATE)
    assert not publication.judge(version=again, documents=reporting(project, 8)).publish


@pytest.fixture
def slid(project: Project) -> tuple[ModelVersion, ModelVersion]:
    """Return a good version that served, and a worse one that a lead let serve after it."""
    good = add(project, "embedding", is_better=True, stage=Stage.RETIRED)
    worse = add(project, "embedding", is_better=False, stage=Stage.PUBLISHED)
    ModelVersion.objects.filter(pk=worse.pk).update(gain=-0.2)
    for version in (good, worse):
        Publication.objects.create(project=project, version=version, published_at=timezone.now())
    return good, worse


def test_a_newer_version_is_compared_with_the_best_so_far_and_not_with_the_last_one(
    project: Project, slid: tuple[ModelVersion, ModelVersion]
) -> None:
    new = add(project, "embedding", is_better=False, stage=Stage.CANDIDATE)
    verdict = publication.judge(version=new, documents=reporting(project, 10))
    assert not verdict.publish
    assert "against version 1 " in verdict.reason


def test_the_best_so_far_is_the_newest_that_was_measured_better_than_the_one_before(
    project: Project, slid: tuple[ModelVersion, ModelVersion]
) -> None:
    good, worse = slid
    new = add(project, "embedding", is_better=True, stage=Stage.CANDIDATE)
    for gain, best in ((0.01, worse), (None, worse), (0.0, good), (-0.01, good)):
        ModelVersion.objects.filter(pk=worse.pk).update(gain=gain)
        assert publication.best_so_far(version=new, published=worse) == best
    equal = publication.judge(version=new, documents=reporting(project, 10))
    assert (equal.publish, equal.gain) == (True, 0.0)
    ModelVersion.objects.filter(pk=worse.pk).update(gain=0.01)
    better = publication.judge(version=new, documents=reporting(project, 10)).gain
    assert better is not None
    assert better > 0


def test_what_cannot_be_compared_has_no_gain(project: Project) -> None:
    first = add(project, "embedding", is_better=True, stage=Stage.CANDIDATE)
    assert publication.judge(version=first, documents=reporting(project, 0)).gain is None
    publication.publish(version=first)
    newer = add(project, "embedding", is_better=True, stage=Stage.CANDIDATE)
    assert publication.judge(version=newer, documents=reporting(project, 0, easy=0)).gain is None


def test_thresholds_that_were_fitted_to_the_documents_give_no_lead_on_them(
    multi_project: Project, tmp_path: Path
) -> None:
    labels = multi_project.labels.order_by("pk")
    of_topics = LabelSchema(MULTI, tuple(LabelSpec(str(label.pk), label.name) for label in labels))
    texts = tuple(f"{label.name} {n}" for label in labels for n in range(10))
    answers = [[str(label.pk)] for label in labels for _ in range(10)]
    documents = Dataset(of_topics, texts, of_topics.encode(answers))
    said = []
    for number, cut in ((1, 0.5), (2, 0.999)):  # the second would say nothing by its own thresholds
        write_bundle(tmp_path / str(number), of_topics, thresholds=(cut,) * len(of_topics))
        version = ModelVersion(project=multi_project, number=number, bundle=str(number))
        said.append([comparison.on(documents, were_tuned_on=tuned).said(version) for tuned in (True, False)])
    (anew, own), (anew_too, none) = said
    assert (anew == anew_too).all()
    assert own.any()
    assert not none.any()


def test_what_was_gone_back_from_or_cannot_be_read_is_not_the_best_so_far(
    project: Project, slid: tuple[ModelVersion, ModelVersion]
) -> None:
    good, worse = slid
    new = add(project, "embedding", is_better=False, stage=Stage.CANDIDATE)
    assert publication.best_so_far(version=new, published=worse) == good
    good.publications.update(withdrawn_at=timezone.now())
    assert publication.best_so_far(version=new, published=worse) == worse
    good.publications.update(withdrawn_at=None)
    ModelVersion.objects.filter(pk=good.pk).update(bundle="")
    assert publication.best_so_far(version=new, published=worse) == worse


def test_the_bundle_of_the_best_so_far_is_kept(
    project: Project, slid: tuple[ModelVersion, ModelVersion]
) -> None:
    for _ in range(publication.KEPT_BUNDLES):
        add(project, "embedding", is_better=False, stage=Stage.CANDIDATE)
    assert slid[0].pk in publication.bundles_to_keep(project=project)
    slid[0].publications.update(withdrawn_at=timezone.now())
    assert slid[0].pk not in publication.bundles_to_keep(project=project)


@pytest.mark.parametrize("stage", [Stage.CANDIDATE, Stage.RETIRED])
def test_each_try_that_was_measured_worse_makes_the_next_one_harder(project: Project, stage: Stage) -> None:
    """Whether it served or not: else versions that are each a little worse would pass one after the other."""
    add(project, "embedding", is_better=False, stage=Stage.PUBLISHED)
    first = add(project, "embedding", is_better=False, stage=Stage.CANDIDATE)
    assert publication.judge(version=first, documents=reporting(project, 0, easy=4)).publish
    for _ in range(20):
        last = add(project, "embedding", is_better=False, stage=stage)
    tried = project.versions.exclude(pk=last.pk).filter(stage=stage)
    tried.update(gain=0.0)
    assert publication.judge(version=last, documents=reporting(project, 0, easy=4)).publish
    tried.update(gain=-0.001)
    verdict = publication.judge(version=last, documents=reporting(project, 0, easy=4))
    assert (verdict.publish, verdict.is_refused) == (False, True)


def test_only_what_was_compared_and_lost_is_refused(project: Project) -> None:
    worse = judge(project, ("embedding", "embedding"), difference=-10)
    assert (worse.publish, worse.is_refused) == (False, True)
    other = add(project, "tfidf", is_better=False, stage=Stage.CANDIDATE)
    verdict = publication.judge(version=other, documents=reporting(project, 10))
    assert (verdict.publish, verdict.is_refused) == (False, False)


def test_a_run_that_was_taken_over_publishes_nothing(project: Project) -> None:
    old = add(project, "tfidf", is_better=False, stage=Stage.PUBLISHED)
    new = add(project, "tfidf", is_better=True, stage=Stage.CANDIDATE)
    run = TrainingRun.objects.create(project=project, family="tfidf", state="running", token=2)
    ModelVersion.objects.filter(pk=new.pk).update(run=run)
    with pytest.raises(publication.NotPublished, match="taken this run over"):
        publication.publish(version=new, token=1)
    assert project.versions.published().get() == old
    publication.publish(version=new, token=2)
    assert project.versions.published().get() == new


@pytest.fixture
def published(project: Project, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Make the version of a number where there is none yet, and publish it."""

    def publish(number: int) -> ModelVersion:
        version = project.versions.filter(number=number).first()
        version = version or add_version(project, tmp_path, number=number, stage=Stage.CANDIDATE)
        return publication.publish(version=version)

    return publish


def numbers_before(project: Project) -> list[int]:
    return [version.number for version in publication.served_before(project=project)]


def test_rolling_back_again_goes_further_back_until_nothing_is_left(
    project: Project, lead: User, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2, 3):
        published(number)
    assert numbers_before(project) == [2, 1]
    assert publication.roll_back(project=project, by=lead).number == 2
    assert numbers_before(project) == [1]
    assert publication.roll_back(project=project, by=lead).number == 1
    with pytest.raises(publication.NotPublished, match="no earlier published version"):
        publication.roll_back(project=project, by=lead)
    assert project.versions.published().get().number == 1


def test_a_version_that_was_gone_back_from_does_not_stand_before_the_next(
    project: Project, lead: User, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2):
        published(number)
    publication.roll_back(project=project, by=lead)
    published(3)
    assert numbers_before(project) == [1]


def test_what_a_lead_publishes_by_its_number_comes_after_what_served_then(
    project: Project, lead: User, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2, 3, 1, 1):
        published(number)
    assert numbers_before(project) == [3, 2]
    assert [publication.roll_back(project=project, by=lead).number for _ in range(3)] == [3, 2, 1]


def test_a_version_that_was_published_twice_stands_where_it_served_last(
    project: Project, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2, 1, 3):
        published(number)
    assert numbers_before(project) == [1, 2]


def test_a_version_whose_bundle_was_removed_is_passed_over(
    project: Project, lead: User, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2, 3):
        published(number)
    ModelVersion.objects.filter(number=2).update(bundle="")
    assert numbers_before(project) == [1]
    assert publication.roll_back(project=project, by=lead).number == 1
    ModelVersion.objects.filter(number=2).update(bundle="colours-2")
    assert numbers_before(project) == []


def test_another_project_s_versions_are_not_gone_back_to(
    project: Project, multi_project: Project, tmp_path: Path, published: Callable[..., ModelVersion]
) -> None:
    add_version(multi_project, tmp_path, stage=Stage.RETIRED)
    published(1)
    assert numbers_before(project) == []


def test_a_roll_back_to_another_number_than_the_one_shown_is_refused(
    project: Project, lead: User, published: Callable[..., ModelVersion]
) -> None:
    for number in (1, 2, 3):
        published(number)
    with pytest.raises(publication.NotPublished, match="Version 1 is no longer .* but 2: nothing"):
        publication.roll_back(project=project, by=lead, number=1)
    assert project.versions.published().get().number == 3
    assert publication.roll_back(project=project, by=lead, number=2).number == 2


def test_the_history_of_a_database_of_before_is_told_by_when_versions_were_published(
    project: Project, published: Callable[..., ModelVersion]
) -> None:
    # The last times are those of 1, 3, 2, 4: a lead went back from 3 to 2, and 4 came after that.
    for number in (1, 2, 3, 2, 4):
        published(number)
    Publication.objects.all().delete()
    import_module("annotate.migrations.0009_publication").tell_history(apps, None)
    assert numbers_before(project) == [2, 1]


def test_there_is_nothing_to_roll_back_to_where_nothing_served_before(project: Project, lead: User) -> None:
    only = add(project, "tfidf", is_better=False, stage=Stage.PUBLISHED)
    add(project, "tfidf", is_better=True, stage=Stage.CANDIDATE)
    with pytest.raises(publication.NotPublished, match="no earlier published version"):
        publication.roll_back(project=project, by=lead)
    assert project.versions.published().get() == only


@pytest.fixture
def bundles(project: Project, tmp_path: Path) -> Callable[[], set[int]]:
    """Make thirteen versions with a bundle each, and tell the numbers of those whose bundle is there."""
    for number in range(1, 14):
        (tmp_path / str(number)).mkdir()
        project.versions.create(
            number=number, family="tfidf", bundle=str(number), labelled=1, holdout_documents=0
        )

    def kept() -> set[int]:
        numbers = {int(folder.name) for folder in tmp_path.iterdir()}
        assert numbers == set(project.versions.exclude(bundle="").values_list("number", flat=True))
        return numbers

    return kept


def test_the_ten_newest_bundles_are_kept_and_the_published_one(
    project: Project, bundles: Callable[[], set[int]]
) -> None:
    project.versions.filter(number=2).update(stage=Stage.PUBLISHED)
    assert publication.prune(project=project) == 2
    assert bundles() == {2, *range(4, 14)}
    assert publication.prune(project=project) == 0


def test_the_newest_bundle_of_each_family_and_variant_is_kept(
    project: Project, bundles: Callable[[], set[int]]
) -> None:
    project.versions.filter(number=1).update(variant="balanced")
    project.versions.filter(number__in=(2, 3)).update(family="embedding")
    assert publication.prune(project=project) == 1
    assert bundles() == {1, *range(3, 14)}


def test_a_bundle_that_somebody_publishes_while_others_are_removed_stays(
    project: Project, bundles: Callable[[], set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = publication.shutil.rmtree

    def publish_the_first_meanwhile(folder: Path, **settings: Any) -> None:
        remove(folder, **settings)
        project.versions.filter(number=1).update(stage=Stage.PUBLISHED)

    monkeypatch.setattr(publication.shutil, "rmtree", publish_the_first_meanwhile)
    assert publication.prune(project=project) == 2
    assert bundles() == {1, *range(4, 14)}
