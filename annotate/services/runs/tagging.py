"""A run that trains a tagger of words on the spans of people."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from annotate.models import ModelVersion, Project, TrainingRun
from annotate.services.corpus import snapshots, word_vectors
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.corpus.vector_store import SLICE_SECONDS
from annotate.services.corpus.word_vectors import ProjectWords
from annotate.services.runs import distil, schedule
from annotate.services.runs.fit import BEFORE_THE_FIT, FitPlan, spec_of, teacher_of
from annotate.services.runs.plan import Made, Prepared, bundle_of
from annotate.services.versions import publication, record
from annotate.services.versions.publication import Verdict
from annotate.services.versions.record import VersionReport
from annotate.services.work.progress import ProgressMeter
from training.bundles.span_predictor import SpanPredictor
from training.registry import FAMILIES, entry
from training.runs.span_pipeline import train_spans
from training.tagging.signs import signs
from training.tagging.ways import usual_way
from training.types import FloatArray

POOL = 2_000
"""Unlabelled texts that a run scores, of which it chooses the next batch: a fair sample, as they lie in
random order."""
MISTAKES = 10  # kinds of them that a version keeps
FRESH = 500
"""So many of them a run reads that have no vectors yet: on one core that takes some four seconds."""


def prepare_ahead(project: Project, tell: Callable[[float], None] = lambda done: None) -> bool:
    """Make for a while what the next run would wait for; tell whether all is there."""
    if not any(FAMILIES[key].reads_word_vectors for key in schedule.families(project)):
        return True
    snapshot = snapshots.take(project=project)
    texts = [*_labelled(snapshot), *snapshot.pool_texts[:POOL]]
    way = usual_way(snapshot.dataset)
    return word_vectors.of(project).prepare(texts, way, seconds=SLICE_SECONDS, tell=tell)


def _labelled(snapshot: Snapshot[Any]) -> list[str]:
    halves = (snapshot.dataset, snapshot.tuning, snapshot.reporting)
    return [text for half in halves for text in half.texts]


class TaggingPlan(FitPlan):
    """The run of a family that tags words; it opens, judges and chooses as one of documents does."""

    def prepare(self, run: TrainingRun, snapshot: Snapshot[Any], meter: ProgressMeter) -> Prepared:
        """Give words their vectors, where the family reads them, and the pool its teacher's answers."""
        prepared, begun = self._with_words(run, snapshot, meter), time.perf_counter()
        teacher = teacher_of(run, prepared.snapshot)
        if not teacher:
            return prepared
        tell = partial(meter.until(BEFORE_THE_FIT), "teach")
        taught = distil.taught_spans(
            project=run.project, snapshot=prepared.snapshot, family=teacher, tell=tell
        )
        return replace(prepared, snapshot=taught, seconds=time.perf_counter() - begun)

    def _with_words(self, run: TrainingRun, snapshot: Snapshot[Any], meter: ProgressMeter) -> Prepared:
        snapshot = snapshot.only(np.arange(len(snapshot.pool_ids)) < POOL)
        if not entry(FAMILIES, run.family).reads_word_vectors:
            return Prepared(snapshot)
        dataset = replace(snapshot.dataset, way=usual_way(snapshot.dataset))
        words = word_vectors.of(run.project)
        known = words.known(snapshot.pool_texts, dataset.way)
        snapshot = replace(snapshot, dataset=dataset).only(known | (np.cumsum(~known) <= FRESH))
        texts = [*_labelled(snapshot), *snapshot.pool_texts]
        words.prepare(texts, dataset.way, tell=lambda done: meter("vectors", 0.5 * done))
        return Prepared(snapshot, words=words)

    def make(self, run: TrainingRun, prepared: Prepared, meter: ProgressMeter) -> Made:
        """Train the family, and keep the figures of what its bundle finds."""
        snapshot = prepared.snapshot
        report = train_spans(
            spec_of(run),
            snapshot.dataset,
            Path(settings.BUNDLE_ROOT) / bundle_of(run),
            tuning=snapshot.tuning,
            reporting=snapshot.reporting,
            encoder=prepared.words,
            encoder_root=settings.ENCODER_ROOT,
            on_progress=meter,
            replace_bundle=True,
        )
        version = record.record(
            run=run,
            bundle=bundle_of(run),
            snapshot=snapshot,
            evaluation=report.figures,
            labelled=report.labelled,
            report=VersionReport(
                span_parity=report.parity,
                entities=report.evaluation.entities,
                mistakes=report.evaluation.confusions[:MISTAKES],
                thresholds=tuple(one.threshold for one in report.figures.per_class),
                fit_seconds=prepared.seconds + report.fit_seconds,
                bundle_bytes=report.bundle_bytes,
                details=report.details,
            ),
        )
        return Made(version, report.pool_signs, out_of_fold=report.out_of_fold)

    def resume(
        self, run: TrainingRun, version: ModelVersion, snapshot: Snapshot[Any], meter: ProgressMeter
    ) -> tuple[Prepared, Made]:
        """Score the pool by the bundle, as the model that it was exported from is gone."""
        prepared = self._with_words(run, snapshot, meter)
        meter("evaluate", 0.8)
        found = signs_of(version, prepared.snapshot.pool_texts, prepared.words)
        return prepared, Made(version, found)

    def judge(self, made: Made, prepared: Prepared) -> Verdict:
        return publication.judge(
            version=made.version,
            documents=prepared.snapshot.tuning,
            encoder=prepared.words,
            were_tuned_on=True,
        )


def signs_of(version: ModelVersion, texts: Sequence[str], words: ProjectWords | None = None) -> FloatArray:
    """Return what strategies look at in each text (texts, signs), by a version's bundle.

    The vectors of words are those that are kept, where the version reads some.
    """
    if words is None and version.encoder:
        words = word_vectors.of(version.project, version.encoder)
    predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    reads = words if words is not None and words.fingerprint == version.encoder else None
    return signs(predictor.word_scores(texts, encoder=reads), predictor.decoder.whole)
