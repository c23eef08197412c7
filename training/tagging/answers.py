"""From what a model says of words to an answer: spans, and how likely each of them is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.spans import SpanDataset, SpansOutOfFold, WordScores
from training.tagging.bio import spans_of
from training.tagging.decode import biased, span_probabilities, viterbi_of_all
from training.tagging.whole import LabelDecoder
from training.types import Answer, FloatArray, IntArray, Json, Span

IDENTITY: Mapping[str, Json] = {"method": "none"}
FEWEST_SPANS = 50
"""Held-out spans that a calibration needs before a score may be told as a confidence."""
FEWEST_TO_TUNE = 100
"""Gold spans that a bias is tuned on; on fewer the best one is noise."""
USUAL_BIAS = 1.5
"""Suits sparse entities, many of which a model that learned from few labels would miss."""
PRIOR = 300
"""Gold spans as which the usual bias counts beside those of a holdout lane."""
HELD_BACK_PRIOR = 3_000
"""The same beside spans that a model learned from as well, whose texts are less like those to come: chosen on
WNUT17, where they ask for .5 and the official test for 1.5, and NLU++, where both are as good."""
_GRID = np.arange(-0.5, 3.01, 0.25)
_FLAT = 0.01  # of F1: biases this near to the best are as good, and the middle of them is taken
_GAIN = 0.005  # of F1, that a bias of a label's own has to bring
_TINY = 1e-6
SURE = 0.8
"""The calibrated confidence from which a span that people did not give is a probable mistake of theirs."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a model's scores become spans: a bias of each label (labels,), and a calibration.

    `whole` does the same for the labels of whole texts, where the model gives some.
    """

    keys: tuple[str, ...]
    bias: FloatArray
    calibration: Mapping[str, Json]
    whole: LabelDecoder | None = None

    def answers(self, found: Sequence[WordScores]) -> list[Answer]:
        """Return an answer for each text; its scores are as `Answer` says."""
        spans, scores = self.raw(found)
        answers = [
            Answer(
                spans=own,
                scores=tuple(
                    (span.label, score)
                    for span, score in zip(own, calibrated(self.calibration, given).tolist(), strict=True)
                ),
            )
            for own, given in zip(spans, scores, strict=True)
        ]
        return answers if self.whole is None else self.whole.added(answers, found)

    def raw(self, found: Sequence[WordScores]) -> tuple[list[tuple[Span, ...]], list[NDArray[np.float64]]]:
        """Return each text's spans, and the marginal probability of exactly each of them."""
        logs = [biased(said.logs, self.bias) for said in found]
        tags = viterbi_of_all(logs)
        spans = [spans_of(own, said.places, self.keys) for own, said in zip(tags, found, strict=True)]
        scores = [np.array(span_probabilities(own, best)) for own, best in zip(logs, tags, strict=True)]
        return spans, scores

    def out_of_fold(
        self, rows: IntArray, found: Sequence[WordScores], gold: Sequence[Answer]
    ) -> SpansOutOfFold:
        """Return what follows from what was said of these rows of a dataset, whose answers are `gold`.

        Spans that are given and that a model doubts tell nothing: most of them are right and rare.
        """
        answers = self.answers(found)
        differs = [not answer.same_choice(given) for answer, given in zip(answers, gold, strict=True)]
        suspects = [
            any(
                score is not None and score >= SURE and span not in given.spans
                for span, (_label, score) in zip(answer.spans, answer.span_scores, strict=True)
            )
            for answer, given in zip(answers, gold, strict=True)
        ]
        return SpansOutOfFold(rows, tuple(answers), np.array(differs, bool), np.array(suspects, bool))

    def tuned_anew(self, found: Sequence[WordScores], true: SpanDataset) -> Decoder:
        """Return the decoder with the biases and thresholds that these texts set, each where they are enough.

        The usual bias is the mean of those that there are, as that of the model is no longer known.
        """
        bias, whole = self.bias, self.whole
        if sum(map(len, true.spans)) >= FEWEST_TO_TUNE:
            bias = tune(self.keys, found, true.spans, usual=float(bias.mean()))
        if whole and true.labels and whole.schema.task.is_enough_to_tune(true.labels.targets):
            whole = whole.tuned_anew(found, true.labels.targets)
        return replace(self, bias=bias, whole=whole)

    def choices(self, found: Sequence[WordScores]) -> list[Answer]:
        """Return an answer for each text without scores, which is quicker."""
        answers = [Answer(spans=own) for own in self.spans(found)]
        if self.whole is None:
            return answers
        return [replace(answer, scores=()) for answer in self.whole.added(answers, found)]

    def spans(self, found: Sequence[WordScores]) -> list[tuple[Span, ...]]:
        """Return each text's spans alone, which is quicker."""
        tags = viterbi_of_all([biased(said.logs, self.bias) for said in found])
        return [spans_of(own, said.places, self.keys) for own, said in zip(tags, found, strict=True)]


def is_enough_to_tune(dataset: SpanDataset) -> bool:
    """Tell whether so many texts tune a decoder without others beside them, in each half of their task."""
    whole = dataset.labels
    return sum(map(len, dataset.spans)) >= FEWEST_TO_TUNE and (
        whole is None or whole.schema.task.is_enough_to_tune(whole.targets)
    )


def tune(
    keys: tuple[str, ...],
    found: Sequence[WordScores],
    gold: Sequence[Sequence[Span]],
    *,
    usual: float = USUAL_BIAS,
    prior: int = PRIOR,
) -> FloatArray:
    """Return the bias of each label (labels,) that suits held-out texts with these spans.

    One for all labels from 100 gold spans on, the usual one below, and an own one for a label that has as
    many itself. What they are moved from counts as `prior` gold spans.
    """
    bias = np.full(len(keys), usual, np.float32)
    if sum(map(len, gold)) < FEWEST_TO_TUNE:
        return bias

    def f1(tried: FloatArray) -> float:
        given = Decoder(keys, tried, IDENTITY).spans(found)
        hits = sum(len({*ours} & {*theirs}) for ours, theirs in zip(gold, given, strict=True))
        return 2 * hits / max(1, sum(map(len, given)) + sum(map(len, gold)))

    reached = np.array([f1(np.full_like(bias, value)) for value in _GRID])
    seen = sum(map(len, gold))
    flat = _GRID[reached >= reached.max() - _FLAT].mean()
    bias[:] = (seen * flat + prior * usual) / (seen + prior)
    best = f1(bias)
    for j, key in enumerate(keys):
        own = sum(span.label == key for spans in gold for span in spans)
        if own < FEWEST_TO_TUNE:
            continue
        for step in (-1.0, -0.5, 0.5, 1.0):
            tried = bias.copy()
            tried[j] += step * own / (own + prior)
            if (now := f1(tried)) >= best + _GAIN:
                bias, best = tried, now
    return bias


def fit_platt(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> Mapping[str, Json]:
    """Return a sigmoid map of spans' scores by whether each was right (Platt, 1999).

    Targets are pulled towards the middle as he does, so that few spans make no certainty. Without spans
    nothing is learned.
    """
    if not len(scores):
        return IDENTITY
    wins, losses = int(right.sum()), int((~right).sum())
    targets = np.where(right, (wins + 1) / (wins + 2), 1 / (losses + 2))
    inputs = np.stack([_logit(scores), np.ones(len(scores))], axis=1)  # (spans, 2)
    found = np.array([1.0, 0.0])
    prior = np.diag([1e-2, 1e-3])  # holds the map near the identity where there is little to learn from
    start = found.copy()

    def cost(tried: NDArray[np.float64]) -> float:
        logits = inputs @ tried
        kept = (tried - start) @ prior @ (tried - start) / 2
        return float((np.logaddexp(0.0, logits) - targets * logits).sum() + kept)

    for _ in range(50):
        shares = 1 / (1 + np.exp(-(inputs @ found)))
        slope = inputs.T @ (shares - targets) + prior @ (found - start)
        curve = (inputs * (shares * (1 - shares))[:, None]).T @ inputs + prior
        move = np.linalg.solve(curve, slope)
        # NB: where all scores are near 1 a whole step goes far too far, and back again.
        while cost(found - move) > cost(found) and np.abs(move).max() > 1e-8:
            move /= 2
        found = found - move
        if np.abs(move).max() < 1e-8:
            break
    if not math.isfinite(float(found.sum())) or found[0] <= 0:
        return {"method": "platt", "slope": 0.0, "shift": float(_logit(np.array([targets.mean()]))[0])}
    return {"method": "platt", "slope": float(found[0]), "shift": float(found[1])}


def calibrated(calibration: Mapping[str, Json], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return calibrated scores; an unknown method is a `ValueError`."""
    if calibration.get("method") == "none":
        return scores
    if calibration.get("method") != "platt":
        raise ValueError(f"the calibration method {calibration.get('method')!r} is unknown")
    logits = float(calibration["slope"]) * _logit(scores) + float(calibration["shift"])
    return np.asarray(1 / (1 + np.exp(-logits)))


def _logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    held = np.clip(scores, _TINY, 1 - _TINY)
    return np.asarray(np.log(held / (1 - held)))
