"""From a trained model to a bundle that is proven to answer like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training import calibration
from training.bundle import BundleDraft, Manifest
from training.protocol import ExportsOnnx, TextModel
from training.serve import Predictor
from training.thresholds import decide
from training.types import Embedder, Exported, FloatArray, Json, Parity, TrainingError

MAX_DIFFERENCE = 1e-3
MAX_PARITY_TEXTS = 500


class ParityError(TrainingError):
    """A bundle that does not answer like the model it was made from; it must not be published."""

    def __init__(self, parity: Parity) -> None:
        self.parity = parity
        super().__init__(
            f"The exported model differs from the trained one: probabilities by up to "
            f"{parity.max_difference:.2g} (allowed {MAX_DIFFERENCE:g}), the same decisions on "
            f"{parity.same_decisions:.1%} of {parity.documents} texts. It is not published."
        )


def export_model(model: TextModel, draft: BundleDraft, manifest_fields: dict[str, Any]) -> Manifest:
    """Write the model's graph, its preprocessing and a manifest into a draft.

    `manifest_fields` are those of `Manifest` that the model does not know itself. Raises `TrainingError`
    where the family cannot leave Python.
    """
    if not isinstance(model, ExportsOnnx):
        raise TrainingError(f"{type(model).__name__} cannot be exported, so it cannot be published.")
    exported: Exported = model.export(draft.folder)
    manifest = Manifest(
        preprocessing=exported.preprocessing,
        precision=exported.precision,
        note=exported.note,
        encoder=exported.encoder,
        **manifest_fields,
    )
    return draft.write_manifest(manifest)


def check_parity(
    model: TextModel, folder: Path, texts: Sequence[str], *, embedder: Embedder | None = None
) -> Parity:
    """Compare a bundle with its model on (at most 500 evenly spaced) texts; raises `ParityError`."""
    step = max(1, len(texts) // MAX_PARITY_TEXTS)
    chosen = tuple(texts[::step][:MAX_PARITY_TEXTS])
    predictor = Predictor(folder)
    expected = model.predict_proba(chosen)
    found = predictor.predict_raw(chosen, embedder=embedder)
    parity = _parity(predictor, expected, found)
    if not parity.max_difference <= MAX_DIFFERENCE:  # NaN is not a pass
        raise ParityError(parity)
    return parity


def _parity(predictor: Predictor, expected: FloatArray, found: FloatArray) -> Parity:
    if expected.shape != found.shape:
        raise TrainingError(f"The exported graph yields the shape {found.shape}, expected {expected.shape}.")
    same = [_decisions(predictor, expected) == _decisions(predictor, found)]
    return Parity(
        documents=len(expected),
        max_difference=float(np.abs(expected - found).max()) if expected.size else 0.0,
        same_decisions=float(np.all(same[0], axis=1).mean()) if len(expected) else 1.0,
        precision=predictor.manifest.precision,
        note=predictor.manifest.note,
    )


def _decisions(predictor: Predictor, raw: FloatArray) -> Json:
    scores = calibration.apply(predictor.manifest.calibration, raw)
    return decide(predictor.schema.task, scores, predictor.thresholds)
