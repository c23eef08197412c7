"""Two bundles work as one: a cheap model answers where it is confident, a strong one answers the rest.

The same idea as in Viola and Jones (2001), with calibrated confidence as in FrugalGPT (Chen et al., 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.bundles.bundle import BundleError, Manifest, label_schema, open_bundle
from training.bundles.predictor import Predictor, abstains
from training.types import Embedder, FloatArray, LabelSchema

CHEAP, STRONG = "cheap", "strong"


@dataclass(frozen=True, slots=True)
class Answers:
    """Calibrated scores (texts, labels) and `by_strong` (texts,): True where the strong part gave the row."""

    scores: FloatArray
    by_strong: NDArray[np.bool_]


class CascadePredictor:
    """A loaded cascade. It serves like `bundles.predictor.Predictor`, and threads may share it as well."""

    explains = False

    def __init__(self, bundle: Path, *, encoder_root: Path | None = None, threads: int = 1) -> None:
        """Verify and load both parts; raises `BundleError` with the reason where that fails."""
        self.bundle = bundle
        self.manifest: Manifest = open_bundle(bundle)
        if tuple(sorted(self.manifest.parts)) != (CHEAP, STRONG):
            raise BundleError(f"The bundle at {bundle} is not a cascade of a cheap and a strong part.")
        self.schema: LabelSchema = label_schema(bundle, self.manifest)
        """The labels, in the order of the columns of every score array."""
        self.thresholds: FloatArray = np.array(self.manifest.thresholds, np.float32)
        self.cheap, self.strong = (
            Predictor(bundle / part, encoder_root=encoder_root, threads=threads) for part in (CHEAP, STRONG)
        )

    def answer(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> Answers:
        """Return scores and which part gave them; a part takes `embedder` only if it is its own encoder."""
        scores = self.cheap.predict_proba(texts, embedder=fitting(self.cheap, embedder))
        by_strong = self.schema.task.confidence(scores) < self.manifest.split
        rest = [text for text, passed in zip(texts, by_strong, strict=True) if passed]
        if rest:
            scores[by_strong] = self.strong.predict_proba(rest, embedder=fitting(self.strong, embedder))
        return Answers(scores, by_strong)

    def predict_proba(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> FloatArray:
        """Return calibrated scores (texts, labels)."""
        return self.answer(texts, embedder=embedder).scores

    def knows(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> NDArray[np.bool_]:
        """Tell (texts,) what both parts may speak about."""
        cheap, strong = (
            part.knows(texts, embedder=fitting(part, embedder)) for part in (self.cheap, self.strong)
        )
        return np.asarray(cheap & strong, np.bool_)

    def abstains(self, scores: FloatArray) -> NDArray[np.bool_]:
        """Tell (texts,) which rows of calibrated scores are too unsure to be decided on."""
        return abstains(self.manifest, scores)

    def decide(self, scores: FloatArray) -> list[tuple[int, ...]]:
        """Return the chosen label indices of each row, by the cascade's own thresholds."""
        chosen = self.schema.task.decide(scores, self.thresholds)
        return [tuple(np.flatnonzero(row).tolist()) for row in chosen]


Serving: TypeAlias = Predictor | CascadePredictor


def open_predictor(bundle: Path, *, encoder_root: Path | None = None, threads: int = 1) -> Serving:
    """Return the predictor of a bundle, a single model or a cascade; raises `BundleError` as they do."""
    kind = CascadePredictor if open_bundle(bundle).parts else Predictor
    return kind(bundle, encoder_root=encoder_root, threads=threads)


def fitting(part: Predictor, embedder: Embedder | None) -> Embedder | None:
    """Return the embedder where its vectors are those of the part's encoder, else None."""
    return embedder if embedder and embedder.fingerprint == part.manifest.encoder else None
