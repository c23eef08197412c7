"""Measures a bundle for the report card: figures, speed on this machine, sizes, and what it cannot read."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import bundle_bytes, encoder_folder
from training.bundles.cascade import CascadePredictor, Serving, open_predictor
from training.bundles.predictor import Predictor
from training.figures import evidence
from training.figures.calibration import reliability
from training.figures.coverage import foreign_note, languages, open_tokenizer
from training.figures.evaluate import evaluate
from training.figures.thresholds import Decisions
from training.preprocess.encoder import TOKENIZER_FILE, OnnxEncoder, against_original
from training.preprocess.tokens import TokenPreprocessor
from training.reportcard.card import Candidate, Speed
from training.types import Dataset, Embedder, Json, TrainingError

SECONDS = 4.0  # for each of the two speeds; a slow model is measured on fewer texts
_WARM = 20
_SINGLES = 1_000
_AT_LEAST = 50
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate with its decisions (documents, labels), from which models are compared."""

    candidate: Candidate
    decisions: Decisions


def measure(
    start: Candidate,
    bundle: Path,
    reporting: Dataset,
    *,
    embedder: Embedder | None = None,
    encoder_root: Path | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
) -> Measured:
    """Return `start` with the figures of its bundle on `reporting`, measured with one thread.

    A given `embedder` provides stored vectors for the figures. Speed is always that of the bundle's own
    encoder; where `start` has a speed already, that one is kept. Raises `BundleError` for a bundle that
    cannot be loaded.
    """
    predictor = open_predictor(bundle, encoder_root=encoder_root)
    scores = predictor.predict_proba(reporting.texts, embedder=embedder)
    schema, targets = reporting.schema, reporting.targets
    found = replace(
        start,
        evaluation=evaluate(schema, targets, scores, predictor.thresholds, np.random.default_rng(seed)),
        reliability=reliability(schema.task, scores, targets) if evidence.is_enough(len(targets)) else (),
        speed=start.speed or speed(predictor, reporting.texts, seconds),
        bundle_bytes=bundle_bytes(bundle),
        explainable=predictor.explains,
    )
    for part in (
        (predictor.cheap, predictor.strong) if isinstance(predictor, CascadePredictor) else (predictor,)
    ):
        found = _with_reader(found, part, encoder_root, reporting.texts)
    return Measured(found, schema.task.decide(scores, predictor.thresholds))


def speed(predictor: Serving, texts: Sequence[str], seconds: float = SECONDS) -> Speed:
    """Time single texts one after the other, then texts together, each for at most so many `seconds`.

    The bundle must have been opened with one thread. Raises `TrainingError` without texts.
    """
    return timed(lambda some: predictor.decide(predictor.predict_proba(some)), texts, seconds)


def timed(say: Callable[[Sequence[str]], object], texts: Sequence[str], seconds: float) -> Speed:
    """Time what answers texts: single ones, then texts together, each for at most so many `seconds`."""
    if not texts:
        raise TrainingError("There is no text to measure the speed with.")
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < _WARM + _AT_LEAST or (len(taken) < _SINGLES and time.perf_counter() < end):
        started = time.perf_counter()
        say([texts[len(taken) % len(texts)]])
        taken.append(time.perf_counter() - started)
    p50, p99 = np.percentile(taken[_WARM:], (50, 99)) * 1_000
    done, started = 0, time.perf_counter()
    while not done or (done < len(texts) and time.perf_counter() < started + seconds):
        chunk = texts[done : done + _CHUNK]
        say(chunk)
        done += len(chunk)
    per_second = done / (time.perf_counter() - started)
    return Speed(float(p50), float(p99), per_second, threads=1)


def machine() -> dict[str, Json]:
    """Return what the speeds depend on: processor, cores, and how busy the machine is now."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # there is no such file beside Linux
        processor = platform.processor() or platform.machine()
    else:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else platform.machine()
    return {"processor": processor, "cores": cores, "load": round(load, 2), "threads": 1}


def _with_reader(
    candidate: Candidate, part: Predictor, encoder_root: Path | None, texts: Sequence[str]
) -> Candidate:
    """Add what reads the texts of a bundle or of a cascade's part; the precision is that of the last part."""
    candidate = replace(candidate, precision=part.manifest.precision)
    folder = encoder_folder(part.bundle, part.manifest, encoder_root)
    if folder is not None:
        encoder = OnnxEncoder(folder)
        note = against_original(folder, encoder.config)
        found = replace(
            candidate,
            encoder_bytes=candidate.encoder_bytes + sum(file.stat().st_size for file in folder.iterdir()),
            precision=encoder.config.precision,
            cut_share=max(candidate.cut_share, encoder.cut(texts) / len(texts)),
            notes=(*candidate.notes, *([note] if note else [])),
        )
        return _with_tokenizer(found, folder, encoder.config.name, texts)
    if (part.bundle / TOKENIZER_FILE).is_file():
        return _with_windows(candidate, part.bundle, texts)
    return candidate


def _with_windows(candidate: Candidate, bundle: Path, texts: Sequence[str]) -> Candidate:
    preprocessor = TokenPreprocessor.load(bundle)
    cut = sum(preprocessor.tokens(text).is_cut for text in texts)
    found = replace(candidate, cut_share=max(candidate.cut_share, cut / len(texts)))
    return _with_tokenizer(found, bundle, str(candidate.params.get("checkpoint", "")), texts)


def _with_tokenizer(candidate: Candidate, folder: Path, name: str, texts: Sequence[str]) -> Candidate:
    tokenizer = open_tokenizer(folder / TOKENIZER_FILE)
    note = foreign_note(tokenizer, texts)
    notes = (*candidate.notes, *([note] if note else []))
    reads = languages(tokenizer, name)
    if candidate.languages is not None:  # set by the other part of a cascade
        reads = tuple(code for code in reads if code in candidate.languages)
    return replace(candidate, languages=reads, notes=notes)
