"""`python -m training simulate --task span` or `joint`: what each further text is worth, in words read."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from training.cli.inputs import parse_settings
from training.cli.spans.encoders import word_encoder_for
from training.cli.spans.inputs import read_span_datasets, word_count
from training.families.build import build_span_model
from training.figures.evaluate import macro_f1
from training.figures.evidence import figure, is_enough, why_none
from training.preprocess.word_encoder import WordEncoder
from training.registry import CHOOSER, STRATEGIES, entry
from training.runs.span_pipeline import tune_decoder
from training.selection import PoolView
from training.spans import SpanDataset
from training.tagging.figures import entity_f1
from training.tagging.signs import signs
from training.tagging.ways import usual_way
from training.tasks.joint import schema_of
from training.threads import machine
from training.types import Json, RunSpec, TrainingError, mean_of_both


@dataclass(frozen=True, slots=True)
class SpanReplay:
    """How a simulation goes: what to train, how to choose, and how many texts at a time."""

    spec: RunSpec
    strategy: str
    seed_labels: int
    batch: int
    budget: int
    random_share: float = 0.0


@dataclass(frozen=True, slots=True)
class SpanPoint:
    """One step of a learning curve: texts labelled so far, words read for it, F1 on the test file.

    `macro_f1` is of the labels of whole texts and `joint_f1` the mean of both, where the task has some.
    """

    labels: int
    words: int
    entity_f1: float | None
    macro_f1: float | None
    joint_f1: float | None
    fit_s: float
    query_s: float


def run(arguments: argparse.Namespace) -> None:
    """Simulate every seed; write the JSON after each, so that a stopped run leaves what it has."""
    files, text = [arguments.train, arguments.test], arguments.text or "text"
    train, test = read_span_datasets(files, text, arguments.task)
    train = replace(train, way=usual_way(train))
    encoder, _root = word_encoder_for(arguments.family, arguments)
    plan = SpanReplay(
        RunSpec(arguments.family, parse_settings(arguments.set)),
        arguments.strategy,
        arguments.seed_labels,
        arguments.batch,
        arguments.budget,
        arguments.random_share,
    )
    reason = "" if is_enough(len(test)) else why_none(len(test))
    curves: list[Json] = []
    for seed in arguments.seeds:
        points = []
        for point in simulate_spans(plan, train, test, encoder, seed):
            points.append(asdict(point))
            figures = {"entity F1": point.entity_f1}
            if test.labels is not None:
                figures |= {"macro-F1 of labels": point.macro_f1, "joint F1": point.joint_f1}
            told = "  ".join(f"{name} {'-' if f1 is None else f'{f1:.4f}'}" for name, f1 in figures.items())
            print(
                f"seed {seed}  {point.labels:6d} texts  {point.words:7d} words  {told}  "
                f"fit {point.fit_s:.2f} s  query {point.query_s:.3f} s",
                file=sys.stderr,
                flush=True,
            )
        curves.append({"seed": seed, "points": points})
        content: Json = {
            "strategy": plan.strategy,
            "curves": curves,
            "mean": mean_of(curves),
            "reason": reason,
        }
        content["machine"] = machine()
        arguments.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if reason:
        raise TrainingError(f"There is no curve: entity F1 is {reason} in {arguments.test}.")
    print(json.dumps({"mean": mean_of(curves)}))


def simulate_spans(
    plan: SpanReplay, train: SpanDataset, test: SpanDataset, encoder: WordEncoder | None, seed: int
) -> Iterator[SpanPoint]:
    """Yield a point after the first texts and after each batch, by the functions that the site uses."""
    _check(plan, train)
    choose = CHOOSER.load()
    rng = np.random.default_rng(seed)
    labelled = rng.permutation(len(train))[: plan.seed_labels]
    while True:
        known = train.rows(labelled.tolist())
        rest = np.setdiff1d(np.arange(len(train)), labelled)
        started = time.perf_counter()
        model = build_span_model(replace(plan.spec, seed=seed), encoder)
        model.fit(known, valid=train.rows([]))
        pool = model.word_scores([train.texts[i] for i in rest])
        decoder = tune_decoder(model, known, train.rows([]), pool).decoder
        fit_s = time.perf_counter() - started
        said = model.word_scores(test.texts)
        of_spans = figure(entity_f1(test.spans, decoder.spans(said)), len(test))
        of_labels = None
        if decoder.whole is not None and test.labels is not None:
            decided = decoder.whole.decide(decoder.whole.scores(said))
            of_labels = figure(macro_f1(test.labels.targets, decided), len(test))
        wanted = min(plan.batch, plan.budget - len(labelled), len(rest))
        started = time.perf_counter()
        if wanted > 0:
            counts = known.label_counts
            needs_scores = entry(STRATEGIES, plan.strategy).reads_scores
            view = PoolView(
                len(rest), signs(pool, decoder.whole) if needs_scores else None, None, None, counts
            )
            chosen = choose(plan.strategy, view, wanted, rng, random_share=plan.random_share).indices
        query_s = time.perf_counter() - started
        read = word_count(known.texts)
        both = mean_of_both(of_labels, of_spans)
        yield SpanPoint(len(labelled), read, of_spans, of_labels, both, fit_s, query_s)
        if wanted <= 0:
            return
        labelled = np.concatenate([labelled, rest[chosen]])


def _check(plan: SpanReplay, train: SpanDataset) -> None:
    if plan.batch < 1 or plan.seed_labels < 1 or not 0 <= plan.random_share <= 1:
        raise TrainingError("--batch and --seed-labels must be at least 1, --random-share 0 to 1.")
    if plan.budget < plan.seed_labels or plan.budget > len(train):
        raise TrainingError(
            f"--budget must be at least --seed-labels and at most the {len(train)} documents there are."
        )
    strategy = entry(STRATEGIES, plan.strategy)
    task = schema_of(train).task
    if not strategy.suits(task) or strategy.reads_vectors:
        raise TrainingError(f"The strategy {plan.strategy!r} does not suit the task {task.key!r}.")


def mean_of(curves: list[Json]) -> list[dict[str, float | None]]:
    """Return the mean over curves at each number of texts that all of them reached; None has none."""
    steps = [{point["labels"]: point for point in curve["points"]} for curve in curves]
    shared = sorted(set.intersection(*(set(step) for step in steps))) if steps else []
    means: list[dict[str, float | None]] = []
    for labels in shared:
        point: dict[str, float | None] = {"labels": labels}
        for key in ("words", "entity_f1", "macro_f1", "joint_f1", "fit_s", "query_s"):
            values = [step[labels][key] for step in steps]
            point[key] = None if None in values else float(np.mean(values))
        means.append(point)
    return means
