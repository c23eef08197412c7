"""Loaded bundles of this process: the few used last, each loaded once however many threads ask."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from annotate.models import ModelVersion
from training.bundles.bundle import BundleError
from training.bundles.cascade import Serving, fitting
from training.bundles.predictor import BROKEN_GRAPH, Predictor
from training.bundles.serving import Served, open_served
from training.bundles.span_predictor import SpanPredictor
from training.types import Embedder, TrainingError

# A first prediction may raise these where a loaded bundle does not fit its preprocessing or its encoder.
UNUSABLE: tuple[type[Exception], ...] = (
    *BROKEN_GRAPH,
    TrainingError,
    KeyError,
    TypeError,
    ValueError,
    OSError,
    RuntimeError,
)
Key = tuple[int, Path]
FAILURE_SECONDS = 30.0  # a broken bundle is tried again after this time, and not at every request


@dataclass(slots=True)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    predictor: Served | None = None
    error: BundleError | None = None
    failed_at: float = 0.0


class PredictorCache:
    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._places: OrderedDict[Key, _Held] = OrderedDict()

    def get(self, version: ModelVersion, *, encoder_root: Path) -> Served:
        """Return the version's predictor, loading it where needed; raises `BundleError`."""
        key = (version.pk, version.bundle_folder)
        with self._lock:
            place = self._places.setdefault(key, _Held())
            self._places.move_to_end(key)
            while len(self._places) > self.size:
                self._places.popitem(last=False)
        if place.predictor is not None:
            return place.predictor
        # Only those who want this very bundle wait for it; others are served meanwhile.
        with place.lock:
            if place.predictor is not None:
                return place.predictor
            if place.error is not None and time.monotonic() - place.failed_at < FAILURE_SECONDS:
                raise place.error
            try:
                place.predictor = tried(version, encoder_root=encoder_root)
            except BundleError as error:
                place.error, place.failed_at = error, time.monotonic()
                raise
            return place.predictor

    def clear(self) -> None:
        with self._lock:
            self._places.clear()


def tried(version: ModelVersion, *, encoder_root: Path) -> Served:
    """Load and ask once: what a bundle lacks at work, its encoder say, fails here and not at a request."""
    try:
        predictor = open_served(version.checked_folder(), encoder_root=encoder_root)
        if isinstance(predictor, SpanPredictor):
            predictor.answers(["."])
        else:
            predictor.predict_proba(["."])
    except BundleError:
        raise
    except UNUSABLE as error:
        sentence = _("The bundle at %(folder)s cannot predict: %(why)s.")
        raise BundleError(sentence % {"folder": version.bundle_folder, "why": error}) from error
    return predictor


def suited(predictor: Serving, embedder: Embedder | None) -> Embedder | None:
    """Return the embedder where its vectors are the bundle's; a cascade asks that of each part itself."""
    return fitting(predictor, embedder) if isinstance(predictor, Predictor) else embedder
