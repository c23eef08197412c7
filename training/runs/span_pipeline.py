"""One training of a tagger: from texts with spans to a checked bundle and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import BundleDraft, BundleError, Manifest, bundle_bytes, encoder_folder
from training.bundles.span_predictor import SpanPredictor
from training.export.spans import SpanParity, check_span_parity, prefer_int8_spans
from training.families.build import build_span_model
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.words import WAYS
from training.protocol import OffersInt8, ReportsProgress, SpanModel
from training.runs.stages import Stages
from training.spans import SpanDataset, SpansOutOfFold, WordScores
from training.tagging.answers import (
    FEWEST_SPANS,
    FEWEST_TO_TUNE,
    HELD_BACK_PRIOR,
    PRIOR,
    Decoder,
    fit_platt,
    tune,
)
from training.tagging.answers import IDENTITY as UNCALIBRATED
from training.tagging.decode import biased
from training.tagging.figures import SpanEvaluation, calibration_error, evaluate_spans
from training.tagging.prior import prior_shift
from training.tagging.signs import signs
from training.tagging.ways import usual_way
from training.threads import steady
from training.types import FloatArray, Json, ProgressCallback, RunSpec, Span

FIGURES = ("precision", "recall")  # what a manifest keeps of the evaluation besides F1


@dataclass(frozen=True, slots=True)
class SpanRunReport:
    """What a run yields besides its bundle folder.

    `pool_signs` (texts of the data's pool, 3) are `types.WORD_SIGNS`, by which the next batch is chosen.
    `biases` are of the labels, in schema order. `calibration_error` is of the spans that the bundle finds in
    reporting texts. `out_of_fold` is None where the model held nothing back.
    """

    bundle: Path
    evaluation: SpanEvaluation
    calibration_error: float | None
    parity: SpanParity
    biases: tuple[float, ...]
    labelled: int
    fit_seconds: float
    bundle_bytes: int
    pool_signs: FloatArray | None = None
    out_of_fold: SpansOutOfFold | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TunedDecoder:
    """A decoder, and on which held-out texts it was learned."""

    decoder: Decoder
    source: str  # "tuning", "held back", "held back and tuning" or "none"
    documents: int
    spans: int  # that were judged to calibrate

    @property
    def is_calibrated(self) -> bool:
        """Whether scores may be told as confidences."""
        return self.spans >= FEWEST_SPANS

    @property
    def details(self) -> dict[str, Json]:
        """What a report tells of it."""
        calibration = dict(self.decoder.calibration)
        return {"tuned_on": self.source, "tuned_documents": self.documents, "calibration": calibration}


@steady
def train_spans(
    spec: RunSpec,
    dataset: SpanDataset,
    folder: Path,
    *,
    tuning: SpanDataset,
    reporting: SpanDataset,
    encoder: WordEncoder | None = None,
    encoder_root: Path | None = None,
    on_progress: ProgressCallback | None = None,
    self_contained: bool = False,
    replace_bundle: bool = False,
) -> SpanRunReport:
    """Train what `spec` asks for and leave a checked bundle at `folder`, which appears by one rename.

    `tuning` and `reporting` are the halves of the holdout lane and may be empty; figures come from
    `reporting` alone, found by the bundle itself. Raises `TrainingError` for data that cannot be learned
    from, `SpanParityError` for a bundle that finds other spans than its model; then nothing is left behind.
    """
    stages = Stages(on_progress)
    stages.enter("fit", 0.0, until=0.6)
    model = build_span_model(spec, encoder)
    if isinstance(model, ReportsProgress):
        model.on_progress = stages.tell
    started = time.perf_counter()
    model.fit(dataset, valid=tuning)
    stages.enter("tune", 0.6, until=0.7)
    pool = [] if dataset.pool is None else model.word_scores(dataset.pool.texts)
    tuned = tune_decoder(model, dataset, tuning, pool)
    fit_seconds = time.perf_counter() - started

    stages.enter("export", 0.7, until=0.8)
    with BundleDraft(folder) as draft:
        manifest = _exported(spec, dataset, model, tuned, draft)
        if self_contained:
            _add_word_encoder(draft, manifest, encoder_root)
        manifest, parity = _prove(model, draft, manifest, dataset, tuning, reporting, encoder)
        stages.enter("evaluate", 0.8, until=0.95)
        evaluation, error = evaluate_span_bundle(draft.folder, reporting, seed=spec.seed, encoder=encoder)
        stages.enter("publish", 0.95)
        about = {"labelled": len(dataset), "fit_seconds": fit_seconds, "tuned_on": tuned.source}
        figures = {"entity_f1": evaluation.f1} | {name: getattr(evaluation, name) for name in FIGURES}
        draft.write_manifest(replace(manifest, figures=figures | about | {"parity": asdict(parity)}))
        draft.publish(replace=replace_bundle)
    stages.enter("done", 1.0)
    return SpanRunReport(
        bundle=folder,
        evaluation=evaluation,
        calibration_error=error,
        parity=parity,
        biases=tuple(tuned.decoder.bias.tolist()),
        labelled=len(dataset),
        fit_seconds=fit_seconds,
        bundle_bytes=bundle_bytes(folder),
        pool_signs=None if dataset.pool is None else signs(pool),
        out_of_fold=_said_out_of_fold(model, dataset, tuned.decoder),
        details=tuned.details | getattr(model, "details_", {}),
    )


def _prove(
    model: SpanModel,
    draft: BundleDraft,
    manifest: Manifest,
    dataset: SpanDataset,
    tuning: SpanDataset,
    reporting: SpanDataset,
    encoder: WordEncoder | None,
) -> tuple[Manifest, SpanParity]:
    """Compare the graph with its model, on held-out texts if there are any; take INT8 where it is as good."""
    texts = [*reporting.texts, *tuning.texts] or list(dataset.texts)
    parity = check_span_parity(model, draft.folder, texts, encoder=encoder)
    if not (isinstance(model, OffersInt8) and model.int8):
        return manifest, parity
    # Never judged on what the report measures, as what chooses by these texts no longer reports fairly.
    judged = tuning if sum(map(len, tuning.spans)) >= FEWEST_TO_TUNE else dataset
    return prefer_int8_spans(draft, manifest, parity, judged)


def tune_decoder(
    model: SpanModel, dataset: SpanDataset, tuning: SpanDataset, pool: Sequence[WordScores] = ()
) -> TunedDecoder:
    """Learn biases and calibration on texts that the model has not seen.

    Those are the tuning texts where they have spans enough, else the texts that the model held back as well.
    What it held back was chosen as the dataset was, so by what it says of the `pool` its labels are raised by
    as much as they are more frequent there; the bias that is learned suits the texts that are to come.
    """
    keys = dataset.schema.keys
    parts: dict[str, tuple[list[WordScores], list[tuple[Span, ...]]]] = {}
    usual, prior = model.usual_bias, PRIOR
    if sum(map(len, tuning.spans)) < FEWEST_TO_TUNE:
        shift = _shift_of(dataset, pool)
        usual, prior = usual - shift, HELD_BACK_PRIOR
        rows, found = model.held_back()
        if len(rows):
            raised = [replace(said, logs=biased(said.logs, shift)) for said in found]
            parts["held back"] = (raised, [dataset.spans[i] for i in rows])
    if len(tuning):
        parts["tuning"] = (model.word_scores(tuning.texts), list(tuning.spans))
    found = [said for scores, _ in parts.values() for said in scores]
    gold = [spans for _, answers in parts.values() for spans in answers]
    bias = tune(keys, found, gold, usual=usual, prior=prior)
    given, scores = Decoder(keys, bias, UNCALIBRATED).raw(found)
    right = [span in {*ours} for ours, theirs in zip(gold, given, strict=True) for span in theirs]
    learned = fit_platt(np.concatenate([np.zeros(0), *scores]), np.array(right, bool))
    return TunedDecoder(Decoder(keys, bias, learned), " and ".join(parts) or "none", len(found), len(right))


def _said_out_of_fold(model: SpanModel, dataset: SpanDataset, decoder: Decoder) -> SpansOutOfFold | None:
    rows, found = model.held_back()
    return decoder.out_of_fold(rows, found, [dataset.spans[i] for i in rows]) if len(rows) else None


def _shift_of(dataset: SpanDataset, pool: Sequence[WordScores]) -> float:
    """Return by how much labels are more frequent in the dataset than in all texts; 0 without a pool."""
    if not pool:
        return 0.0
    cut = WAYS[dataset.way or usual_way(dataset)]
    return prior_shift(sum(map(len, dataset.spans)), sum(len(cut(text)) for text in dataset.texts), pool)


def evaluate_span_bundle(
    bundle: Path,
    dataset: SpanDataset,
    *,
    seed: int = 0,
    encoder: WordEncoder | None = None,
    encoder_root: Path | None = None,
) -> tuple[SpanEvaluation, float | None]:
    """Return the figures of a bundle on texts with spans of its own schema, and its calibration error."""
    predictor = SpanPredictor(bundle, encoder_root=encoder_root)
    answers = predictor.answers(dataset.texts, encoder=encoder)
    given = [answer.spans for answer in answers]
    rng = np.random.default_rng(seed)
    evaluation = evaluate_spans(dataset.schema.keys, dataset.spans, given, rng)
    scores = np.array([score for answer in answers for _label, score in answer.scores], np.float64)
    right = [span in {*ours} for ours, theirs in zip(dataset.spans, given, strict=True) for span in theirs]
    error = calibration_error(scores, np.array(right, bool)) if evaluation.f1 is not None else None
    return evaluation, error


def _exported(
    spec: RunSpec, dataset: SpanDataset, model: SpanModel, tuned: TunedDecoder, draft: BundleDraft
) -> Manifest:
    exported = model.export(draft.folder)
    return draft.write_manifest(
        Manifest(
            family=spec.family,
            schema=dataset.schema,
            thresholds=tuple(tuned.decoder.bias.tolist()),
            calibration=tuned.decoder.calibration,
            calibrated=tuned.is_calibrated,
            preprocessing=exported.preprocessing,
            precision=exported.precision,
            note=exported.note,
            encoder=exported.encoder,
        )
    )


def _add_word_encoder(draft: BundleDraft, manifest: Manifest, root: Path | None) -> None:
    """Put the encoder that a bundle needs, if any, into it. Raises `BundleError` where it is missing."""
    if manifest.encoder is None:
        return
    folder = encoder_folder(draft.folder, manifest, root)
    if folder is None:
        raise BundleError(f"The encoder {manifest.encoder[:12]} is not in {root}; prepare it again.")
    draft.add_encoder(folder)
