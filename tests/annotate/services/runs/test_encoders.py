"""An encoder tuned on a project's labels: made once, followed by quick runs, swept with its vectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate import tasks
from annotate.models import (
    Document,
    Embedding,
    ModelVersion,
    Neighbourhood,
    OutOfFoldScore,
    Project,
    TrainingRun,
    User,
)
from annotate.models.jobs import JobKind
from annotate.services.corpus import vector_store
from annotate.services.runs import crossfit, encoders, execution, first_batch, schedule, scratch, tuning
from annotate.services.versions import publication, rescore
from annotate.services.versions.variants import RunConfig
from annotate.services.work import jobs, lease
from tests.annotate.services.conftest import WORDS
from tests.training.families.checkpoints import write_tiny_checkpoint
from training.bundles.bundle import read_manifest
from training.encoders import checkpoints
from training.figures import calibration
from training.preprocess.encoder import OnnxEncoder
from training.registry import Entry
from training.types import ScoreKind, TrainingError

pytest.importorskip("torch")
pytestmark = [pytest.mark.django_db(transaction=True)]
TUNED = {"encoder": "tuned", "prepare": True, "names": False, "student": False, "neighbours": False}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    words = ("and", "pool", "more", *(word for group in WORDS.values() for word in group))
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", words))


@pytest.fixture(scope="module")
def encoder_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's encoder is exported once for all tests of this file."""
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture
def labelled(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    add_documents: Callable[..., list[Document]],
    settings: Any,
    tmp_path: Path,
    checkpoint: str,
    encoder_root: Path,
) -> Iterator[Project]:
    settings.ENCODER, settings.ENCODER_ROOT = checkpoint, encoder_root
    settings.BUNDLE_ROOT, settings.SCRATCH_ROOT = tmp_path / "bundles", tmp_path / "scratch"
    vector_store.embedder.cache_clear()
    vector_store._store.cache_clear()
    label_colours(project, annotator, each=10)
    label_colours(project, annotator, lane="holdout", each=4)
    add_documents(project, "rose and more", "leaf and more", "sky and more")
    project.families = ["embedding"]
    project.save()
    yield project
    vector_store.embedder.cache_clear()
    vector_store._store.cache_clear()


def tune(project: Project, config: dict[str, Any] = TUNED) -> TrainingRun:
    (run,) = schedule.open_if_due(
        project=project, reason=schedule.RunReason.LEAD, family="embedding", config=RunConfig.load(config)
    )
    execution.execute(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_a_run_tunes_the_encoder_and_makes_all_vectors_anew(labelled: Project) -> None:
    run = tune(labelled)
    assert (run.state, run.error, run.is_slow) == ("succeeded", "", True)
    version = ModelVersion.objects.get(run=run)
    assert version.encoder == run.snapshot["encoder"] != vector_store.embedder().fingerprint
    assert read_manifest(version.bundle_folder).encoder == version.encoder
    texts = labelled.documents.values("sha256").distinct()
    assert Embedding.objects.filter(encoder=version.encoder, sha256__in=texts).count() == texts.count()
    assert Neighbourhood.objects.filter(encoder=version.encoder).count() == labelled.documents.pool().count()
    assert rescore.prelabel(version=version) == labelled.documents.count()
    of_the_fit = read_manifest(version.bundle_folder).figures["fit_seconds"]
    assert version.report["fit_seconds"] > of_the_fit  # the encoder's making is told as well


def test_quick_runs_go_on_with_the_tuned_encoder_and_new_texts_get_its_vectors(
    labelled: Project, lead: User, add_documents: Callable[..., list[Document]]
) -> None:
    first = ModelVersion.objects.get(run=tune(labelled))
    publication.publish(version=first, by=lead)
    labelled.refresh_from_db()
    (document,) = add_documents(labelled, "ice and more")
    assert first_batch.is_waiting(project=labelled)
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=labelled)
    tasks.work("vectors", job.pk)
    assert Embedding.objects.filter(sha256=document.sha256).count() == 2  # the site's encoder, and the tuned
    assert not first_batch.is_waiting(project=labelled)
    (quick,) = schedule.open_if_due(project=labelled, reason=schedule.RunReason.LEAD)
    execution.execute(run_id=quick.pk)
    second = ModelVersion.objects.get(run=quick)
    assert (quick.is_slow, second.variant, second.encoder) == (False, first.variant, first.encoder)


def test_what_tunes_by_itself_takes_its_family_s_place_where_it_loses_nothing(
    labelled: Project, annotator: User, label_colours: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_colours(labelled, annotator, lane="holdout", each=17, offset=50)
    labelled.documents.filter(lane="holdout").update(half="tuning")
    (quick,) = schedule.open_if_due(project=labelled)
    execution.execute(run_id=quick.pk)
    monkeypatch.setattr(tuning, "last_step", lambda labels: 30 if labels >= 30 else 0)
    (run,) = tuning.due()
    execution.execute(run_id=run.pk)
    version = ModelVersion.objects.get(run=run)
    assert "it does not lose more than 0.03, published" in version.verdict
    labelled.refresh_from_db()
    assert labelled.family_options == {"embedding": {"encoder": "tuned"}}
    assert encoders.tuned(labelled) == version.encoder
    assert list(tuning.due()) == []


def test_confidences_over_a_tuned_encoder_come_of_documents_that_it_has_not_seen(
    labelled: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Any],
    label_colours: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(calibration.FEWEST, ScoreKind.EXCLUSIVE, 20)
    monkeypatch.setattr(tuning, "last_step", lambda labels: 30 if labels >= 30 else 0)
    labelled.documents.filter(lane="holdout").update(half="tuning")  # twelve

    def trained(run: TrainingRun) -> ModelVersion:
        execution.execute(run_id=run.pk)
        return ModelVersion.objects.get(run=run)

    def trained_quickly() -> ModelVersion:
        labelled.refresh_from_db()
        (run,) = schedule.open_if_due(project=labelled, reason=schedule.RunReason.LEAD)
        return trained(run)

    def label_others(*marks: str) -> None:
        for name, words in WORDS.items():
            for mark in marks:
                (document,) = add_documents(labelled, f"{words[0]} {mark}")
                annotate(document, annotator, name)

    def calibrated_by(version: ModelVersion) -> tuple[str, int]:
        details = version.report["details"]
        return details["tuned_on"], details["tuned_documents"]

    trained_quickly()
    (run,) = tuning.due()
    tuned = trained(run)
    assert (tuned.variant, tuned.stage, tuned.calibrated) == ("tuned encoder", "published", True)
    assert calibrated_by(tuned) == ("out of fold and tuning", 42)
    assert not scratch.folder(run).exists()

    label_colours(labelled, annotator, each=5, offset=600)  # differ in digits alone from what it has seen
    label_others("alone", "twice")
    second = trained_quickly()
    assert (second.encoder, second.calibrated) == (tuned.encoder, True)
    assert calibrated_by(second) == ("an earlier run", 42)
    first_learned = read_manifest(tuned.bundle_folder).calibration
    assert read_manifest(second.bundle_folder).calibration == first_learned

    label_others("thrice")
    third = trained_quickly()
    assert (third.encoder, third.calibrated) == (tuned.encoder, True)
    assert calibrated_by(third) == ("out of fold and tuning", 21)


def test_where_any_number_of_labels_is_right_labelled_texts_set_the_thresholds_of_a_tuned_encoder(
    labelled: Project,
    multi_project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    multi_project.families = ["embedding"]
    multi_project.save()
    label_colours(multi_project, annotator, each=10, offset=300)
    label_colours(multi_project, annotator, lane="holdout", each=10, offset=350)
    multi_project.documents.filter(lane="holdout").update(half="tuning")
    (quick,) = schedule.open_if_due(project=multi_project)
    execution.execute(run_id=quick.pk)
    monkeypatch.setattr(tuning, "last_step", lambda labels: 30 if labels >= 30 else 0)
    (run,) = (run for run in tuning.due() if run.project == multi_project)
    execution.execute(run_id=run.pk)
    version = ModelVersion.objects.get(run=run)
    assert (version.variant, version.stage) == ("tuned encoder", "published")
    assert version.report["details"]["tuned_on"] == "out of fold and tuning"
    assert version.report["details"]["tuned_documents"] == 60
    assert read_manifest(version.bundle_folder).calibration["method"] == "sigmoid"


def test_the_site_s_encoder_says_what_one_that_knows_the_labels_cannot(
    labelled: Project, annotator: User, lead: User, label_colours: Callable[..., None]
) -> None:
    label_colours(labelled, annotator, each=8, offset=50)
    wrong = labelled.annotations.filter(document__lane="pool").earliest("pk")
    wrong.choices.update(label=labelled.labels.get(name="blue"))
    labelled.publish_automatically = True
    labelled.save()
    (quick,) = schedule.open_if_due(project=labelled)
    vector_store.embed(project=labelled, encoder=vector_store.embedder())
    execution.execute(run_id=quick.pk)
    ModelVersion.objects.update(stage="retired")  # so that the next one is published without a comparison
    version = ModelVersion.objects.get(run=tune(labelled))
    said = OutOfFoldScore.objects.filter(version=version)
    assert said.count() == labelled.annotations.filter(document__lane="pool").count() == 54
    assert said.get(document=wrong.document_id).disagrees
    labelled.refresh_from_db()
    (later,) = schedule.open_if_due(project=labelled, reason=schedule.RunReason.LEAD)
    execution.execute(run_id=later.pk)
    newer = ModelVersion.objects.get(run=later)
    assert newer.stage == "published"
    assert OutOfFoldScore.objects.filter(version=newer).count() == 54


def test_a_killed_attempt_leaves_its_encoder_to_the_next(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(vector_store, "embed", lambda **given: made.append("vectors") or killed())
    (run,) = schedule.open_if_due(
        project=labelled, reason=schedule.RunReason.LEAD, family="embedding", config=RunConfig.load(TUNED)
    )
    with pytest.raises(KeyboardInterrupt):
        execution.execute(run_id=run.pk)
    monkeypatch.undo()
    run.refresh_from_db()
    fingerprint = run.snapshot["encoder"]
    monkeypatch.setattr(encoders, "ENCODER_TUNER", Entry("never_again", "Never again", f"{__name__}:killed"))
    execution.execute(run_id=run.pk)
    assert made == ["vectors"]
    run.refresh_from_db()
    assert (run.state, run.snapshot["encoder"]) == ("succeeded", fingerprint)


def test_one_killed_between_two_folds_leaves_nothing_that_the_next_stumbles_over(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def opens_one(folder: Path) -> OnnxEncoder:
        opened.append(folder)
        if len(opened) == 2:
            killed()
        return OnnxEncoder(folder)

    monkeypatch.setattr(crossfit, "OnnxEncoder", opens_one)
    (run,) = schedule.open_if_due(
        project=labelled, reason=schedule.RunReason.LEAD, family="embedding", config=RunConfig.load(TUNED)
    )
    with pytest.raises(KeyboardInterrupt):
        execution.execute(run_id=run.pk)
    assert scratch.folder(run).exists()
    execution.execute(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("succeeded", "")
    version = ModelVersion.objects.get(run=run)
    assert version.report["details"]["tuned_documents"] >= 30
    assert len(opened) == 5  # all three folds again
    assert not scratch.folder(run).exists()


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_too_few_labels_are_a_sentence(labelled: Project) -> None:
    labelled.annotations.filter(document__lane="pool").delete()
    run = tune(labelled)
    assert run.state == "failed"
    assert "Tuning an encoder needs 2 texts" in run.error


def test_a_quick_run_without_its_tuned_encoder_says_so(labelled: Project) -> None:
    run = tune(labelled, {"encoder": "tuned"})
    assert (
        run.error == "This project has no encoder tuned on its labels any more; start a run that tunes one."
    )


def test_an_encoder_that_no_bundle_reads_is_swept_with_its_vectors(labelled: Project) -> None:
    version = ModelVersion.objects.get(run=tune(labelled))
    folder = Path(vector_store.settings.ENCODER_ROOT) / version.encoder
    assert encoders.sweep(project=labelled) == 0
    assert folder.is_dir()
    ModelVersion.objects.update(bundle="")
    assert encoders.sweep(project=labelled) == 1
    assert not folder.exists()
    assert not Embedding.objects.filter(encoder=version.encoder).exists()
    assert encoders.sweep(project=labelled) == 0


def test_no_encoder_is_swept_while_a_run_may_be_making_the_same(labelled: Project) -> None:
    version = ModelVersion.objects.get(run=tune(labelled))
    ModelVersion.objects.update(bundle="")
    (run,) = schedule.open_if_due(
        project=labelled, reason=schedule.RunReason.LEAD, family="embedding", config=RunConfig.load(TUNED)
    )
    assert encoders.sweep(project=labelled) == 0  # unchanged labels make the same encoder once more
    lease.cancel(row=run)
    assert encoders.sweep(project=labelled) == 1
    assert not (Path(vector_store.settings.ENCODER_ROOT) / version.encoder).exists()


def test_a_sweep_that_breaks_off_is_finished_by_the_next(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ModelVersion.objects.get(run=tune(labelled))
    ModelVersion.objects.update(bundle="")
    with monkeypatch.context() as broken:
        broken.setattr(encoders, "Neighbourhood", None)
        with pytest.raises(AttributeError):
            encoders.sweep(project=labelled)
    assert encoders.sweep(project=labelled) == 1
    assert not Embedding.objects.filter(encoder=version.encoder).exists()
    assert not Neighbourhood.objects.filter(encoder=version.encoder).exists()


def test_quick_runs_keep_to_the_encoder_that_was_published_last(labelled: Project, lead: User) -> None:
    published = ModelVersion.objects.get(run=tune(labelled))
    publication.publish(version=published, by=lead)
    worse = ModelVersion.objects.get(pk=published.pk)
    worse.pk, worse.number, worse.stage, worse.published_at = None, 99, "candidate", None
    worse.encoder = "0" * 64  # tuned anew, measured, and not published
    worse.save()
    labelled.refresh_from_db()
    assert encoders.tuned(labelled) == published.encoder
    assert encoders.in_use(project=labelled) == [published.encoder]


def test_an_encoder_that_is_gone_is_a_sentence_and_looked_for_nowhere_else(
    labelled: Project, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ModelVersion.objects.get(run=tune(labelled))
    publication.publish(version=version, by=lead)
    shutil.rmtree(Path(vector_store.settings.ENCODER_ROOT) / version.encoder)
    vector_store.embedder.cache_clear()
    monkeypatch.setattr(checkpoints, "_from_hub", killed)
    labelled.refresh_from_db()
    assert encoders.in_use(project=labelled) == []
    with pytest.raises(TrainingError, match="suggestions stay those of the version before"):
        rescore.prelabel(version=version)
    run = TrainingRun.objects.get(pk=version.run_id)
    assert f"The encoder {version.encoder[:12]} is no longer in" in run.error


def test_the_sites_encoder_is_made_again_where_it_is_gone(labelled: Project) -> None:
    fingerprint = vector_store.embedder().fingerprint
    shutil.rmtree(Path(vector_store.settings.ENCODER_ROOT) / fingerprint)
    vector_store.embedder.cache_clear()
    assert vector_store.embedder(fingerprint).fingerprint == fingerprint


def test_a_checkpoint_is_no_exported_encoder_because_it_has_a_graph_too(
    labelled: Project, checkpoint: str, tmp_path: Path
) -> None:
    both = shutil.copytree(checkpoint, tmp_path / "both")
    (both / "model.onnx").write_bytes(b"somebody else's export")
    assert vector_store.embedder(str(both)).fingerprint == vector_store.embedder().fingerprint


def test_what_is_in_use_costs_two_queries(
    labelled: Project, lead: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    publication.publish(version=ModelVersion.objects.get(run=tune(labelled)), by=lead)
    labelled.refresh_from_db()
    with django_assert_num_queries(2):  # each minute, for each project
        assert len(encoders.in_use(project=labelled)) == 1
