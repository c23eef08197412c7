"""A project of spans from its labels to a version that serves and chooses what comes next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.models import (
    Annotation,
    ModelVersion,
    OutOfFoldScore,
    Prediction,
    Project,
    TrainingRun,
    User,
)
from annotate.services.corpus import snapshots, word_vectors
from annotate.services.documents import disagreements
from annotate.services.runs import execution, next_batch, rechoice, schedule, tagging
from annotate.services.runs.fit import teacher_of
from annotate.services.versions import comparison, publication, rescore
from annotate.services.versions.record import VersionReport
from annotate.services.versions.variants import RunConfig
from tests.annotate.made.marked import mark
from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.spans_made import FILLER, LetterEncoder, span_data
from tests.training.families.spans_made import NAMES as NAMES_OF
from training.spans import SpanDataset
from training.types import Answer, Span

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("per", "loc")


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BUNDLE_ROOT, settings.ENCODER_ROOT = tmp_path / "bundles", tmp_path / "encoders"
    monkeypatch.setattr(word_vectors, "_encoder", lambda fingerprint: LetterEncoder())


@pytest.fixture
def entities(make_project: Callable[..., Project], annotator: User, add_documents: Any) -> Project:
    """Sixty labelled texts, forty in the holdout lane, and thirty that nobody has labelled."""
    project = make_project(slug="entities", labels=NAMES, task="span")
    mark(project, annotator, add_documents, span_data(60))
    mark(project, annotator, add_documents, span_data(40, seed=1), tag="1", lane="holdout")
    add_documents(project, *(f"{text} {i}" for i, text in enumerate(span_data(30, seed=2).texts)))
    return project


def train(project: Project, family: str = "") -> ModelVersion | None:
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD, family=family)
    return execution.execute(run_id=run.pk)


def test_the_fast_family_learns_what_a_strong_version_says_of_the_pool(entities: Project) -> None:
    assert train(entities) is not None
    ModelVersion.objects.update(family="token_classifier")  # stands in for one, as its bundle is read alike
    (run,) = schedule.open_if_due(
        project=entities,
        reason=schedule.RunReason.LEAD,
        family="fast_spans",
        config=RunConfig(teacher="token_classifier"),
    )
    execution.execute(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("succeeded", "")
    version = ModelVersion.objects.get(run=run)
    assert (version.variant, version.labelled) == ("taught by token_classifier", 60)
    details = version.report["details"]
    assert details["taught_texts"] == 30
    assert details["is_taught"] in (True, False)


def test_a_used_up_pool_ends_no_run_of_spans_that_starts_by_itself(entities: Project) -> None:
    entities.documents.filter(annotations=None).delete()
    run = TrainingRun.objects.create(
        project=entities, family="fast_spans", reason="labels", config=RunConfig(teacher="x").dump()
    )
    assert teacher_of(run, snapshots.take(project=entities)) == ""
    run.refresh_from_db()
    assert "No text of the pool is left" in run.log


def test_a_snapshot_holds_spans_by_code_point_and_an_answer_without_any(entities: Project) -> None:
    snapshot = snapshots.take(project=entities)
    assert (len(snapshot.dataset), len(snapshot.tuning), len(snapshot.reporting)) == (60, 20, 20)
    assert len(snapshot.pool_ids) == len(snapshot.pool_texts) == 30
    words = {
        text[span.start : span.end]
        for text, spans in zip(snapshot.dataset.texts, snapshot.dataset.spans, strict=True)
        for span in spans
    }
    assert words <= {"Anna", "Bob", "Zoë Bell", "Cleo", "Rome", "New York", "Köln", "Oslo"}
    assert sum(not spans for spans in snapshot.dataset.spans) == 20
    assert snapshot.dataset.label_counts.sum() == 60


def test_it_publishes_a_version_with_entity_figures_and_fills_the_queue_by_it(entities: Project) -> None:
    assert schedule.families(entities) == ["fast_spans"]
    version = train(entities)
    run = TrainingRun.objects.get()
    assert run.error == ""
    assert version is not None
    assert (version.number, version.stage, version.labelled, version.holdout_documents) == (
        1, "published", 60, 20,
    )  # fmt: skip
    report = VersionReport.load(version.report)
    assert report.entities is not None
    assert report.entities.f1 == version.micro_f1
    assert report.entities.support == sum(row.support for row in version.class_metrics.all()) > 0
    assert None not in (version.macro_f1, report.entities.precision, report.entities.recall)
    low, high = version.macro_f1_low, version.macro_f1_high
    assert low is not None
    assert high is not None
    assert low < (version.macro_f1 or 0) <= high
    batch = entities.batches.get()
    assert (batch.version, batch.strategy) == (version, "token_margin")


def test_spans_that_people_missed_are_found_by_heads_that_left_the_text_out(
    entities: Project, annotator: User, add_documents: Any
) -> None:
    mark(entities, annotator, add_documents, span_data(90, seed=5), tag="5")
    mark(entities, annotator, add_documents, span_data(6, seed=3), tag="3", empty=True)
    missed = set(entities.documents.order_by("-pk").values_list("pk", flat=True)[:6])
    with_spans = {
        pk
        for pk in missed
        if any(name in entities.documents.get(pk=pk).text for some in NAMES_OF.values() for name in some)
    }
    version = train(entities)
    assert version is not None
    assert version.calibrated
    rows = {row.document_id: row for row in OutOfFoldScore.objects.all()}
    learned = entities.documents.filter(lane="pool", annotations__outcome="answered")
    assert rows.keys() == {*learned.values_list("pk", flat=True)}
    suspected = {*disagreements.likely_errors(entities)}
    assert suspected
    assert suspected <= with_spans
    for pk in suspected:
        assert rows[pk].disagrees
        assert {span.label for span in rows[pk].answer.spans} <= {*version.label_ids}


def test_it_predicts_spans_of_every_document_for_the_cards(entities: Project) -> None:
    version = train(entities)
    assert version is not None
    assert rescore.rescore(project=entities, version=version) == entities.documents.count()
    rows = Prediction.objects.select_related("document").exclude(answer__spans=None)
    found = {row.document.text[span.start : span.end] for row in rows for span in row.answer.spans}
    assert found & {"Anna", "Bob", "Zoë Bell", "Cleo"}
    keys = set(entities.labels.values_list("pk", flat=True))
    assert {span.label for row in rows for span in row.answer.spans} == keys
    for row in rows:
        scores = [score for _label, score in row.answer.scores]
        assert row.confidence == (min(scores) if version.calibrated else None)  # type: ignore[type-var]


def test_a_lead_starts_the_fine_tuned_tagger_beside_the_quick_family(
    entities: Project, tmp_path: Path
) -> None:
    words = " ".join(name for some in NAMES_OF.values() for name in some).lower().split()
    plain = [word.replace("ö", "o").replace("ë", "e") for word in (*words, *FILLER, ".")]
    folder = write_tiny_checkpoint(tmp_path / "checkpoint", plain)
    config = RunConfig({"checkpoint": str(folder), "learning_rate": 1e-2, "epochs": 2, "int8": False})
    (run,) = schedule.open_if_due(
        project=entities, reason=schedule.RunReason.LEAD, family="token_classifier", config=config
    )
    assert run.is_slow
    version = execution.execute(run_id=run.pk)
    assert version is not None
    assert (version.encoder, version.f1 is None) == ("", False)
    assert entities.batches.get().version == version
    assert schedule.families(entities) == ["fast_spans"]


def test_a_worse_version_is_refused_by_the_same_documents(
    entities: Project, annotator: User, add_documents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[SpanDataset] = []
    compared_on = comparison.on

    def on(documents: SpanDataset, encoder: Any, *, were_tuned_on: bool) -> Any:
        judged.append(documents)
        assert were_tuned_on
        return compared_on(documents, encoder, were_tuned_on=were_tuned_on)

    monkeypatch.setattr(comparison, "on", on)
    mark(entities, annotator, add_documents, span_data(120, seed=5), tag="5", lane="holdout")
    first = train(entities)
    per, loc = (entities.labels.get(name=name) for name in NAMES)
    for annotation in entities.annotations.filter(document__lane="pool"):
        annotation.spans.filter(label=per).update(label=loc)
    assert train(entities) is None
    assert entities.versions.published().get() == first
    verdict = entities.versions.get(number=2).verdict
    assert verdict.startswith("Entity F1 -")
    assert judged[-1].texts == snapshots.take(project=entities).tuning.texts
    assert "Not published; a lead can publish it" in verdict


@pytest.mark.parametrize(
    ("labelled", "empty", "strategy"),
    [(60, True, "entity_mass"), (60, False, "token_margin"), (200, True, "token_margin")],
)
def test_a_sparse_project_first_seeks_spans(
    labelled: int, empty: bool, strategy: str, entities: Project, annotator: User, add_documents: Any
) -> None:
    """What is sparse is told by the holdout lane, which no strategy has chosen."""
    mark(entities, annotator, add_documents, span_data(labelled - 60, seed=6), tag="6")
    mark(entities, annotator, add_documents, span_data(60, seed=7), tag="7", lane="holdout", empty=empty)
    assert train(entities) is not None
    assert entities.batches.get().strategy == strategy


def test_without_a_single_span_the_run_says_what_is_missing(
    make_project: Callable[..., Project], annotator: User, add_documents: Any
) -> None:
    project = make_project(slug="nothing", labels=NAMES, task="span")
    mark(project, annotator, add_documents, span_data(12), empty=True)
    assert train(project) is None
    assert TrainingRun.objects.get().error == (
        "No text has a span, so there is nothing to learn from; label some."
    )


def test_strange_texts_are_learned_from_and_chosen_among(
    entities: Project, annotator: User, add_documents: Any
) -> None:
    """One span of a label, a megabyte, a word longer than any window, and no boundaries at all."""
    odd = [f"{'w' * 39} " * 25_000, "x" * 5_000, "東京都に行きました", " \n ", "👩‍👧" * 40]
    add_documents(entities, *odd)
    entities.labels.create(name="once", position=9)
    (document,) = add_documents(entities, "東京都 was seen")
    Annotation.objects.create(
        project=entities, document=document, annotator=annotator, outcome="answered"
    ).say(Answer(spans=(Span(0, 3, entities.labels.get(name="once").pk),)), is_new=True)
    version = train(entities)
    assert version is not None
    assert version.labelled == 61
    assert version.class_metrics.get(label__name="once").f1 is None


Killed = type("Killed", (BaseException,), {})


def killed(*args: object, **kwargs: object) -> Any:
    raise Killed


@pytest.mark.parametrize("where", ["before it is judged", "before it is published", "before the next batch"])
def test_a_run_that_was_killed_goes_on_with_its_version_and_makes_no_second_one(
    where: str, entities: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = schedule.open_if_due(project=entities, reason=schedule.RunReason.LEAD)
    module, name = {
        "before it is judged": (publication, "judge"),
        "before it is published": (publication, "publish"),
        "before the next batch": (next_batch, "choose"),
    }[where]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(Killed):
            execution.execute(run_id=run.pk)
    stored = entities.versions.get()
    monkeypatch.setattr(tagging, "train_spans", killed)  # nothing is learned a second time
    assert execution.execute(run_id=run.pk) == stored
    stored.refresh_from_db()
    assert stored.stage == "published"
    assert entities.publications.count() == 1
    assert entities.batches.get().version == stored


def test_a_run_reads_what_is_kept_of_its_texts_and_few_of_the_others(
    entities: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "FRESH", 10)
    version = train(entities)
    assert version is not None
    assert TrainingRun.objects.get().snapshot["pool"] == 30
    words = word_vectors.of(entities)
    texts = snapshots.take(project=entities).pool_texts
    known = words.known(texts, "words")
    assert np.flatnonzero(known).tolist() == list(range(10))
    word_vectors.forget(entities.pk)
    assert not word_vectors.of(entities).known(texts, "words").any()


def test_the_batch_is_chosen_anew_by_the_published_version(entities: Project) -> None:
    version = train(entities)
    entities.strategy = "mnlp"
    entities.save()
    batch = rechoice.choose_anew(project=entities)
    assert batch is not None
    assert (batch.version, batch.strategy) == (version, "mnlp")
