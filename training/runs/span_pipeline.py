"""One training of a tagger: from texts with spans to a checked bundle and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import BundleDraft, BundleError, Manifest, bundle_bytes, encoder_folder
from training.bundles.span_predictor import SpanPredictor
from training.export.spans import SpanParity, check_span_parity, prefer_int8_spans, said_in_parts
from training.families.build import build_span_model
from training.figures import calibration
from training.figures.evaluate import evaluate
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.words import WAYS
from training.protocol import OffersInt8, ReportsProgress, SpanModel
from training.runs.stages import Stages
from training.spans import SpanDataset, SpansOutOfFold, WordScores
from training.tagging.answers import (
    FEWEST_SPANS,
    HELD_BACK_PRIOR,
    PRIOR,
    Decoder,
    fit_platt,
    is_enough_to_tune,
    tune,
)
from training.tagging.answers import IDENTITY as UNCALIBRATED
from training.tagging.decode import biased
from training.tagging.figures import SpanEvaluation, calibration_error, evaluate_spans
from training.tagging.prior import prior_shift
from training.tagging.signs import signs
from training.tagging.ways import usual_way
from training.tagging.whole import LabelDecoder, together
from training.tasks.joint import calibration_of, schema_of, thresholds_of
from training.threads import steady
from training.types import (
    Answer,
    Evaluation,
    FloatArray,
    Json,
    LabelSchema,
    ProgressCallback,
    RunSpec,
)

FIGURES = ("precision", "recall")  # what a manifest keeps of the evaluation besides F1


@dataclass(frozen=True, slots=True)
class SpanRunReport:
    """What a run yields besides its bundle folder.

    `pool_signs` (texts of the data's pool, 3) are `types.WORD_SIGNS`, by which the next batch is chosen.
    `biases` are of the labels, in schema order. `calibration_error` is of the spans that the bundle finds in
    reporting texts. `out_of_fold` is None where the model held nothing back. `labels` are the figures of
    labels of whole texts, where the task has some.
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
    labels: Evaluation | None = None
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def figures(self) -> Evaluation:
        """The figures as they are told beside those of models of documents."""
        spans = self.evaluation.as_evaluation(self.biases, self.calibration_error)
        return spans if self.labels is None else together(self.labels, spans)


@dataclass(frozen=True, slots=True)
class BundleFigures:
    """What a bundle reaches on texts: its spans, their calibration error, and labels of whole texts."""

    spans: SpanEvaluation
    calibration_error: float | None
    labels: Evaluation | None


@dataclass(frozen=True, slots=True)
class TunedDecoder:
    """A decoder, and on which held-out texts it was learned."""

    decoder: Decoder
    source: str  # "tuning", "held back", "held back and tuning" or "none"
    documents: int
    spans: int  # that were judged to calibrate

    @property
    def is_calibrated(self) -> bool:
        """Whether scores may be told as confidences, which those of both halves have to be."""
        whole = self.decoder.whole
        return self.spans >= FEWEST_SPANS and (
            whole is None or calibration.holds(whole.schema.task, self.documents)
        )

    @property
    def details(self) -> dict[str, Json]:
        """What a report tells of it."""
        learned = dict(calibration_of(self.decoder))
        return {"tuned_on": self.source, "tuned_documents": self.documents, "calibration": learned}


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
        manifest, parity = _prove(model, draft, manifest, dataset, tuning, reporting, encoder, stages.tell)
        stages.enter("evaluate", 0.8, until=0.95)
        found = evaluate_span_bundle(
            draft.folder, reporting, seed=spec.seed, encoder=encoder, on_progress=stages.tell
        )
        stages.enter("publish", 0.95)
        about = {"labelled": len(dataset), "fit_seconds": fit_seconds, "tuned_on": tuned.source}
        draft.write_manifest(replace(manifest, figures=_figures(found, parity) | about))
        draft.publish(replace=replace_bundle)
    stages.enter("done", 1.0)
    return SpanRunReport(
        bundle=folder,
        evaluation=found.spans,
        calibration_error=found.calibration_error,
        labels=found.labels,
        parity=parity,
        biases=tuple(tuned.decoder.bias.tolist()),
        labelled=len(dataset),
        fit_seconds=fit_seconds,
        bundle_bytes=bundle_bytes(folder),
        pool_signs=None if dataset.pool is None else signs(pool, tuned.decoder.whole),
        out_of_fold=_said_out_of_fold(model, dataset, tuned.decoder),
        details=tuned.details | getattr(model, "details_", {}),
    )


def _figures(found: BundleFigures, parity: SpanParity) -> dict[str, Json]:
    """Return what a manifest tells of spans, and of labels of whole texts where the task has some."""
    figures: dict[str, Json] = {"entity_f1": found.spans.f1, "parity": asdict(parity)}
    figures |= {name: getattr(found.spans, name) for name in FIGURES}
    if found.labels is not None:
        figures |= {"macro_f1": found.labels.macro_f1, "micro_f1": found.labels.micro_f1}
    return figures


def _prove(
    model: SpanModel,
    draft: BundleDraft,
    manifest: Manifest,
    dataset: SpanDataset,
    tuning: SpanDataset,
    reporting: SpanDataset,
    encoder: WordEncoder | None,
    tell: Callable[[float], None],
) -> tuple[Manifest, SpanParity]:
    """Compare the graph with its model, on held-out texts if there are any; take INT8 where it is as good."""
    texts = [*reporting.texts, *tuning.texts] or list(dataset.texts)
    parity = check_span_parity(model, draft.folder, texts, encoder=encoder, tell=tell)
    if not (isinstance(model, OffersInt8) and model.int8):
        return manifest, parity
    # Never judged on what the report measures, as what chooses by these texts no longer reports fairly.
    judged = tuning if is_enough_to_tune(tuning) else dataset
    return prefer_int8_spans(draft, manifest, parity, judged, tell=tell)


def tune_decoder(
    model: SpanModel, dataset: SpanDataset, tuning: SpanDataset, pool: Sequence[WordScores] = ()
) -> TunedDecoder:
    """Learn biases, thresholds and calibration on texts that the model has not seen.

    Those are the tuning texts where they are enough, else the texts that the model held back as well.
    What it held back was chosen as the dataset was, so by what it says of the `pool` its labels are raised by
    as much as they are more frequent there; the bias that is learned suits the texts that are to come.
    """
    keys = dataset.schema.keys
    parts: dict[str, tuple[list[WordScores], SpanDataset]] = {}
    usual, prior = model.usual_bias, PRIOR
    if not is_enough_to_tune(tuning):
        shift = _shift_of(dataset, pool)
        usual, prior = usual - shift, HELD_BACK_PRIOR
        rows, found = model.held_back()
        if len(rows):
            raised = [replace(said, logs=biased(said.logs, shift)) for said in found]
            parts["held back"] = (raised, dataset.rows(rows.tolist()))
    if len(tuning):
        parts["tuning"] = (model.word_scores(tuning.texts), tuning)
    found = [said for scores, _ in parts.values() for said in scores]
    gold = [spans for _, texts in parts.values() for spans in texts.spans]
    bias = tune(keys, found, gold, usual=usual, prior=prior)
    given, scores = Decoder(keys, bias, UNCALIBRATED).raw(found)
    right = [span in {*ours} for ours, theirs in zip(gold, given, strict=True) for span in theirs]
    learned = fit_platt(np.concatenate([np.zeros(0), *scores]), np.array(right, bool))
    whole = None
    if dataset.labels is not None:
        targets = [texts.labels.targets for _, texts in parts.values() if texts.labels is not None]
        whole = _tuned_labels(dataset.labels.schema, found, targets)
    decoder = Decoder(keys, bias, learned, whole)
    return TunedDecoder(decoder, " and ".join(parts) or "none", len(found), len(right))


def _tuned_labels(
    schema: LabelSchema, found: Sequence[WordScores], targets: Sequence[FloatArray]
) -> LabelDecoder:
    """Learn calibration and thresholds of labels of whole texts, as `pipeline.calibrate_and_tune` does."""
    true = np.concatenate([np.zeros((0, len(schema)), np.float32), *targets])
    start = LabelDecoder(schema, np.zeros(len(schema), np.float32), UNCALIBRATED)
    learned = schema.task.calibrate(start.scores(found), true)
    return replace(start, calibration=learned).tuned_anew(found, true)


def _said_out_of_fold(model: SpanModel, dataset: SpanDataset, decoder: Decoder) -> SpansOutOfFold | None:
    rows, found = model.held_back()
    if not len(rows):
        return None
    held = dataset.rows(rows.tolist())
    chosen = _given(held)
    gold = [Answer(labels, spans) for labels, spans in zip(chosen, held.spans, strict=True)]
    return decoder.out_of_fold(rows, found, gold)


def _given(dataset: SpanDataset) -> list[tuple[str, ...]]:
    """Return the keys of the labels of each whole text; none where the task has none of them."""
    if dataset.labels is None:
        return [()] * len(dataset)
    keys = dataset.labels.schema.keys
    return [tuple(keys[j] for j in np.flatnonzero(row)) for row in dataset.labels.targets]


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
    on_progress: Callable[[float], None] = lambda done: None,
) -> BundleFigures:
    """Return the figures of a bundle on texts with answers of its own schema."""
    predictor = SpanPredictor(bundle, encoder_root=encoder_root)
    said = said_in_parts(predictor, dataset.texts, encoder=encoder, tell=on_progress)
    answers = predictor.decoder.answers(said)
    given = [answer.spans for answer in answers]
    rng = np.random.default_rng(seed)
    evaluation = evaluate_spans(dataset.schema.keys, dataset.spans, given, rng)
    scores = np.array([score for answer in answers for _label, score in answer.span_scores], np.float64)
    right = [span in {*ours} for ours, theirs in zip(dataset.spans, given, strict=True) for span in theirs]
    error = calibration_error(scores, np.array(right, bool)) if evaluation.f1 is not None else None
    whole, labels = predictor.decoder.whole, dataset.labels
    if whole is None or labels is None:
        return BundleFigures(evaluation, error, None)
    of_texts = evaluate(labels.schema, labels.targets, whole.scores(said), whole.thresholds, rng)
    return BundleFigures(evaluation, error, of_texts)


def _exported(
    spec: RunSpec, dataset: SpanDataset, model: SpanModel, tuned: TunedDecoder, draft: BundleDraft
) -> Manifest:
    exported = model.export(draft.folder)
    return draft.write_manifest(
        Manifest(
            family=spec.family,
            schema=schema_of(dataset),
            thresholds=thresholds_of(tuned.decoder),
            calibration=calibration_of(tuned.decoder),
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
