"""The cards that a queue would deal: documents that the strategy chose, with the scores of the model then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from training.protocol import ScoresPool
from training.registry import CHOOSER
from training.runs.pipeline import calibrate_and_tune, fit_model, rows_of
from training.selection import PoolView
from training.types import Dataset, Embedder, FloatArray, IntArray, Neighbours, Pool, RunSpec

CHOSEN = 50  # documents of a batch, as a new project has them
RANDOM_SHARE = 0.1


@dataclass(frozen=True)
class World:
    documents: Dataset
    embedder: Embedder
    vectors: FloatArray  # (documents, dimension)
    neighbours: Neighbours


@dataclass(frozen=True)
class Card:
    """A document as a person is shown it after `labelled` decisions; `scores` are in schema order."""

    labelled: int
    truth: tuple[int, ...]
    scores: FloatArray  # (labels,)
    decided: tuple[int, ...]


def deal(world: World, marks: list[int], each: int, step: int, seed: int) -> Iterator[Card]:
    """Yield `each` cards from every mark on, while a new model learns after every `step` decisions."""
    rng = np.random.default_rng(seed)
    choose, schema = CHOOSER.load(), world.documents.schema
    empty = np.zeros(len(schema), np.int64)
    pool = PoolView(len(world.documents), None, world.vectors, None, empty)
    labelled = choose("kmeans", pool, step, rng).indices
    while len(labelled) < max(marks) + each:
        rest = np.setdiff1d(np.arange(len(world.documents)), labelled)
        scores, thresholds = _learn(world, labelled, rest, seed)
        counts = world.documents.targets[labelled].sum(axis=0).astype(np.int64)
        view = PoolView(len(rest), scores, world.vectors[rest], thresholds, counts)
        strategy = schema.task.default_strategy
        chosen = choose(strategy, view, CHOSEN, rng, random_share=RANDOM_SHARE).indices[:step]
        decided = schema.task.decide(scores[chosen], thresholds)
        for place, row in enumerate(chosen):
            mark = max((mark for mark in marks if mark <= len(labelled) + place), default=None)
            if mark is not None and len(labelled) + place < mark + each:
                truth = np.flatnonzero(world.documents.targets[rest[row]] > 0)
                said = tuple(map(int, np.flatnonzero(decided[place])))
                yield Card(mark, tuple(map(int, truth)), scores[row], said)
        labelled = np.concatenate([labelled, rest[chosen]])


def _learn(world: World, labelled: IntArray, rest: IntArray, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return the calibrated scores of the rest, and the thresholds, as a run of the site has them."""
    order = np.concatenate([labelled, rest])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    near = Neighbours(place[world.neighbours.indices[order]], world.neighbours.similarities[order])
    texts = tuple(world.documents.texts[i] for i in rest)
    dataset = replace(rows_of(world.documents, labelled), pool=Pool(texts, near))
    nothing = rows_of(world.documents, np.zeros(0, np.int64))
    spec = RunSpec("embedding", {}, seed=seed)
    model = fit_model(spec, dataset, nothing, world.embedder).model
    raw = model.pool_scores() if isinstance(model, ScoresPool) else model.predict_proba(texts)
    tuned = calibrate_and_tune(spec, dataset, nothing, model, world.embedder)
    return tuned.scores(raw), tuned.thresholds
