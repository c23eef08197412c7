"""From labelled texts to a published bundle: fit, calibrate and tune, export, parity, evaluate, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import BundleDraft, BundleError, Manifest, bundle_bytes, encoder_folder
from training.bundles.predictor import Predictor
from training.encoders.vectors import knows_labels
from training.export.onnx import check_parity, export_model, prefer_int8, scored_in_parts
from training.families.build import build_model
from training.families.shared.teaching import fit_taught, with_fewer
from training.figures import calibration
from training.figures.evaluate import evaluate
from training.protocol import ReportsProgress, ScoresHeldBack, ScoresOutOfFold, ScoresPool, TextModel
from training.runs.stages import Stages
from training.splits import assign_folds
from training.types import (
    Dataset,
    Embedder,
    Evaluation,
    FloatArray,
    IntArray,
    Json,
    Parity,
    ProgressCallback,
    RunReport,
    RunSpec,
)

FOLDS = 3
ENOUGH_FOR_ONE_FOLD = 1_000  # documents in it


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model and the seconds that it took."""

    model: TextModel
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """How raw scores become decisions, and on which validation scores that was learned."""

    calibration: Mapping[str, Json]
    thresholds: FloatArray  # (labels,)
    source: str  # "tuning", "out of fold", "out of fold and tuning" or "none"
    documents: int

    def scores(self, raw: FloatArray) -> FloatArray:
        """Return calibrated scores of uncalibrated ones."""
        return calibration.apply(self.calibration, raw)


def train_and_package(
    spec: RunSpec,
    dataset: Dataset,
    folder: Path,
    *,
    tuning: Dataset,
    reporting: Dataset,
    embedder: Embedder | None = None,
    encoder_root: Path | None = None,
    on_progress: ProgressCallback | None = None,
    self_contained: bool = False,
    replace_bundle: bool = False,
) -> RunReport:
    """Train what `spec` asks for and leave a checked bundle at `folder`, which appears by one rename.

    `tuning` and `reporting` are the halves of the holdout lane and may be empty; figures come from
    `reporting` alone, scored by the bundle itself. With `self_contained` the encoder that the bundle needs
    is put into it from `encoder_root`. Raises `TrainingError` for data that cannot be learned from,
    `ParityError` for a bundle that answers unlike its model; then nothing is left behind.
    """
    stages = Stages(on_progress)
    stages.enter("fit", 0.0, until=0.4)
    fitted = fit_model(spec, dataset, tuning, embedder, stages.tell)
    stages.enter("tune", 0.4, until=0.7)
    tuned = calibrate_and_tune(spec, dataset, tuning, fitted.model, embedder)
    stages.enter("export", 0.7, until=0.8)
    with BundleDraft(folder) as draft:
        manifest = export_model(fitted.model, draft, _manifest_fields(spec, dataset, tuned))
        if self_contained:
            _add_encoder(draft, manifest, encoder_root)
        held = _together(reporting, tuning)
        texts = held.texts or dataset.texts or dataset.schema.keys
        parity = check_parity(fitted.model, draft.folder, texts, embedder=embedder)
        manifest, parity = prefer_int8(fitted.model, draft, manifest, parity, held, dataset, tell=stages.tell)
        stages.enter("evaluate", 0.8, until=0.95)
        evaluation = evaluate_bundle(
            draft.folder, reporting, seed=spec.seed, embedder=embedder, on_progress=stages.tell
        )
        pool = _pool_scores(fitted.model, dataset, tuned)
        stages.enter("publish", 0.95)
        draft.write_manifest(
            replace(manifest, figures=_figures(evaluation, parity, fitted, tuned, len(dataset)))
        )
        draft.publish(replace=replace_bundle)
    stages.enter("done", 1.0)
    return RunReport(
        bundle=folder,
        evaluation=evaluation,
        parity=parity,
        thresholds=tuple(tuned.thresholds.tolist()),
        labelled=len(dataset),
        fit_seconds=fitted.seconds,
        bundle_bytes=bundle_bytes(folder),
        pool_scores=pool,
        details={"tuned_on": tuned.source, "tuned_documents": tuned.documents} | _model_details(fitted.model),
    )


def fit_model(
    spec: RunSpec,
    dataset: Dataset,
    valid: Dataset,
    embedder: Embedder | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Fitted:
    """Build the family that `spec` names and fit it; wrong parameters are a `TrainingError`.

    A family that can tells `on_progress` how far it is, then and later; others stay silent.
    """
    model = build_model(spec, embedder)
    if on_progress is not None and isinstance(model, ReportsProgress):
        model.on_progress = on_progress
    started = time.perf_counter()
    fit_taught(model, dataset, valid=valid)
    return Fitted(model, time.perf_counter() - started)


def calibrate_and_tune(
    spec: RunSpec, dataset: Dataset, tuning: Dataset, model: TextModel, embedder: Embedder | None = None
) -> Tuned:
    """Learn calibration and thresholds from documents that `model` has not seen.

    Those are the tuning documents where they are enough, or where the encoder knows all others; else the
    training documents scored out of fold come on top, as far as the data can be folded.
    """
    raw, targets, source = _validation_scores(spec, dataset, tuning, model, embedder)
    task = dataset.schema.task
    learned = task.calibrate(raw, targets)
    scores = calibration.apply(learned, raw)
    cuts = task.tune(scores, targets, spec.objective, spec.objective_value)
    return Tuned(learned, cuts, source, len(raw))


def evaluate_scores(dataset: Dataset, scores: FloatArray, cuts: FloatArray, *, seed: int = 0) -> Evaluation:
    """Return the figures of calibrated scores on `dataset`'s documents."""
    return evaluate(dataset.schema, dataset.targets, scores, cuts, np.random.default_rng(seed))


def evaluate_bundle(
    bundle: Path,
    dataset: Dataset,
    *,
    seed: int = 0,
    embedder: Embedder | None = None,
    encoder_root: Path | None = None,
    on_progress: Callable[[float], None] = lambda done: None,
) -> Evaluation:
    """Return the figures of a bundle on labelled documents of its own schema."""
    predictor = Predictor(bundle, encoder_root=encoder_root)
    raw = scored_in_parts(predictor, dataset.texts, embedder=embedder, tell=on_progress)
    scores = calibration.apply(predictor.manifest.calibration, raw)
    return evaluate_scores(dataset, scores, predictor.thresholds, seed=seed)


def _validation_scores(
    spec: RunSpec, dataset: Dataset, tuning: Dataset, model: TextModel, embedder: Embedder | None
) -> tuple[FloatArray, FloatArray, str]:
    held = (model.predict_proba(tuning.texts), tuning.targets) if len(tuning) else None
    if held and (tuning.schema.task.is_enough_to_tune(tuning.targets) or knows_labels(embedder)):
        return *held, "tuning"
    folded = _out_of_fold(spec, dataset, model, embedder)
    if folded is None:
        empty = np.zeros((0, len(dataset.schema)), np.float32)
        return (*held, "tuning") if held else (empty, empty, "none")
    if held is None:
        return *folded, "out of fold"
    raw, targets = (np.concatenate(pair) for pair in zip(folded, held, strict=True))
    return raw, targets, "out of fold and tuning"


def _out_of_fold(
    spec: RunSpec, dataset: Dataset, model: TextModel, embedder: Embedder | None
) -> tuple[FloatArray, FloatArray] | None:
    """Return scores and targets of documents by models that had not seen them, None where that cannot be."""
    if (held_back := _held_back(dataset, model)) or len(dataset) < 2 * FOLDS:
        return held_back
    folds = assign_folds(dataset, FOLDS, np.random.default_rng(spec.seed))
    if isinstance(model, ScoresOutOfFold):
        return model.out_of_fold(folds), dataset.targets
    scored = range(_folds_to_score(dataset))
    tell = model.on_progress if isinstance(model, ReportsProgress) else None
    parts = [_score_fold(spec, dataset, folds == fold, embedder, tell) for fold in scored]
    kept = [part for part in parts if part is not None]
    if not kept:
        return None
    scores, targets = (np.concatenate(pair) for pair in zip(*kept, strict=True))
    return scores, targets


def _held_back(dataset: Dataset, model: TextModel) -> tuple[FloatArray, FloatArray] | None:
    """Return scores and targets of the documents that the model held back, where they are enough."""
    found = model.held_back() if isinstance(model, ScoresHeldBack) else None
    if found is None or not dataset.schema.task.is_enough_to_tune(dataset.targets[found[0]]):
        return None
    return found[1], dataset.targets[found[0]]


def _folds_to_score(dataset: Dataset) -> int:
    """Return 1 where one fold's documents are enough for a temperature, as each fold costs one more fit."""
    enough = dataset.schema.task.exclusive and len(dataset) >= FOLDS * ENOUGH_FOR_ONE_FOLD
    return 1 if enough else FOLDS


def _score_fold(
    spec: RunSpec,
    dataset: Dataset,
    held: IntArray,
    embedder: Embedder | None,
    tell: Callable[[float], None] | None,
) -> tuple[FloatArray, FloatArray] | None:
    learn, score = with_fewer(rows_of(dataset, ~held)), rows_of(dataset, held)
    if not len(score) or int(learn.targets.any(axis=0).sum()) < 2:
        return None
    fitted = fit_model(replace(spec, previous=None), learn, score, embedder, tell)
    return fitted.model.predict_proba(score.texts), score.targets


def rows_of(dataset: Dataset, rows: IntArray) -> Dataset:
    """Return the documents of a mask or of indices, without the pool; what a teacher said stays."""
    chosen = np.arange(len(dataset))[rows]
    texts = tuple(dataset.texts[i] for i in chosen)
    return Dataset(dataset.schema, texts, dataset.targets[chosen], taught=dataset.taught)


def _together(one: Dataset, other: Dataset) -> Dataset:
    return Dataset(one.schema, one.texts + other.texts, np.concatenate([one.targets, other.targets]))


def _manifest_fields(spec: RunSpec, dataset: Dataset, tuned: Tuned) -> dict[str, Json]:
    return {
        "family": spec.family,
        "schema": dataset.schema,
        "thresholds": tuple(tuned.thresholds.tolist()),
        "calibration": tuned.calibration,
    }


def _figures(
    evaluation: Evaluation, parity: Parity, fitted: Fitted, tuned: Tuned, labelled: int
) -> dict[str, Json]:
    kept = ("documents", "macro_f1", "macro_f1_low", "macro_f1_high", "micro_f1", "calibration_error")
    return {key: getattr(evaluation, key) for key in kept} | {
        "labelled": labelled,
        "fit_seconds": fitted.seconds,
        "tuned_on": tuned.source,
        "parity": asdict(parity),
    }


def _add_encoder(draft: BundleDraft, manifest: Manifest, encoder_root: Path | None) -> None:
    if manifest.encoder is None:
        return
    source = encoder_folder(draft.folder, manifest, encoder_root)
    if source is None:
        raise BundleError(f"The encoder {manifest.encoder[:12]} is not in {encoder_root}; prepare it again.")
    draft.add_encoder(source)


def _pool_scores(model: TextModel, dataset: Dataset, tuned: Tuned) -> FloatArray | None:
    if dataset.pool is None:
        return None
    if isinstance(model, ScoresPool):
        return tuned.scores(model.pool_scores())
    return tuned.scores(model.predict_proba(dataset.pool.texts))


def _model_details(model: TextModel) -> dict[str, Json]:
    return dict(getattr(model, "details_", {}))
