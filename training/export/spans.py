"""Proves that a bundle of spans finds what its model does; takes INT8 where that costs next to nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import GRAPH, BundleDraft, Manifest
from training.bundles.span_predictor import SpanPredictor
from training.export.onnx import MAX_DIFFERENCE, MAX_PARITY_TEXTS, TEXTS_AT_ONCE, Tell, quantize
from training.figures.evaluate import paired_bootstrap
from training.preprocess.word_encoder import WordEncoder
from training.protocol import SpanModel
from training.spans import SpanDataset, WordScores
from training.tagging.answers import Decoder
from training.tagging.figures import paired_loss
from training.types import Answer, Json, TrainingError

MIN_SAME_TEXTS = 0.94
MAX_F1_LOSS = 0.01
_MOST_TEXTS = 2_000


@dataclass(frozen=True, slots=True)
class SpanParity:
    """How well a bundle agrees with the model that it was exported from, on so many texts.

    `max_difference` is of probabilities, `same_texts` the share of texts with equal spans. `f1_loss` is what
    INT8 loses against FP32 on the same texts, with its standard error, None where INT8 was not tried.
    """

    documents: int
    max_difference: float
    same_texts: float
    precision: str
    note: str = ""
    f1_loss: float | None = None
    f1_loss_error: float | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as manifests and reports keep it."""
        return asdict(self)


class SpanParityError(TrainingError):
    """A bundle that does not find what its model does; it must not be published."""


def said_in_parts(
    predictor: SpanPredictor, texts: Sequence[str], *, encoder: WordEncoder | None = None, tell: Tell
) -> list[WordScores]:
    """Return what a bundle says of each text, and report progress every few texts."""
    found: list[WordScores] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        found += predictor.word_scores(texts[start : start + TEXTS_AT_ONCE], encoder=encoder)
        tell(len(found) / len(texts))
    return found


def check_span_parity(
    model: SpanModel,
    folder: Path,
    texts: Sequence[str],
    *,
    encoder: WordEncoder | None = None,
    tell: Tell = lambda done: None,
) -> SpanParity:
    """Compare a bundle with its model on (at most 500 evenly spaced) texts; raises `SpanParityError`."""
    rows = np.linspace(0, len(texts) - 1, min(len(texts), MAX_PARITY_TEXTS)).astype(np.int64)
    chosen = [texts[i] for i in rows]
    predictor = SpanPredictor(folder)
    expected = model.word_scores(chosen)
    parity = _parity(predictor, expected, said_in_parts(predictor, chosen, encoder=encoder, tell=tell))
    if not parity.max_difference <= MAX_DIFFERENCE:  # NaN is not a pass
        raise SpanParityError(
            f"The exported model differs from the trained one: probabilities by up to "
            f"{parity.max_difference:.2g} (allowed {MAX_DIFFERENCE:g}). It is not published."
        )
    return parity


def prefer_int8_spans(
    draft: BundleDraft,
    manifest: Manifest,
    parity: SpanParity,
    documents: SpanDataset,
    *,
    tell: Tell = lambda done: None,
) -> tuple[Manifest, SpanParity]:
    """Replace the FP32 graph by an INT8 one where both find nearly the same in these texts.

    The gate: 94 % of the texts with equal answers, and F1 at most a point lower on the same texts.
    Half a point would be a coin toss on some thousand spans, so it is the paired difference that counts.
    """
    rows = np.linspace(0, len(documents) - 1, min(len(documents), _MOST_TEXTS)).astype(np.int64)
    held = documents.rows(rows.tolist())
    exact = SpanPredictor(draft.folder)
    expected = said_in_parts(exact, held.texts, tell=tell)
    with BundleDraft(draft.target) as trial:
        stored = quantize(draft, trial, manifest)
        small = SpanPredictor(trial.folder)
        found = said_in_parts(small, held.texts, tell=tell)
        loss, error = _loss(held, exact.decoder, expected, small.decoder, found)
        tried = replace(_parity(small, expected, found), f1_loss=loss, f1_loss_error=error)
        same = f"{tried.same_texts:.1%} of {len(held)} texts have equal answers"
        told = f"{same}, F1 is lower by {100 * loss:.2f} points"
        if tried.same_texts >= MIN_SAME_TEXTS and loss <= MAX_F1_LOSS:
            os.replace(trial.folder / GRAPH, draft.folder / GRAPH)
            return draft.write_manifest(stored), replace(tried, note=f"INT8 against FP32: {told}.")
    return manifest, replace(
        parity, note=f"FP32, as INT8 did not pass: {told}.", f1_loss=loss, f1_loss_error=error
    )


def _parity(
    predictor: SpanPredictor, expected: Sequence[WordScores], found: Sequence[WordScores]
) -> SpanParity:
    differences = [
        float(np.abs(np.exp(one.logs) - np.exp(other.logs)).max())
        for one, other in zip(expected, found, strict=True)
        if len(one.logs)
    ]
    differences += [
        float(np.abs(one.whole - other.whole).max(initial=0.0))
        for one, other in zip(expected, found, strict=True)
    ]
    return SpanParity(
        documents=len(found),
        max_difference=max(differences, default=0.0),
        same_texts=_same(predictor.decoder.choices(expected), predictor.decoder.choices(found)),
        precision=predictor.manifest.precision,
        note=predictor.manifest.note,
    )


def _loss(
    held: SpanDataset,
    exact: Decoder,
    expected: Sequence[WordScores],
    small: Decoder,
    found: Sequence[WordScores],
) -> tuple[float, float]:
    """Return how much entity F1 the second model loses, and its standard error.

    With labels of whole texts it is the greater of this loss and of that of their macro-F1.
    """
    spans = exact.spans(expected), small.spans(found)
    loss, error = paired_loss(held.spans, *spans, np.random.default_rng(0))
    if held.labels is None or exact.whole is None or small.whole is None:
        return loss, error
    targets = held.labels.targets
    before = exact.whole.decide(exact.whole.scores(expected))
    after = small.whole.decide(small.whole.scores(found))
    of_labels = paired_bootstrap(targets, before, after, np.random.default_rng(0))
    return max((loss, error), (of_labels.difference, of_labels.error))


def _same(one: Sequence[Answer], other: Sequence[Answer]) -> float:
    return float(np.mean([ours == theirs for ours, theirs in zip(one, other, strict=True)])) if one else 1.0
