"""The candidates of a report card: which there are, and how one is trained, packaged and measured."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.bundles.bundle import Manifest
from training.cli.inputs import parse_settings
from training.registry import FAMILIES, entry
from training.reportcard.card import Candidate, Comparison, Constraints
from training.reportcard.measurement import Measured, machine, measure
from training.reportcard.recommend import Compared, DecidedDocuments, caveats, quantised_pairs, recommend
from training.runs.pipeline import rows_of, train_and_package
from training.types import Dataset, Embedder, Json, RunSpec, TrainingError


@dataclass(frozen=True, slots=True)
class Files:
    """The documents that every candidate learns from, is tuned on and is measured on."""

    train: Dataset
    tuning: Dataset
    test: Dataset


@dataclass(frozen=True, slots=True)
class Vectors:
    """The encoder of a family that needs one and the folder that keeps it; both are None for others."""

    embedder: Embedder | None = None
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """One candidate before it is trained: `name` is its family, or `family:variant`."""

    name: str
    family: str
    params: dict[str, Json]


def plans_of(families: str, settings: Iterable[str]) -> list[ComparisonPlan]:
    """Return the candidates that `--families` names, each with what `--set` says of it."""
    names = [name.strip() for name in families.split(",") if name.strip()]
    if len(set(names)) != len(names):
        raise TrainingError("--families names a candidate twice; tell them apart as family:variant.")
    params: dict[str, dict[str, Json]] = {name: {} for name in names}
    for key, value in parse_settings(settings).items():
        name, dot, parameter = key.partition(".")
        if not dot or name not in params:
            raise TrainingError(f"--set {key}: write NAME.KEY=VALUE, NAME being one of {', '.join(names)}.")
        params[name][parameter] = value
    for name in names:
        entry(FAMILIES, name.partition(":")[0])
    return [ComparisonPlan(name, name.partition(":")[0], params[name]) for name in names]


def constraints_of(arguments: argparse.Namespace) -> Constraints:
    """Return what the arguments require of a model."""
    return Constraints(
        latency_ms=arguments.latency_ms,
        size_bytes=None if arguments.size_mb is None else round(arguments.size_mb * 1e6),
        explainable=arguments.explainable,
        languages=tuple(code for part in arguments.languages for code in part.split(",")),
        classes=arguments.classes,
        labels=arguments.labels,
    )


def none_of(dataset: Dataset) -> Dataset:
    """Return a dataset of the same schema that has no documents."""
    return rows_of(dataset, np.zeros(0, np.int64))


def train_and_measure(
    start: Candidate,
    params: Mapping[str, Json],
    files: Files,
    bundle: Path,
    vectors: Vectors,
    *,
    seed: int = 0,
) -> Measured:
    """Return the candidate with its figures; its bundle is left at `bundle`, its encoder inside."""
    if vectors.embedder is not None:
        # Vectors are kept for all candidates with this encoder, so no single one is charged for them.
        vectors.embedder.embed(files.train.texts + files.tuning.texts)
    began = time.perf_counter()
    report = train_and_package(
        RunSpec(start.family, params, seed=seed),
        files.train,
        bundle,
        tuning=files.tuning,
        reporting=none_of(files.test),  # it is measured below, outside the time that is taken
        embedder=vectors.embedder,
        encoder_root=vectors.root,
        self_contained=True,
        replace_bundle=True,
    )
    start = replace(
        start,
        train_seconds=time.perf_counter() - began,
        labelled=len(files.train),
        notes=(report.parity.note,) if report.parity.note else (),
        twin=report.parity.twin,
    )
    found = measure(start, bundle, files.test, embedder=vectors.embedder, seed=seed)
    candidate, speed = found.candidate, found.candidate.speed
    if not candidate.encoder_bytes or speed is None:
        return found
    note = (
        f"training starts from kept vectors; to make those of {candidate.labelled} texts takes "
        f"{candidate.labelled / speed.texts_per_s:.0f} s at the measured texts a second"
    )
    return replace(found, candidate=replace(candidate, notes=(*candidate.notes, note)))


def card_of(
    candidates: Sequence[Candidate], compared: Compared, classes: int, arguments: argparse.Namespace
) -> Comparison:
    """Return the card of candidates, with a recommendation within what the arguments require of a model.

    `compared` is what those that were measured said of the test documents, in so many `classes`.
    """
    constraints = constraints_of(arguments)
    return Comparison(
        documents=compared.documents,
        classes=classes,
        machine=machine(),
        constraints=constraints,
        candidates=tuple(candidates),
        recommendation=recommend(
            candidates, compared, constraints, tolerance=arguments.tolerance, seed=arguments.seed
        ),
        quantised=quantised_pairs(candidates),
        caveats=caveats(candidates, classes, constraints),
    )


def compare_measured(rows: Sequence[Measured], test: Dataset, *, seed: int) -> Comparison:
    """Return the card of measured candidates, with a recommendation that no constraint limits."""
    decisions = {row.candidate.name: row.decisions for row in rows}
    compared = DecidedDocuments(test.targets, decisions)
    return unlimited_card([row.candidate for row in rows], compared, len(test.schema), seed=seed)


def unlimited_card(
    candidates: Sequence[Candidate], compared: Compared, classes: int, *, seed: int
) -> Comparison:
    """Return the card of candidates that were all measured, as `card_of` does, without any limits."""
    chosen = recommend(candidates, compared, Constraints(), seed=seed)
    return Comparison(compared.documents, classes, machine(), Constraints(), tuple(candidates), chosen)


def row_of_teacher(manifest: Manifest) -> Candidate:
    """Return the row that a bundle with this manifest begins with, before it is measured."""
    known = manifest.figures
    return Candidate(
        "teacher",
        manifest.family,
        labelled=int(known.get("labelled") or 0),
        train_seconds=float(known.get("fit_seconds") or 0.0),
    )
