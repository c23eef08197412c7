"""Where an encoder was tuned on the labelled texts, only what it has not seen tells how sure to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset
from training.runs.crossfit import FOLD_POOL, cross_fitted
from training.runs.pipeline import FOLDS, Folded, TunedOn, calibrate_and_tune, fit_model, rows_of
from training.splits import split_key
from training.tasks import MULTI, SINGLE
from training.types import Dataset, Embedder, FloatArray, Pool, RunSpec, Task, TrainingError

SPEC = RunSpec("embedding")


class Knowing(WordEmbedder):
    """Stands in for an encoder tuned on `texts`: it puts each of them into the corner of its label."""

    knows_labels = True

    def __init__(self, learned: Dataset, number: int = 0) -> None:
        self.fingerprint = f"{number}" * 64
        self.label = dict(zip(learned.texts, learned.targets.argmax(axis=1).tolist(), strict=True))
        self.asked: list[tuple[str, ...]] = []

    def embed(self, texts: tuple[str, ...]) -> FloatArray:  # type: ignore[override]
        self.asked.append(tuple(texts))
        vectors = super().embed(texts)
        for row, text in zip(vectors, texts, strict=True):
            if text in self.label:
                row[:] = 0
                row[self.label[text]] = 1
        return vectors


class Tuner:
    """Makes such encoders and remembers them."""

    def __init__(self) -> None:
        self.made: list[tuple[Dataset, Knowing]] = []

    def __call__(self, dataset: Dataset, tell: Callable[[float], None]) -> Embedder:
        tell(0.5)
        self.made.append((dataset, Knowing(dataset, len(self.made) + 1)))
        return self.made[-1][1]


def noisy(documents: int, seed: int = 0) -> Dataset:
    """Return texts of which a third have a label that nobody could guess."""
    data, rng = make_dataset(SINGLE, documents, seed), np.random.default_rng(seed)
    targets = data.targets.copy()
    wrong = rng.random(documents) < 1 / 3
    targets[wrong] = np.eye(targets.shape[1], dtype=np.float32)[
        rng.integers(targets.shape[1], size=wrong.sum())
    ]
    return replace(data, targets=targets)


def test_each_text_is_scored_by_an_encoder_that_was_tuned_without_it() -> None:
    data, tuner = make_dataset(SINGLE, 60), Tuner()
    found = cross_fitted(SPEC, data, tuner)
    assert found is not None
    assert sorted(found.rows.tolist()) == list(range(60))
    assert np.array_equal(found.targets, data.targets[found.rows])
    assert len(tuner.made) == FOLDS
    for learned, encoder in tuner.made:
        held = {split_key(text) for text in data.texts} - {split_key(text) for text in learned.texts}
        assert held
        asked = {text for texts in encoder.asked for text in texts}
        assert asked >= {text for text in data.texts if split_key(text) in held}


def test_the_pool_is_learned_from_too_but_not_all_of_a_large_one() -> None:
    pool = make_dataset(SINGLE, FOLD_POOL + 40, seed=3).texts
    data, tuner = replace(make_dataset(SINGLE, 30), pool=Pool(pool)), Tuner()
    cross_fitted(SPEC, data, tuner)
    learned, encoder = tuner.made[0]
    assert len(encoder.asked[0]) == len(learned.texts) + FOLD_POOL


def test_progress_goes_from_fold_to_fold_and_may_end_it() -> None:
    told: list[float] = []
    cross_fitted(SPEC, make_dataset(SINGLE, 30), Tuner(), told.append)
    assert told == pytest.approx([(fold + 0.5) / FOLDS for fold in range(FOLDS)])

    def cancel(_: float) -> None:
        raise TrainingError("cancelled")

    with pytest.raises(TrainingError, match="cancelled"):
        cross_fitted(SPEC, make_dataset(SINGLE, 30), Tuner(), cancel)


def test_too_few_texts_make_no_scores() -> None:
    few, tuner = make_dataset(SINGLE, 2 * FOLDS - 1), Tuner()
    assert cross_fitted(SPEC, few, tuner) is None
    one_label = make_dataset(SINGLE, 30)
    one_label.targets[:] = [1, 0, 0]
    assert cross_fitted(SPEC, one_label, tuner) is None
    assert tuner.made == []


def gap(data: Dataset, tuned_on: TunedOn | None, encoder: Knowing, test: Dataset, tuning: Dataset) -> float:
    """Return by how much the mean confidence lies over the share that is right."""
    model = fit_model(SPEC, data, tuning, encoder).model
    tuned = calibrate_and_tune(SPEC, data, tuning, model, encoder, tuned_on)
    scores = tuned.scores(model.predict_proba(test.texts))
    right = scores.argmax(axis=1) == test.targets.argmax(axis=1)
    return float(scores.max(axis=1).mean() - right.mean())


def test_confidences_are_as_high_as_what_is_right() -> None:
    data, test = noisy(150), noisy(400, seed=1)
    encoder, nothing = Knowing(data), rows_of(data, np.zeros(0, np.int64))
    everything = np.ones(len(data), bool)
    honest = TunedOn(everything, cross_fitted(SPEC, data, Tuner()))
    fooled = cross_fitted(SPEC, data, lambda learned, tell: Knowing(data))
    assert gap(data, TunedOn(everything, fooled), encoder, test, nothing) > 0.15
    assert abs(gap(data, honest, encoder, test, nothing)) < 0.1


@pytest.mark.parametrize(("documents", "source"), [(20, "out of fold and tuning"), (0, "out of fold")])
def test_labelled_since_counts_and_seen_does_not(documents: int, source: str) -> None:
    data = make_dataset(SINGLE, 90)
    seen = np.arange(90) < 40
    encoder, tuning = Knowing(rows_of(data, seen)), make_dataset(SINGLE, documents, seed=2)
    model = fit_model(SPEC, data, tuning, encoder).model
    tuned = calibrate_and_tune(SPEC, data, tuning, model, encoder, TunedOn(seen))
    assert (tuned.source, tuned.documents) == (source, 50 + documents)
    assert tuned.folded is not None
    assert tuned.folded.rows.min() == 40
    everything = calibrate_and_tune(SPEC, data, tuning, model, encoder, TunedOn(np.ones(90, bool)))
    assert everything.documents == documents


def test_what_an_earlier_run_learned_serves_until_enough_is_known() -> None:
    data = make_dataset(SINGLE, 90)
    earlier = {"method": "temperature", "temperature": 3.0}
    nothing = rows_of(data, np.zeros(0, np.int64))

    def tuned(seen: int) -> tuple[str, int, object]:
        known = np.arange(90) < seen
        encoder = Knowing(rows_of(data, known))
        model = fit_model(SPEC, data, nothing, encoder).model
        past = TunedOn(known, carried=earlier, documents=77)
        found = calibrate_and_tune(SPEC, data, nothing, model, encoder, past)
        return found.source, found.documents, found.calibration.get("temperature") == 3.0

    assert tuned(seen=60) == ("an earlier run", 77, True)
    assert tuned(seen=30) == ("out of fold", 60, False)


@pytest.mark.parametrize(("task", "documents"), [(SINGLE, 0), (MULTI, 90)])
def test_without_a_word_of_what_it_has_seen_nothing_is_made_of_the_texts_that_it_knows(
    task: Task, documents: int
) -> None:
    data = make_dataset(task, 90)
    encoder, nothing = Knowing(data), rows_of(data, np.zeros(0, np.int64))
    model = fit_model(SPEC, data, nothing, encoder).model
    assert calibrate_and_tune(SPEC, data, nothing, model, encoder).documents == documents


def test_parts_are_joined_in_their_order() -> None:
    part = Folded(np.array([2, 0]), np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    none = Folded(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    joined = Folded.joined([none, part, part])
    assert joined is not None
    assert joined.rows.tolist() == [2, 0, 2, 0]
    assert Folded.joined([none]) is None
