"""Exports a trained model and proves that its bundle answers like it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.bundles.bundle import GRAPH, MANIFEST, BundleDraft, Manifest
from training.bundles.predictor import Predictor
from training.bundles.timing import in_turns
from training.figures import calibration
from training.figures.evaluate import agreement, macro_f1
from training.figures.evidence import figure, why_none
from training.figures.thresholds import Decisions
from training.protocol import ExportsOnnx, OffersInt8, TextModel
from training.types import (
    Dataset,
    Embedder,
    Exported,
    FloatArray,
    GraphFigures,
    Int8Twin,
    IntArray,
    Parity,
    TrainingError,
)

MAX_DIFFERENCE = 1e-3
MAX_PARITY_TEXTS = 500
MAX_INT8_TEXTS = 2_000  # more than for probabilities, as macro-F1 needs more texts to be compared
MIN_SAME_DECISIONS = 0.98
MAX_F1_LOSS = 0.01
_NARROWS = 2  # a matrix narrows if it has so many times as many inputs as outputs
_FLOAT = 1  # ONNX's number for its type FLOAT
TEXTS_AT_ONCE = 64  # texts scored between two reports of progress
_TIMED_TEXTS = 50
Tell = Callable[[float], None]


class ParityError(TrainingError):
    """A bundle that does not answer like the model it was made from; it must not be published."""

    def __init__(self, parity: Parity) -> None:
        self.parity = parity
        super().__init__(
            f"The exported model differs from the trained one: probabilities by up to "
            f"{parity.max_difference:.2g} (allowed {MAX_DIFFERENCE:g}); {parity.same_decisions:.1%} of the "
            f"decisions on {parity.documents} texts are the same. It is not published."
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
    chosen = tuple(texts[i] for i in _evenly_spaced(len(texts), MAX_PARITY_TEXTS))
    predictor = Predictor(folder)
    expected = model.predict_proba(chosen)
    found = predictor.predict_raw(chosen, embedder=embedder)
    parity = _parity(predictor, expected, found)
    if not parity.max_difference <= MAX_DIFFERENCE:  # NaN is not a pass
        raise ParityError(parity)
    return parity


def prefer_int8(
    model: TextModel,
    draft: BundleDraft,
    manifest: Manifest,
    parity: Parity,
    documents: Dataset,
    *,
    held_out: bool,
    tell: Tell = lambda done: None,
) -> tuple[Manifest, Parity]:
    """Replace the FP32 graph by an INT8 one where both decide alike on (at most 2,000) documents.

    The gate: at least 98 % of the decisions the same (`evaluate.agreement`), and macro-F1 at most one point
    lower. `held_out`: whether the model has seen none of these documents. A graph that does not pass is tried
    once more with its narrowing matrices in FP32. The returned parity compares INT8 with FP32 if INT8 passed;
    its note says how the gate ended, and its `twin` holds the figures of both graphs.
    """
    if not isinstance(model, OffersInt8) or not model.int8 or not len(documents):
        return manifest, parity
    failed: list[Parity] = []
    for exact in _left_exact(draft.folder / GRAPH):
        with BundleDraft(draft.target) as trial:
            stored = quantize(draft, trial, manifest, exact=exact)
            found, twin = compare_int8(draft.folder, trial.folder, documents, tell)
            found = replace(found, twin=replace(twin, held_out=held_out))
            how = "INT8 but for narrowing matrices" if exact else "INT8"
            if found.same_decisions >= MIN_SAME_DECISIONS and twin.macro_f1_loss <= MAX_F1_LOSS:
                os.replace(trial.folder / GRAPH, draft.folder / GRAPH)
                note = f"{how} against FP32: {_figures(found)}."
                return draft.write_manifest(stored), replace(found, note=note)
            failed.append(found)
    return manifest, replace(
        parity, note=f"FP32, as INT8 did not pass: {_figures(failed[0])}.", twin=failed[0].twin
    )


def _figures(found: Parity) -> str:
    assert found.twin is not None
    same = f"{found.same_decisions:.1%} of the decisions on {found.documents} texts are the same"
    if found.twin.int8.macro_f1 is None:
        return f"{same}, macro-F1 is {why_none(found.documents)}"
    lost = 100 * found.twin.macro_f1_loss
    return f"{same}, macro-F1 {'higher' if lost < 0 else 'lower'} by {abs(lost):.2f} points"


def _left_exact(graph: Path) -> list[tuple[str, ...]]:
    """Return for each try which matrix products stay in FP32: first none, then those that narrow.

    Their inputs come out of an activation, whose outliers stretch the range of 8 bits. Measured on 28 labels:
    97.9 % of them alike in INT8, 98.5 % with these in FP32, in a file of 0.37 instead of 0.25 of the size.
    """
    import onnx

    model = onnx.load(graph)
    inputs, outputs = {}, {}
    for matrix in model.graph.initializer:
        if len(matrix.dims) == 2:
            inputs[matrix.name], outputs[matrix.name] = matrix.dims
    narrowing = tuple(
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and node.input[1] in inputs
        and inputs[node.input[1]] >= _NARROWS * outputs[node.input[1]]
    )
    return [(), narrowing] if narrowing else [()]


def scored_in_parts(
    predictor: Predictor, texts: Sequence[str], *, embedder: Embedder | None = None, tell: Tell
) -> FloatArray:
    """Return a bundle's uncalibrated scores (texts, labels), and report progress every few texts."""
    scores = [np.zeros((0, len(predictor.schema)), np.float32)]
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        scores.append(predictor.predict_raw(texts[start : start + TEXTS_AT_ONCE], embedder=embedder))
        tell(min(1.0, (start + TEXTS_AT_ONCE) / len(texts)))
    return np.concatenate(scores)


def quantize(
    source: BundleDraft, target: BundleDraft, manifest: Manifest, *, exact: Sequence[str] = ()
) -> Manifest:
    """Fill `target` with `source`'s files and its graph in INT8: dynamic, one scale per channel.

    The products that `exact` names stay in FP32.

    NB: 7-bit weights. Processors without VNNI add pairs of 8-bit products in 16 bits and saturate, so the
    same text would be decided otherwise there than on the machine where the gate was passed.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    for path in source.folder.iterdir():
        if path.is_file() and path.name not in (GRAPH, MANIFEST):
            os.link(path, target.folder / path.name)
    quantize_dynamic(
        source.folder / GRAPH,
        target.folder / GRAPH,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(exact),
        extra_options={"DefaultTensorType": _FLOAT},  # the type of results that ONNX does not know
    )
    # Quantizing stored shapes, by which onnxruntime would join additions and norms. On a CPU the joined
    # operator took three times as long as the two apart, so the shapes are dropped.
    model = load_model_with_shape_infer(target.folder / GRAPH)
    del model.graph.value_info[:]
    (target.folder / GRAPH).write_bytes(model.SerializeToString())
    return target.write_manifest(replace(manifest, precision="int8"))


def compare_int8(
    exact: Path, quantized: Path, documents: Dataset, tell: Tell = lambda done: None
) -> tuple[Parity, Int8Twin]:
    """Return how a quantized bundle agrees with the exact one, and the figures of both.

    Both answer at most 2,000 documents, and 50 of them once more in turns to be timed.
    """
    rows = _evenly_spaced(len(documents), MAX_INT8_TEXTS)
    texts, targets = [documents.texts[i] for i in rows], documents.targets[rows]
    predictors = Predictor(exact), Predictor(quantized)
    raw = [scored_in_parts(predictor, texts, tell=tell) for predictor in predictors]
    p50 = in_turns(predictors, [texts[i] for i in _evenly_spaced(len(texts), _TIMED_TEXTS)])
    fp32, int8 = (
        GraphFigures(
            macro_f1=figure(macro_f1(targets, _decisions(predictor, scores)), len(texts)),
            p50_ms=milliseconds,
            graph_bytes=(predictor.bundle / GRAPH).stat().st_size,
        )
        for predictor, scores, milliseconds in zip(predictors, raw, p50, strict=True)
    )
    return _parity(predictors[1], *raw), Int8Twin(len(texts), int8=int8, fp32=fp32)


def _evenly_spaced(documents: int, most: int) -> IntArray:
    """Return at most so many rows spread over all, because files are often sorted by label."""
    return np.linspace(0, documents - 1, min(documents, most)).astype(np.int64)


def _parity(predictor: Predictor, expected: FloatArray, found: FloatArray) -> Parity:
    if expected.shape != found.shape:
        raise TrainingError(f"The exported graph yields the shape {found.shape}, expected {expected.shape}.")
    return Parity(
        documents=len(expected),
        max_difference=float(np.abs(expected - found).max()) if expected.size else 0.0,
        same_decisions=agreement(_decisions(predictor, expected), _decisions(predictor, found)),
        precision=predictor.manifest.precision,
        note=predictor.manifest.note,
    )


def _decisions(predictor: Predictor, raw: FloatArray) -> Decisions:
    scores = calibration.apply(predictor.manifest.calibration, raw)
    return predictor.schema.task.decide(scores, predictor.thresholds)
