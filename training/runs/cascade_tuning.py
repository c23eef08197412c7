"""Makes a cascade of two bundles, and tunes on held-out documents where the cheap one may answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundles.bundle import ENCODER, BundleDraft, Manifest, encoder_folder
from training.bundles.cascade import CHEAP, STRONG, CascadePredictor, fitting
from training.bundles.predictor import Predictor
from training.figures import thresholds
from training.figures.calibration import IDENTITY
from training.figures.evaluate import macro_f1, macro_f1_interval
from training.splits import even_and_odd
from training.types import Dataset, Embedder, FloatArray, Objective, TrainingError

KIND = "cascade"
TOLERANCE = 0.0025  # macro-F1, or macro-F-beta, that the cascade may lose on the tuning documents
_SPLITS = 200  # splits that are tried at most
_WORTH = 0.1  # share of the texts that the cheap part must be able to answer


@dataclass(frozen=True, slots=True)
class Split:
    """The confidence from which the cheap part answers, and the figures of that on the tuning documents.

    Macro-F1 is that with thresholds tuned for the objective, which need not be F1.
    """

    confidence: float
    cheap_share: float
    macro_f1: float
    strong_macro_f1: float


@dataclass(frozen=True, slots=True)
class _Tried:
    """A split with the thresholds (labels,) that suit it, their macro-F1, and what they are worth."""

    at: float
    cheap_share: float
    cuts: FloatArray
    macro_f1: float
    worth: float


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the thresholds of a multi-label task are tuned for, and how good a split is then.

    Splits are told apart by macro-F-beta where that is the objective, else by macro-F1. A single-label task
    needs no thresholds; it keeps those of its strong part.
    """

    tuning: Dataset
    kept: FloatArray
    objective: Objective
    value: float

    @property
    def beta(self) -> float:
        is_wanted = self.objective is Objective.FBETA and self.tuning.schema.task.has_thresholds
        return self.value if is_wanted else 1.0

    def cuts(self, scores: FloatArray) -> FloatArray:
        if not self.tuning.schema.task.has_thresholds:
            return self.kept
        return thresholds.tune(scores, self.tuning.targets, self.objective, self.value)

    def decisions(self, scores: FloatArray) -> thresholds.Decisions:
        return self.tuning.schema.task.decide(scores, self.cuts(scores))


def build_cascade(
    cheap: Path,
    strong: Path,
    tuning: Dataset,
    folder: Path,
    *,
    embedder: Embedder | None = None,
    encoder_root: Path | None = None,
    objective: Objective = Objective.F1,
    objective_value: float = 1.0,
    tolerance: float = TOLERANCE,
    replace_bundle: bool = False,
    seed: int = 0,
) -> Split:
    """Put two bundles into one at `folder`, split where `tuning` says, and return that split.

    Multi-label thresholds are tuned for `objective`, of which `objective_value` is beta or the wanted
    precision. Both bundles stay as they are. Raises `TrainingError` without labelled tuning documents, where
    the labels of the three differ, or where no text may be left to the cheap part; then nothing is left
    behind.
    """
    parts = [Predictor(path, encoder_root=encoder_root) for path in (cheap, strong)]
    if not tuning.targets.any():
        raise TrainingError(
            "A cascade needs tuning documents with labels to find out when the cheap bundle is right."
        )
    cheap_schema, strong_schema = (part.schema for part in parts)
    has_same_labels = cheap_schema.keys == strong_schema.keys == tuning.schema.keys
    if not (has_same_labels and cheap_schema.task is strong_schema.task):
        raise TrainingError(
            "The two bundles and the tuning documents need the same labels in the same order."
        )
    scores = [part.predict_proba(tuning.texts, embedder=fitting(part, embedder)) for part in parts]
    split, cuts = tune_split(
        parts[1],
        scores[0],
        scores[1],
        tuning,
        objective=objective,
        objective_value=objective_value,
        tolerance=tolerance,
        seed=seed,
    )
    with BundleDraft(folder) as draft:
        sums = {name: draft.add_part(name, path) for name, path in ((CHEAP, cheap), (STRONG, strong))}
        # Encoders that lie outside of the bundles come too, so that the cascade is served from one folder.
        for name, part in zip((CHEAP, STRONG), parts, strict=True):
            source = encoder_folder(part.bundle, part.manifest, encoder_root)
            if source is not None and source != part.bundle / ENCODER:
                draft.add_encoder(source, name)
        manifest = _manifest(parts[1].manifest, split, cuts, sums)
        calibrated = all(part.manifest.calibrated for part in parts)
        draft.write_manifest(replace(manifest, calibrated=calibrated))
        draft.publish(replace=replace_bundle)
    return split


def tune_split(
    strong: Predictor,
    cheap_scores: FloatArray,
    strong_scores: FloatArray,
    tuning: Dataset,
    *,
    objective: Objective = Objective.F1,
    objective_value: float = 1.0,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> tuple[Split, FloatArray]:
    """Return the split that leaves most texts to the cheap part, and the thresholds (labels,) to go with it.

    Of two models that err on different texts, the two together may beat both, so the best split is looked
    for first; then lower ones are taken as long as macro-F1 on the tuning documents (macro-F-beta where that
    is the objective) loses at most `tolerance` and stays within the strong part's 95 % interval.
    """
    aim = _Aim(tuning, strong.thresholds, objective, objective_value)
    found = _best_split(aim, cheap_scores, strong_scores, tolerance, seed=seed)
    if found is None:
        raise TrainingError(
            f"The cheap bundle can answer hardly any of the {len(tuning)} tuning documents as well as the "
            "strong one; publish the strong one alone."
        )
    strong_f1 = macro_f1(tuning.targets, aim.decisions(strong_scores)) or 0.0
    return Split(found.at, found.cheap_share, found.macro_f1, strong_f1), found.cuts


def _best_split(
    aim: _Aim, cheap: FloatArray, strong: FloatArray, tolerance: float, *, seed: int
) -> _Tried | None:
    """Return the split that `tune_split` describes, None where the cheap part may answer hardly any text."""
    tuning, rng = aim.tuning, np.random.default_rng(seed)
    low, _ = macro_f1_interval(tuning.targets, aim.decisions(strong), rng, beta=aim.beta)
    sure = tuning.schema.task.confidence(cheap)
    # From the split that leaves hardly any text to the cheap part on downwards.
    confidences = np.unique(np.quantile(sure, np.linspace(0, 1, _SPLITS), method="lower"))[::-1]
    tried = []
    for at in confidences:
        by_strong = sure < at
        merged = np.where(by_strong[:, None], strong, cheap)
        cuts = aim.cuts(merged)
        decisions = tuning.schema.task.decide(merged, cuts)
        reached, worth = (macro_f1(tuning.targets, decisions, beta) or 0.0 for beta in (1.0, aim.beta))
        tried.append(_Tried(float(at), float(1 - by_strong.mean()), cuts, reached, worth))
    best = max(range(len(tried)), key=lambda i: tried[i].worth)
    floor = max(low or 0.0, tried[best].worth - tolerance)
    chosen = list(takewhile(lambda one: one.worth >= floor, tried[best:]))[-1:]
    return chosen[0] if chosen and chosen[0].cheap_share >= _WORTH else None


def decided_by_halves(
    cascade: CascadePredictor,
    documents: Dataset,
    objective: Objective,
    objective_value: float,
    *,
    embedder: Embedder | None = None,
) -> NDArray[np.bool_]:
    """Return decisions (documents, labels) on each half of documents by a split that the other half sets.

    So a cascade is judged fairly on the documents that it was tuned on. Where a half lets the cheap part
    answer nothing, the strong one decides about the other half.
    """
    parts = cascade.cheap, cascade.strong
    cheap, strong = (part.predict_proba(documents.texts, embedder=fitting(part, embedder)) for part in parts)
    task, decided = documents.schema.task, np.zeros(strong.shape, bool)
    for learn, seen in even_and_odd(len(documents)):
        tuning = replace(
            documents, texts=tuple(documents.texts[i] for i in learn), targets=documents.targets[learn]
        )
        aim = _Aim(tuning, cascade.strong.thresholds, objective, objective_value)
        tried = _best_split(aim, cheap[learn], strong[learn], TOLERANCE, seed=0)
        if tried is None:
            decided[seen] = task.decide(strong[seen], aim.cuts(strong[learn]))
            continue
        by_strong = task.confidence(cheap[seen]) < tried.at
        decided[seen] = task.decide(np.where(by_strong[:, None], strong[seen], cheap[seen]), tried.cuts)
    return decided


def _manifest(strong: Manifest, split: Split, cuts: FloatArray, sums: dict[str, str]) -> Manifest:
    figures = {"tuned_macro_f1": split.macro_f1, "strong_macro_f1": split.strong_macro_f1}
    return replace(
        strong,
        family=KIND,
        preprocessing=KIND,
        thresholds=tuple(cuts.tolist()),
        calibration=IDENTITY,
        figures=figures | {"cheap_share": split.cheap_share},
        parts=sums,
        split=split.confidence,
    )
