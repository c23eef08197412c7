"""From labelled texts to a published bundle: fit, calibrate and tune, export, parity, evaluate, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundles.bundle import BundleDraft, BundleError, Manifest, bundle_bytes, encoder_folder
from training.bundles.familiar import Familiar
from training.bundles.predictor import Predictor
from training.encoders.names import name_vectors
from training.encoders.vectors import knows_labels
from training.export.onnx import check_parity, export_model, prefer_int8, scored_in_parts
from training.families.build import build_model
from training.families.shared.teaching import fit_taught, with_fewer
from training.figures import calibration
from training.figures.evaluate import evaluate
from training.figures.label_errors import suspects
from training.protocol import ReportsProgress, ScoresHeldBack, ScoresOutOfFold, ScoresPool, TextModel
from training.registry import FAMILIES, entry
from training.runs.stages import Stages
from training.splits import assign_folds
from training.threads import steady
from training.types import (
    Dataset,
    Embedder,
    Evaluation,
    FloatArray,
    IntArray,
    Json,
    OutOfFold,
    Parity,
    ProgressCallback,
    RunReport,
    RunSpec,
)

FOLDS = 3
FOLDINGS = 3  # ways to fold, over which thresholds are averaged
_MOST_FOLDED = 1_000  # documents; of more, one way to fold tells as much
ENOUGH_FOR_ONE_FOLD = 1_000  # documents of a fold, so that the other folds need not be scored
# What a manifest keeps of the evaluation.
FIGURES = ("documents", "macro_f1", "macro_f1_low", "macro_f1_high", "micro_f1", "calibration_error")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model and the seconds that it took."""

    model: TextModel
    seconds: float


class Folding(Enum):
    """Which documents are scored out of fold, where a family needs one more fit for each fold."""

    ENOUGH = "enough"  # to calibrate and tune
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Folded:
    """Raw `scores` and `targets` (scored, labels) of `rows` (scored,), by models that had not seen them."""

    rows: IntArray
    scores: FloatArray
    targets: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Folded]) -> Folded | None:
        """Return the documents of all parts together, None where there is none."""
        found = [part for part in parts if len(part.rows)]
        if not found:
            return None
        columns = ([getattr(part, one.name) for part in found] for one in fields(cls))
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True, slots=True)
class TunedOn:
    """What a run's encoder knows of its labelled documents, and what tells all the same how sure to be.

    `seen` (documents,) are those that it was tuned on, or near duplicates of one. `cross_fitted` are scores
    of these by other encoders, each tuned without them. `carried` is the calibration that an earlier run over
    the same encoder learned, `documents` from so many; it serves until as many are known as make confidences.
    """

    seen: NDArray[np.bool_]
    cross_fitted: Folded | None = None
    carried: Mapping[str, Json] | None = None
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Tuned:
    """How raw scores become decisions, and on which validation scores that was learned."""

    calibration: Mapping[str, Json]
    thresholds: FloatArray  # (labels,)
    source: str  # "tuning", "out of fold", "out of fold and tuning", "an earlier run" or "none"
    documents: int
    folded: Folded | None = None  # the training documents among them

    @property
    def details(self) -> dict[str, Json]:
        """What a report tells of it."""
        return {"tuned_on": self.source, "tuned_documents": self.documents}

    def scores(self, raw: FloatArray) -> FloatArray:
        """Return calibrated scores of uncalibrated ones."""
        return calibration.apply(self.calibration, raw)


@dataclass(frozen=True, slots=True)
class Said:
    """Calibrated `pool_scores` (pool documents, labels), `thresholds` for them, and what folds say.

    `pool_scores` are None without a pool, `out_of_fold` is None where the documents are too few for
    confidences.
    """

    pool_scores: FloatArray | None
    thresholds: tuple[float, ...]
    out_of_fold: OutOfFold | None


@steady
def train_and_package(
    spec: RunSpec,
    dataset: Dataset,
    folder: Path,
    *,
    tuning: Dataset,
    reporting: Dataset,
    embedder: Embedder | None = None,
    tuned_on: TunedOn | None = None,
    encoder_root: Path | None = None,
    on_progress: ProgressCallback | None = None,
    self_contained: bool = False,
    replace_bundle: bool = False,
) -> RunReport:
    """Train what `spec` asks for and leave a checked bundle at `folder`, which appears by one rename.

    `tuning` and `reporting` are the halves of the holdout lane and may be empty; figures come from the latter
    alone, scored by the bundle itself. `tuned_on` tells what a tuned encoder knows of `dataset`. With
    `self_contained` the bundle's encoder is put into it from `encoder_root`. Raises `TrainingError` for data
    that cannot be learned from, `ParityError` for a bundle unlike its model; then nothing is left behind.
    """
    stages = Stages(on_progress)
    stages.enter("fit", 0.0, until=0.4)
    fitted = fit_model(spec, dataset, tuning, embedder, stages.tell)
    model = fitted.model

    stages.enter("tune", 0.4, until=0.7)
    tuned = calibrate_and_tune(spec, dataset, tuning, model, embedder, tuned_on)

    stages.enter("export", 0.7, until=0.8)
    with BundleDraft(folder) as draft:
        manifest = export_decided(spec, dataset, model, tuned, draft, embedder)
        if self_contained:
            _add_encoder(draft, manifest, encoder_root)
        manifest, parity = _prove(model, draft, manifest, dataset, tuning, reporting, embedder, stages.tell)

        stages.enter("evaluate", 0.8, until=0.95)
        evaluation = evaluate_bundle(
            draft.folder, reporting, seed=spec.seed, embedder=embedder, on_progress=stages.tell
        )
        pool = _pool_scores(dataset, model, tuned)
        said = _said_out_of_fold(spec, dataset, model, tuned, embedder)

        stages.enter("publish", 0.95)
        about = {"labelled": len(dataset), "fit_seconds": fitted.seconds, "tuned_on": tuned.source}
        draft.write_manifest(replace(manifest, figures=_figures(evaluation, parity) | about))
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
        out_of_fold=said,
        details=tuned.details | getattr(model, "details_", {}),
    )


def _figures(evaluation: Evaluation, parity: Parity) -> dict[str, Json]:
    """Return what a manifest keeps of the measurements."""
    return {name: getattr(evaluation, name) for name in FIGURES} | {"parity": asdict(parity)}


def _prove(
    model: TextModel,
    draft: BundleDraft,
    manifest: Manifest,
    dataset: Dataset,
    tuning: Dataset,
    reporting: Dataset,
    embedder: Embedder | None,
    tell: Callable[[float], None],
) -> tuple[Manifest, Parity]:
    """Compare the graph with its model, on held-out texts if there are any; take INT8 where it is as good.

    That is decided without the reporting documents, as whatever they choose they no longer report fairly.
    """
    texts = reporting.texts + tuning.texts or dataset.texts or dataset.schema.keys
    parity = check_parity(model, draft.folder, texts, embedder=embedder)
    is_enough = dataset.schema.task.is_enough_to_tune(tuning.targets) if len(tuning) else False
    judged = tuning if is_enough else _joined(tuning, dataset)
    return prefer_int8(model, draft, manifest, parity, judged, held_out=is_enough, tell=tell)


def _joined(tuning: Dataset, dataset: Dataset) -> Dataset:
    targets = np.concatenate([tuning.targets, dataset.targets])
    return Dataset(dataset.schema, tuning.texts + dataset.texts, targets)


def export_decided(
    spec: RunSpec,
    dataset: Dataset,
    model: TextModel,
    tuned: Tuned,
    draft: BundleDraft,
    embedder: Embedder | None,
) -> Manifest:
    """Export the model into `draft` with all that turns its scores into decisions; return the manifest."""
    calibrated = calibration.holds(dataset.schema.task, tuned.documents)
    about = {
        "family": spec.family,
        "schema": dataset.schema,
        "thresholds": tuple(tuned.thresholds.tolist()),
        "calibration": tuned.calibration,
        "calibrated": calibrated,
        "abstain_below": spec.abstain_below,
    }
    manifest = export_model(model, draft, about)
    by_names = not (len(dataset) and entry(FAMILIES, spec.family).learns)
    if by_names and not calibrated and embedder is not None and manifest.encoder is not None:
        # What guesses from names alone has to be silent where a text is like none of them.
        Familiar(name_vectors(dataset.schema, embedder)).save(draft.folder)
        manifest = draft.write_manifest(manifest)
    return manifest


@steady
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


@steady
def calibrate_and_tune(
    spec: RunSpec,
    dataset: Dataset,
    tuning: Dataset,
    model: TextModel,
    embedder: Embedder | None = None,
    tuned_on: TunedOn | None = None,
) -> Tuned:
    """Learn calibration and thresholds from documents that `model` has not seen.

    Those are the tuning documents where they are enough; else the training documents scored out of fold come
    on top, as far as the data can be folded.

    NB: an encoder that was tuned on the training documents makes such scores too sure. Where one label is
    right that spoils the calibration, so only those serve that `tuned_on` tells it has not seen; thresholds
    and confidences of labels that are decided one by one are as good by all of them (docs/benchmarks.md,
    "Tuned by itself").
    """
    task = dataset.schema.task
    held = (model.predict_proba(tuning.texts), tuning.targets) if len(tuning) else None
    folded = None
    if held is None or not task.is_enough_to_tune(tuning.targets):
        if knows_labels(embedder) and task.exclusive:
            folded = unseen(spec, dataset, model, embedder, tuned_on)
        else:
            folded = out_of_fold(spec, dataset, model, embedder, Folding.ENOUGH)
    sources = {"out of fold": (folded.scores, folded.targets) if folded else None, "tuning": held}
    found = {source: pair for source, pair in sources.items() if pair is not None}
    raw, targets = _stacked(dataset, found.values())
    learned = task.calibrate(raw, targets)
    source, documents = " and ".join(found) or "none", len(raw)
    if tuned_on is not None and tuned_on.carried is not None and not calibration.holds(task, documents):
        learned, source, documents = tuned_on.carried, "an earlier run", tuned_on.documents
    views = [(raw, targets)]
    if folded is not None and task.has_thresholds:
        again = _folded_again(spec, dataset, model, embedder)
        views += [_stacked(dataset, [(o.scores, o.targets), *([held] if held else [])]) for o in again]
    cuts = np.mean(
        [
            task.tune(calibration.apply(learned, scores), true, spec.objective, spec.objective_value)
            for scores, true in views
        ],
        axis=0,
    )
    return Tuned(learned, np.asarray(cuts, np.float32), source, documents, folded)


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
    rng = np.random.default_rng(seed)
    return evaluate(dataset.schema, dataset.targets, scores, predictor.thresholds, rng)


def out_of_fold(
    spec: RunSpec, dataset: Dataset, model: TextModel, embedder: Embedder | None, folding: Folding
) -> Folded | None:
    """Return scores of documents by models that had not seen them, None where that cannot be."""
    task = dataset.schema.task
    if folding is Folding.ENOUGH and isinstance(model, ScoresHeldBack):
        held_back = model.held_back()
        if held_back is not None and task.is_enough_to_tune(dataset.targets[held_back[0]]):
            return Folded(*held_back, dataset.targets[held_back[0]])
    if len(dataset) < 2 * FOLDS:
        return None
    folds = assign_folds(dataset, FOLDS, np.random.default_rng(spec.seed))
    filled = np.unique(folds)
    if len(filled) < 2:
        return None  # all texts are near duplicates of one
    if isinstance(model, ScoresOutOfFold):
        return Folded(np.arange(len(dataset)), model.out_of_fold(folds), dataset.targets)
    # Each fold costs one more fit. Without thresholds one number is fitted, for which one fold is enough.
    is_one_enough = not task.has_thresholds and len(dataset) >= FOLDS * ENOUGH_FOR_ONE_FOLD
    is_one_enough = is_one_enough and folding is Folding.ENOUGH
    tell = model.on_progress if isinstance(model, ReportsProgress) else None
    kept: list[Folded] = []
    for fold in filled[:1] if is_one_enough else filled:
        learn, rows = with_fewer(rows_of(dataset, folds != fold)), np.flatnonzero(folds == fold)
        score = rows_of(dataset, rows)
        if len(score) and int(learn.targets.any(axis=0).sum()) >= 2:
            fitted = fit_model(replace(spec, previous=None), learn, score, embedder, tell)
            kept.append(Folded(rows, fitted.model.predict_proba(score.texts), score.targets))
    return Folded.joined(kept)


def _stacked(
    dataset: Dataset, pairs: Iterable[tuple[FloatArray, FloatArray]]
) -> tuple[FloatArray, FloatArray]:
    """Return scores and targets (documents, labels) of all pairs, below each other."""
    nothing = np.zeros((0, len(dataset.schema)), np.float32)
    scores, targets = zip((nothing, nothing), *pairs, strict=True)
    return np.concatenate(scores), np.concatenate(targets)


def _folded_again(
    spec: RunSpec, dataset: Dataset, model: TextModel, embedder: Embedder | None
) -> list[Folded]:
    """Return what is said of few documents where they are folded in other ways.

    Which documents fall into one fold moves the thresholds that few of them set (docs/benchmarks.md,
    "Thresholds of several labels a document"). None of a family that needs a whole fit for each fold.
    """
    if not isinstance(model, ScoresOutOfFold) or len(dataset) > _MOST_FOLDED:
        return []
    ways = (replace(spec, seed=spec.seed + 1_000 * way) for way in range(1, FOLDINGS))
    found = (out_of_fold(way, dataset, model, embedder, Folding.ENOUGH) for way in ways)
    return [folded for folded in found if folded is not None]


def unseen(
    spec: RunSpec, dataset: Dataset, model: TextModel, embedder: Embedder | None, tuned_on: TunedOn | None
) -> Folded | None:
    """Return scores out of fold of documents that their encoder has not seen either, None without any."""
    if tuned_on is None:
        return None
    parts = [] if tuned_on.cross_fitted is None else [tuned_on.cross_fitted]
    if not tuned_on.seen.all():
        found = out_of_fold(spec, dataset, model, embedder, Folding.ENOUGH)
        if found is not None:
            fresh = ~tuned_on.seen[found.rows]
            parts.append(Folded(found.rows[fresh], found.scores[fresh], found.targets[fresh]))
    return Folded.joined(parts)


def _add_encoder(draft: BundleDraft, manifest: Manifest, root: Path | None) -> None:
    """Put the encoder that a bundle needs, if any, into it. Raises `BundleError` where it is missing."""
    if manifest.encoder is None:
        return
    encoder = encoder_folder(draft.folder, manifest, root)
    if encoder is None:
        raise BundleError(f"The encoder {manifest.encoder[:12]} is not in {root}; prepare it again.")
    draft.add_encoder(encoder)


def _pool_scores(dataset: Dataset, model: TextModel, tuned: Tuned) -> FloatArray | None:
    """Return calibrated scores (pool documents, labels) of the data's pool, None where there is none."""
    if dataset.pool is None:
        return None
    raw = model.pool_scores() if isinstance(model, ScoresPool) else None
    return tuned.scores(model.predict_proba(dataset.pool.texts) if raw is None else raw)


def _said_out_of_fold(
    spec: RunSpec, dataset: Dataset, model: TextModel, tuned: Tuned, embedder: Embedder | None
) -> OutOfFold | None:
    """Return what is said out of fold of the training documents, None where it would take more fits.

    Scores that served to calibrate are taken as they are; a family that scores its documents out of fold by
    itself does so in less time than its fit. An encoder that knows the labels makes no such scores.
    """
    folded = tuned.folded
    if folded is None and isinstance(model, ScoresOutOfFold) and not knows_labels(embedder):
        folded = out_of_fold(spec, dataset, model, embedder, Folding.ENOUGH)
    if folded is None or knows_labels(embedder):
        return None
    task, scores = dataset.schema.task, tuned.scores(folded.scores)
    return OutOfFold(
        folded.rows,
        scores,
        task.decide(scores, tuned.thresholds),
        folded.targets,
        suspects(folded.targets, scores) if task.exclusive else np.zeros(len(scores), bool),
    )


def said_by(spec: RunSpec, dataset: Dataset, embedder: Embedder) -> Said:
    """Return what a model over `embedder` says of documents that another encoder was tuned on.

    It says the pool by itself, and the training documents out of fold. It starts warm from `spec.previous`.
    """
    nothing = rows_of(dataset, np.zeros(0, np.int64))
    model = fit_model(spec, dataset, nothing, embedder).model
    tuned = calibrate_and_tune(spec, dataset, nothing, model, embedder)
    is_enough = calibration.holds(dataset.schema.task, tuned.documents)
    said = _said_out_of_fold(spec, dataset, model, tuned, embedder) if is_enough else None
    return Said(_pool_scores(dataset, model, tuned), tuple(tuned.thresholds.tolist()), said)


def rows_of(dataset: Dataset, rows: IntArray) -> Dataset:
    """Return the documents of a mask or of indices, without the pool; what a teacher said stays."""
    chosen = np.arange(len(dataset))[rows]
    texts = tuple(dataset.texts[i] for i in chosen)
    return Dataset(dataset.schema, texts, dataset.targets[chosen], taught=dataset.taught)
