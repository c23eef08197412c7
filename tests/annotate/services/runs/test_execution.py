from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from annotate.models import (
    Assignment,
    Document,
    ModelVersion,
    OutOfFoldScore,
    Prediction,
    Project,
    TrainingRun,
    User,
)
from annotate.services.corpus import snapshots, vector_store
from annotate.services.corpus.vector_store import DatabaseStore, SiteEmbedder
from annotate.services.runs import execution, fit, next_batch, schedule
from annotate.services.versions import out_of_fold, publication, rescore
from annotate.services.work import lease
from tests.annotate.made.fakes import HashEmbedder
from training.bundles.bundle import BundleDraft, open_bundle
from training.families.shared.graphs import write_vector_graph
from training.preprocess.encoder import EncoderPreprocessor
from training.registry import FAMILIES, Family
from training.tasks import SINGLE
from training.types import Dataset, RunSpec, TrainingError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("only_tfidf")]
LabelColours = Callable[..., None]
AddDocuments = Callable[..., list[Document]]


def train(project: Project) -> ModelVersion | None:
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
    return execution.execute(run_id=run.pk)


@pytest.fixture
def colours(project: Project, annotator: User, label_colours: LabelColours) -> Project:
    label_colours(project, annotator)
    label_colours(project, annotator, lane="holdout", each=3)
    return project


def test_it_publishes_a_first_version_and_fills_the_queue_by_it(
    colours: Project, add_documents: AddDocuments
) -> None:
    add_documents(colours, "rose ruby", "leaf moss", "sky sea", "what else")
    version = train(colours)
    assert version is not None
    assert (version.number, version.stage, version.labelled, version.holdout_documents) == (
        1,
        "published",
        18,
        9,
    )
    assert version.class_metrics.count() == 3
    assert {place.batch.version for place in Assignment.objects.select_related("batch__version")} == {version}
    run = TrainingRun.objects.get()
    assert (run.state, run.progress, run.snapshot["labelled"]) == ("succeeded", 1.0, 18)


def test_what_its_folds_say_of_the_learned_documents_is_kept_until_the_next_version(
    colours: Project, annotator: User, label_colours: LabelColours
) -> None:
    first = train(colours)
    assert first is not None
    learned = colours.documents.filter(lane="pool", annotations__isnull=False)
    rows = OutOfFoldScore.objects.all()
    assert {(row.document_id, row.version) for row in rows} == {(one.pk, first) for one in learned}
    assert all(row.answer.labels and row.answer.scores for row in rows)
    said = {row.document_id: set(row.answer.labels) for row in rows}
    given = dict(learned.values_list("pk", "annotations__choices__label"))
    assert {row.document_id for row in rows if row.disagrees} == {
        pk for pk in said if said[pk] != {given[pk]}
    }
    assert out_of_fold.store(version=first, snapshot=snapshots.take(project=colours), said=None) == 0
    second = ModelVersion.objects.get(pk=first.pk)
    second.pk, second.number, second.stage = None, 2, "candidate"
    second.save()
    out_of_fold.store(version=second, snapshot=snapshots.take(project=colours), said=None)
    assert not OutOfFoldScore.objects.exists()


def test_a_newer_version_keeps_the_least_confidence_that_programs_are_used_to(colours: Project) -> None:
    train(colours)
    colours.versions.update(abstain_below=0.4)
    train(colours)
    newer = colours.versions.get(number=2)
    assert (newer.abstain_below, open_bundle(newer.bundle_folder).abstain_below) == (0.4, 0.4)


def test_a_family_whose_packages_are_missing_says_how_to_install_them(
    colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = Family("extra", "The extra one", "no_such_package:Model", "fancy", help="It is not there.")
    monkeypatch.setitem(FAMILIES, "extra", extra)
    (run,) = schedule.open_if_due(project=colours, reason=schedule.RunReason.LEAD, family="extra")
    assert execution.execute(run_id=run.pk) is None
    run.refresh_from_db()
    assert run.state == "failed"
    assert "pip install '.[fancy]'" in run.error


@pytest.mark.parametrize(("each", "calibrated"), [(16, False), (17, True)])
def test_a_version_is_calibrated_from_fifty_documents_on(
    project: Project,
    annotator: User,
    only_tfidf: None,
    label_colours: Callable[..., None],
    each: int,
    calibrated: bool,
) -> None:
    label_colours(project, annotator, each=each)
    version = train(project)
    assert version is not None
    assert version.calibrated is calibrated


def test_it_predicts_every_document_once(colours: Project, add_documents: AddDocuments) -> None:
    (rose,) = add_documents(colours, "rose and ruby, rose")
    version = train(colours)
    assert version is not None
    assert rescore.rescore(project=colours, version=version) == colours.documents.count()
    rescore.rescore(project=colours, version=version)
    assert Prediction.objects.count() == colours.documents.count()
    red = colours.labels.get(name="red").pk
    assert rose.prediction.answer.labels == (red,)
    assert rose.prediction.answer.scores[0][0] == red


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_prediction_says_how_sure_it_is_where_its_scores_are_calibrated(
    colours: Project, calibrated: bool
) -> None:
    version = train(colours)
    assert version is not None
    version.calibrated = calibrated
    version.save()
    rescore.rescore(project=colours, version=version)
    for row in Prediction.objects.all():
        (_best, first), (_second, second) = row.answer.scores[:2]
        assert row.project == colours
        assert row.confidence == first
        assert (row.margin is None) != calibrated
        if row.margin is not None and first is not None and second is not None:
            assert row.margin == pytest.approx(first - second, abs=2e-4)


def test_it_stops_predicting_when_another_version_was_published(colours: Project) -> None:
    first = train(colours)
    assert train(colours) is not None
    assert first is not None
    assert rescore.rescore(project=colours, version=first) == 0


def test_it_says_why_data_cannot_be_learned_from_and_does_not_try_again(project: Project) -> None:
    assert train(project) is None
    run = TrainingRun.objects.get()
    assert (run.state, run.attempt) == ("failed", 1)
    assert run.error.endswith(".")
    assert lease.recover(TrainingRun.objects.all()) == []


def test_it_says_that_the_disk_is_full(colours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fit, "train_and_package", full)
    assert train(colours) is None
    assert "disk is full" in TrainingRun.objects.get().error


def test_it_gives_its_lease_up_when_it_breaks_off(colours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fit, "train_and_package", broken)
    assert train(colours) is None
    run = TrainingRun.objects.get()
    TrainingRun.objects.update(woken_at=None)
    assert (run.state, run.attempt) == ("queued", 1)
    assert "ZeroDivisionError" in run.error
    assert lease.recover(TrainingRun.objects.all()) == [run]


def test_it_publishes_nothing_for_a_cancelled_run(colours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = publication.judge

    def cancelled_meanwhile(**kwargs: object) -> publication.Verdict:
        lease.cancel(row=TrainingRun.objects.get())
        return judge(**kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(publication, "judge", cancelled_meanwhile)
    assert train(colours) is None
    assert not ModelVersion.objects.published().exists()
    assert TrainingRun.objects.get().state == "cancelled"


def test_it_keeps_the_published_version_where_the_new_one_is_worse(
    colours: Project, annotator: User, label_colours: LabelColours
) -> None:
    label_colours(colours, annotator, lane="holdout", each=20, offset=50)
    colours.documents.holdout().update(half="tuning")  # what chooses does not report
    first = train(colours)
    red, blue = (colours.labels.get(name=name) for name in ("red", "blue"))
    for annotation in colours.annotations.filter(document__lane="pool", labels=red):
        annotation.choices.update(label=blue)
    assert train(colours) is None
    assert colours.versions.published().get() == first
    assert "Not published; a lead can publish it" in colours.versions.get(number=2).verdict


def test_it_publishes_after_the_labels_changed_and_says_so(colours: Project) -> None:
    train(colours)
    colours.labels.create(name="pink", position=9)
    version = train(colours)
    assert version is not None
    assert "labels changed" in version.verdict


def test_it_publishes_over_a_version_whose_bundle_is_broken(colours: Project) -> None:
    first = train(colours)
    assert first is not None
    (first.bundle_folder / "model.onnx").write_bytes(b"damaged")
    version = train(colours)
    assert version is not None
    assert "can no longer be read" in version.verdict


def test_it_leaves_publishing_to_a_lead_where_the_project_says_so(colours: Project, lead: User) -> None:
    Project.objects.update(publish_automatically=False)
    assert train(colours) is None
    publication.publish(version=colours.versions.get(), by=lead)
    assert colours.versions.published().get().verdict == "Published by lena."


def test_it_rolls_back_to_what_served_before(colours: Project, lead: User) -> None:
    first = train(colours)
    train(colours)
    assert publication.roll_back(project=colours, by=lead) == first
    assert colours.versions.published().get() == first


def test_it_refuses_to_publish_a_damaged_bundle_and_the_other_goes_on(colours: Project, lead: User) -> None:
    first, second = train(colours), train(colours)
    assert first is not None
    (first.bundle_folder / "model.onnx").unlink()
    with pytest.raises(publication.NotPublished, match="lacks its file"):
        publication.publish(version=first, by=lead)
    assert colours.versions.published().get() == second


def test_a_lead_cannot_publish_a_bundle_whose_encoder_is_gone(colours: Project, lead: User) -> None:
    first, second = train(colours), train(colours)
    assert first is not None
    with BundleDraft(first.bundle_folder) as draft:
        graph = np.zeros((4, 3), np.float32)
        write_vector_graph(draft.folder, SINGLE, graph, graph[0])
        EncoderPreprocessor("f" * 64).save(draft.folder)
        manifest = open_bundle(first.bundle_folder)
        draft.write_manifest(replace(manifest, preprocessing="encoder", encoder="f" * 64))
        draft.publish(replace=True)
    first.bundle_digest = ""
    with pytest.raises(publication.NotPublished, match="not on this machine"):
        publication.publish(version=first, by=lead)
    assert colours.versions.published().get() == second


def test_a_broken_bundle_leaves_the_predictions_of_the_version_before(colours: Project) -> None:
    first = train(colours)
    assert first is not None
    rescore.prelabel(version=first)
    second = train(colours)
    assert second is not None
    (second.bundle_folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="suggestions stay those of the version before"):
        rescore.prelabel(version=second)
    assert set(Prediction.objects.values_list("version", flat=True)) == {first.pk}
    assert "cannot predict" in TrainingRun.objects.get(pk=second.run_id).error


def test_it_removes_old_bundles_but_never_the_published_one(colours: Project, lead: User) -> None:
    first = train(colours)
    assert first is not None
    for number in range(2, 14):
        ModelVersion.objects.create(
            project=colours,
            number=number,
            family="tfidf",
            bundle=f"old/{number}",
            labelled=1,
            holdout_documents=0,
        )
        ModelVersion.objects.get(number=number).bundle_folder.mkdir(parents=True)
    assert publication.prune(project=colours) == 2
    first.refresh_from_db()
    assert first.bundle_folder.is_dir()
    assert not (first.bundle_folder.parent.parent / "old" / "2").exists()


def test_a_run_starts_from_the_latest_bundle_of_its_family(
    colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _first, second = train(colours), train(colours)
    pruned = train(colours)
    assert second is not None
    assert pruned is not None
    ModelVersion.objects.filter(pk=pruned.pk).update(bundle="")
    asked = []

    def record(spec: RunSpec, *args: object, **kwargs: object) -> None:
        asked.append(spec.previous)
        raise TrainingError("Only asked.")

    monkeypatch.setattr(fit, "train_and_package", record)
    assert train(colours) is None
    assert asked == [second.bundle_folder]


def test_labels_that_come_while_a_run_waits_are_learned_and_those_after_it_read_them_are_not(
    colours: Project, annotator: User, label_colours: LabelColours, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = schedule.open_if_due(project=colours, reason=schedule.RunReason.LEAD)
    label_colours(colours, annotator, offset=10)
    learned = []

    def record(spec: RunSpec, dataset: Dataset, *args: object, **kwargs: object) -> None:
        learned.append(len(dataset))
        raise KeyboardInterrupt  # as a worker is stopped: the run goes back and is taken up again

    monkeypatch.setattr(fit, "train_and_package", record)
    for offset in (20, 30):
        with pytest.raises(KeyboardInterrupt):
            execution.execute(run_id=run.pk)
        label_colours(colours, annotator, offset=offset)
    assert learned == [36, 36]


def test_the_next_batch_is_chosen_though_a_lead_has_not_published_what_chooses_it(
    colours: Project, add_documents: AddDocuments
) -> None:
    add_documents(colours, "rose ruby", "leaf moss")
    Project.objects.update(publish_automatically=False)
    assert train(colours) is None
    assert colours.batches.get().version.number == 1


def test_a_version_that_is_refused_chooses_the_next_batch_all_the_same(
    colours: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(colours) is not None
    add_documents(colours, "rose ruby", "leaf moss")
    refused = publication.Verdict(False, "It may lose too much.", is_refused=True, gain=-0.1)
    monkeypatch.setattr(publication, "judge", lambda **given: refused)
    assert train(colours) is None
    assert colours.batches.get().version.number == 2


def test_a_version_of_another_kind_than_the_serving_one_leaves_the_queue_alone(
    colours: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(colours) is not None
    add_documents(colours, "rose ruby", "leaf moss")
    ModelVersion.objects.update(family="fasttext")
    monkeypatch.setattr(publication, "judge", lambda **given: publication.Verdict(False, "Not better."))
    assert train(colours) is None
    assert not colours.batches.exists()


def test_a_bundle_that_breaks_before_it_is_published_fails_the_run_with_the_reason(
    colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = publication.judge

    def broken_meanwhile(*, version: ModelVersion, **kwargs: Any) -> publication.Verdict:
        verdict = judge(version=version, **kwargs)
        (version.bundle_folder / "model.onnx").write_bytes(b"damaged")
        return verdict

    monkeypatch.setattr(publication, "judge", broken_meanwhile)
    assert train(colours) is None
    run = TrainingRun.objects.get()
    assert (run.state, run.attempt) == ("failed", 1)
    assert "Version 1 cannot be published" in run.error


def test_the_pool_s_vectors_are_looked_at_only_where_all_are_there(
    colours: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = SiteEmbedder(HashEmbedder(), DatabaseStore())
    monkeypatch.setattr(vector_store, "embedder", lambda name="": site)
    chosen: list[Any] = []
    monkeypatch.setattr(next_batch, "choose", lambda **given: chosen.append(given["vectors"]))
    (known,) = add_documents(colours, "rose ruby")
    vector_store.embed(project=colours, encoder=site)
    assert train(colours) is not None
    np.testing.assert_array_equal(chosen[0].pool, site.embed([known.text]))
    add_documents(colours, "no vector yet")
    assert train(colours) is not None
    assert chosen[1] is None


Killed = type("Killed", (BaseException,), {})


def killed(*args: object, **kwargs: object) -> Any:
    raise Killed


@pytest.mark.parametrize("where", ["before it is judged", "before it is published", "before the next batch"])
def test_a_run_that_was_killed_after_its_version_was_stored_goes_on_with_it_and_makes_no_second_one(
    where: str, colours: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_documents(colours, "rose ruby", "leaf moss", "sky sea")
    (run,) = schedule.open_if_due(project=colours, reason=schedule.RunReason.LEAD)
    module, name = {
        "before it is judged": (publication, "judge"),
        "before it is published": (publication, "publish"),
        "before the next batch": (next_batch, "choose"),
    }[where]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(Killed):
            execution.execute(run_id=run.pk)
    stored = colours.versions.get()
    assert stored.stage == ("published" if where == "before the next batch" else "candidate")
    monkeypatch.setattr(fit, "train_and_package", killed)  # nothing is learned a second time
    assert execution.execute(run_id=run.pk) == stored
    stored.refresh_from_db()
    assert stored.stage == "published"
    assert stored.verdict == "The project's first published model."
    assert colours.publications.count() == 1
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert {place.batch.version for place in colours.assignments.select_related("batch__version")} == {stored}


def test_a_run_that_was_killed_after_another_version_took_its_place_publishes_nothing(
    colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = schedule.open_if_due(project=colours, reason=schedule.RunReason.LEAD)
    with monkeypatch.context() as patch:
        patch.setattr(fit.FitPlan, "after", killed)
        with pytest.raises(Killed):
            execution.execute(run_id=run.pk)
    TrainingRun.objects.filter(pk=run.pk).update(is_slow=True)  # so that another may be live beside it
    second = train(colours)
    assert execution.execute(run_id=run.pk) is None
    assert colours.versions.published().get() == second
    assert colours.versions.count() == 2
