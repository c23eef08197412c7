"""Turns texts into spans with confidences, and labels beside them, by a bundle. Web processes import this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from training.bundles.bundle import GRAPH, BundleError, Manifest, encoder_folder, open_bundle
from training.bundles.predictor import UNLOADABLE, UNRUNNABLE, session_options
from training.preprocess import load_word_preprocessor
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.word_features import WordFeed
from training.spans import WordScores
from training.tagging.bio import tag_count
from training.tagging.decode import log_softmax
from training.tasks.joint import decoder_of
from training.types import Answer, LabelSchema, Schema

_SURELY_NOTHING = -30.0  # the log probability of a span where the model reads no word


class SpanPredictor:
    """A loaded bundle of a task with spans. Safe to share between threads."""

    def __init__(self, bundle: Path, *, encoder_root: Path | None = None, threads: int = 1) -> None:
        """Verify and load the bundle; raises `BundleError` with the reason where that fails."""
        self.bundle = bundle
        self.manifest: Manifest = open_bundle(bundle)
        self.schema: Schema = self.manifest.schema
        if isinstance(self.schema, LabelSchema):
            raise BundleError(f"The bundle at {bundle} labels whole documents, not stretches of text.")
        encoder = encoder_folder(bundle, self.manifest, encoder_root)
        try:
            self.decoder = decoder_of(self.schema, self.manifest.thresholds, self.manifest.calibration)
            self._preprocessor = load_word_preprocessor(
                self.manifest.preprocessing, bundle, encoder=encoder, threads=threads
            )
            self._session = ort.InferenceSession(
                bundle / GRAPH, session_options(threads), providers=["CPUExecutionProvider"]
            )
        except UNLOADABLE as error:
            raise BundleError(f"The bundle at {bundle} cannot be loaded: {error}.") from error

    def answers(self, texts: Sequence[str], *, encoder: WordEncoder | None = None) -> list[Answer]:
        """Return the spans of each text, and its labels where the task has some of whole texts.

        Offsets are code points of the text as it is given. `Answer.told` says who may see the scores. A given
        `encoder` replaces the bundle's own, so that stored vectors can be used.
        """
        return self.decoder.answers(self.word_scores(texts, encoder=encoder))

    def word_scores(self, texts: Sequence[str], *, encoder: WordEncoder | None = None) -> list[WordScores]:
        """Return what the graph says of each text, before any bias and uncalibrated."""
        return [self._scored(feed) for feed in self._preprocessor.feeds(texts, encoder=encoder)]

    def _scored(self, feed: WordFeed) -> WordScores:
        tags = tag_count(len(self.decoder.keys))
        nothing = np.zeros(0 if self.decoder.whole is None else len(self.decoder.whole.schema), np.float32)
        logs = np.full((len(feed.places), tags), _SURELY_NOTHING)
        logs[:, 0] = 0.0
        if not len(feed.places):
            return WordScores(feed.places, logs, nothing)
        try:
            logits, *whole = (np.asarray(given, np.float32) for given in self._session.run(None, feed.feed))
        except UNRUNNABLE as error:
            raise BundleError(f"The bundle at {self.bundle} cannot predict: {error}.") from error
        read = feed.rows >= 0
        logs[read] = log_softmax(logits.reshape(-1, logits.shape[-1])[feed.rows[read]])
        return WordScores(feed.places, logs, whole[0].reshape(-1) if whole else nothing)
