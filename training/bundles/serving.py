"""Opens a bundle of whatever task: one that labels whole documents, or one that finds spans."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from training.bundles.bundle import open_bundle
from training.bundles.cascade import Serving, open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.types import LabelSchema

Served: TypeAlias = Serving | SpanPredictor


def open_served(bundle: Path, *, encoder_root: Path | None = None, threads: int = 1) -> Served:
    """Return the predictor of a bundle; raises `BundleError` as they do."""
    if isinstance(open_bundle(bundle).schema, LabelSchema):
        return open_predictor(bundle, encoder_root=encoder_root, threads=threads)
    return SpanPredictor(bundle, encoder_root=encoder_root, threads=threads)
