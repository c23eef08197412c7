"""Turns texts into calibrated scores and decisions by a published bundle. Web processes import this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training.bundles.bundle import GRAPH, BundleError, Manifest, encoder_folder, label_schema, open_bundle
from training.bundles.familiar import Familiar
from training.figures import calibration
from training.preprocess import load_preprocessor
from training.preprocess.broken import BROKEN_GRAPH
from training.preprocess.explaining import by_place, contributions, weightiest
from training.preprocess.places import TextParts
from training.preprocess.protocol import Feed, FindsParts
from training.types import Embedder, FloatArray, LabelSchema, NgramWeight

__all__ = ["BROKEN_GRAPH", "Predictor", "session_options"]

# Outputs of a graph that can be explained: the weights (features, labels) of a text's features, or the two
# matrices (features, dimension) and (dimension, labels) whose product they are.
ROWS, COLUMNS = "rows", "columns"
_FEATURES_AT_ONCE = 4_096  # features; more at once would fill the memory when a book is explained

UNLOADABLE: tuple[type[Exception], ...] = (*BROKEN_GRAPH, KeyError, TypeError, ValueError, OSError)
# onnxruntime raises `ValueError` for a missing input.
UNRUNNABLE: tuple[type[Exception], ...] = (*BROKEN_GRAPH, ValueError)


class Predictor:
    """A loaded bundle. Safe to share between threads: the session holds no state between calls."""

    def __init__(self, bundle: Path, *, encoder_root: Path | None = None, threads: int = 1) -> None:
        """Verify and load the bundle; raises `BundleError` with the reason where that fails."""
        self.bundle = bundle
        self.manifest: Manifest = open_bundle(bundle)
        self.schema: LabelSchema = label_schema(bundle, self.manifest)
        """The labels, in the order of the columns of every score array."""
        self.thresholds: FloatArray = np.array(self.manifest.thresholds, np.float32)
        encoder = encoder_folder(bundle, self.manifest, encoder_root)
        try:
            self._preprocessor = load_preprocessor(
                self.manifest.preprocessing, bundle, encoder=encoder, threads=threads
            )
            self._session = ort.InferenceSession(
                bundle / GRAPH, session_options(threads), providers=["CPUExecutionProvider"]
            )
            self._familiar = (
                Familiar.load(bundle, encoder=encoder) if Familiar.FILE in self.manifest.files else None
            )
            self._scores, *self._more = (output.name for output in self._session.get_outputs())
        except UNLOADABLE as error:
            raise BundleError(f"The bundle at {bundle} cannot be loaded: {error}.") from error

    def predict_raw(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> FloatArray:
        """Return the graph's own probabilities (texts, labels), before calibration.

        Raises `BundleError` for an `embedder` whose vectors are not those of the bundle's encoder, and for a
        graph that does not fit what its preprocessing makes.
        """
        if embedder is not None and self.manifest.encoder not in (None, embedder.fingerprint):
            raise BundleError(
                f"The bundle needs vectors of the encoder {self.manifest.encoder}, "
                f"and was given those of {embedder.fingerprint}; embed the texts again."
            )
        feeds = self._preprocessor.feeds(texts, embedder=embedder)
        rows = [self._run(feed, self._scores) for feed in feeds]
        empty = np.zeros((0, len(self.schema)), np.float32)
        return np.concatenate([empty, *rows])

    def _run(self, feed: Feed, output: str) -> FloatArray:
        try:
            return np.asarray(self._session.run([output], feed)[0], np.float32)
        except UNRUNNABLE as error:
            raise BundleError(f"The bundle at {self.bundle} cannot predict: {error}.") from error

    def predict_proba(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> FloatArray:
        """Return calibrated scores (texts, labels).

        A given `embedder` replaces the bundle's encoder, so that stored vectors can be used.
        """
        return self.calibrated(self.predict_raw(texts, embedder=embedder))

    def calibrated(self, raw: FloatArray) -> FloatArray:
        """Return what the graph's own probabilities (texts, labels) come to by the bundle's calibration."""
        return calibration.apply(self.manifest.calibration, raw)

    def knows(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> NDArray[np.bool_]:
        """Tell (texts,) what the bundle may speak about: all, unless it only guesses from label names."""
        if self._familiar is None or not texts:
            return np.ones(len(texts), np.bool_)
        (feed,) = self._preprocessor.feeds(texts, embedder=embedder)
        vectors = np.asarray(feed["vectors"], np.float32)
        return self._familiar.knows(self.schema.task, texts, vectors)

    @property
    def explains(self) -> bool:
        """Tell whether `explain` works: it needs a linear head over n-grams, exported with its weights."""
        return ROWS in self._more and isinstance(self._preprocessor, FindsParts)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], n: int
    ) -> tuple[tuple[NgramWeight, ...], ...]:
        """Return for each text at most `n` n-grams that weigh most for the label of the given column.

        Raises `BundleError` where the bundle cannot tell, for example with trees or with vectors.
        """
        if ROWS not in self._more or not isinstance(self._preprocessor, FindsParts):
            raise BundleError(f"The bundle at {self.bundle} cannot explain its decisions.")
        found = []
        for text, label in zip(texts, labels, strict=True):
            parts = self._preprocessor.parts(text)
            found.append(weightiest(parts.places, by_place(parts, self._added(parts, label)), n))
        return tuple(found)

    def _added(self, parts: TextParts, label: int) -> FloatArray:
        """Return what each feature adds to a label's logit (features,)."""
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(parts.ids), _FEATURES_AT_ONCE):
            chosen = slice(start, start + _FEATURES_AT_ONCE)
            values = parts.values[chosen]
            weights = self._weights({"ids": parts.ids[chosen], "values": values[None]})
            found.append(contributions(self.schema.task, values, weights, label))
        return np.concatenate(found)

    def _weights(self, feed: Feed) -> FloatArray:
        """Return the weights (features, labels) of a feed's features."""
        rows = self._run(feed, ROWS)
        return rows @ self._run(feed, COLUMNS) if COLUMNS in self._more else rows

    def abstains(self, scores: FloatArray) -> NDArray[np.bool_]:
        """Tell (texts,) which rows of calibrated scores are too unsure to be decided on."""
        return abstains(self.manifest, scores)

    def decide(self, scores: FloatArray) -> list[tuple[int, ...]]:
        """Return the chosen label indices of each row: one for single-label, any number for multi-label."""
        decisions = self.schema.task.decide(scores, self.thresholds)
        return [tuple(np.flatnonzero(row).tolist()) for row in decisions]


def abstains(manifest: Manifest, scores: FloatArray) -> NDArray[np.bool_]:
    """Tell (texts,) which rows of a bundle's calibrated scores lie under its least confidence."""
    if not manifest.calibrated or not isinstance(manifest.schema, LabelSchema):
        return np.zeros(len(scores), np.bool_)
    sure = manifest.schema.task.confidence(scores)
    return np.asarray(sure < np.float32(manifest.abstain_below), np.bool_)


def session_options(threads: int) -> ort.SessionOptions:
    """Return options for small graphs on shared machines: sequential, `threads` within one operator."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return options
