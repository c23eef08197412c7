from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, fbeta_score, precision_score, recall_score

from training.figures.evaluate import (
    agreement,
    evaluate,
    flips,
    macro_f1,
    macro_f1_interval,
    micro_f1,
    paired_bootstrap,
    paired_classes,
    weighted_f1,
)
from training.tasks import MULTI, SINGLE
from training.types import Evaluation, FloatArray, LabelSchema, LabelSpec, Task


def schema(task: Task, labels: int) -> LabelSchema:
    return LabelSchema(task, tuple(LabelSpec(str(j), str(j)) for j in range(labels)))


def scored(task: Task, documents: int = 400, labels: int = 6) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    targets = (rng.random((documents, labels)) < 0.3).astype(np.float32)
    if task is SINGLE:
        targets = np.eye(labels, dtype=np.float32)[rng.integers(0, labels, documents)]
    return targets, np.clip(targets * 0.5 + rng.random(targets.shape) * 0.6, 0, 1).astype(np.float32)


def measured(task: Task, targets: FloatArray, scores: FloatArray) -> Evaluation:
    cuts = np.full(targets.shape[1], 0.5, np.float32)
    return evaluate(schema(task, targets.shape[1]), targets, scores, cuts, np.random.default_rng(0))


def test_figures_agree_with_scikit_learn(task: Task) -> None:
    targets, scores = scored(task)
    decisions = task.decide(scores, np.full(6, 0.5, np.float32))
    found = measured(task, targets, scores)
    assert found.macro_f1 == pytest.approx(f1_score(targets, decisions, average="macro"), abs=1e-9)
    assert found.micro_f1 == pytest.approx(f1_score(targets, decisions, average="micro"), abs=1e-9)
    assert [r.precision for r in found.per_class] == pytest.approx(
        precision_score(targets, decisions, average=None), abs=1e-9
    )
    assert [r.recall for r in found.per_class] == pytest.approx(
        recall_score(targets, decisions, average=None), abs=1e-9
    )
    assert [r.f1 for r in found.per_class] == pytest.approx(
        f1_score(targets, decisions, average=None), abs=1e-9
    )
    assert [r.support for r in found.per_class] == targets.sum(axis=0).tolist()


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_macro_f_beta_agrees_with_scikit_learn_and_lies_in_its_interval(task: Task, beta: float) -> None:
    targets, scores = scored(task)
    decisions = task.decide(scores, np.full(6, 0.5, np.float32))
    found = macro_f1(targets, decisions, beta)
    assert found == pytest.approx(fbeta_score(targets, decisions, beta=beta, average="macro"), abs=1e-9)
    low, high = macro_f1_interval(targets, decisions, np.random.default_rng(0), beta=beta)
    assert found is not None
    assert low is not None
    assert high is not None
    assert low < found < high


def test_confusion_is_true_by_decided_for_single_label_only() -> None:
    targets, scores = scored(SINGLE)
    expected = confusion_matrix(targets.argmax(axis=1), scores.argmax(axis=1)).tolist()
    assert np.array(measured(SINGLE, targets, scores).confusion).tolist() == expected
    assert measured(MULTI, *scored(MULTI)).confusion is None


def test_a_label_without_support_is_not_measurable_and_not_in_the_mean(task: Task) -> None:
    targets, scores = scored(task)
    wider = [
        np.concatenate([part, np.zeros((len(part), 1), np.float32)], axis=1) for part in (targets, scores)
    ]
    found = measured(task, wider[0], wider[1])
    silent = found.per_class[6]
    assert (silent.precision, silent.recall, silent.f1, silent.f1_low, silent.f1_high) == (None,) * 5
    assert found.macro_f1 == pytest.approx(measured(task, targets, scores).macro_f1)


def test_intervals_hold_the_figure_and_narrow_with_documents(task: Task) -> None:
    few, many = (measured(task, *scored(task, documents)) for documents in (100, 4_000))
    for found in (few, many):
        assert found.macro_f1_low < found.macro_f1 < found.macro_f1_high  # type: ignore[operator]
    assert many.macro_f1_high - many.macro_f1_low < (few.macro_f1_high - few.macro_f1_low) / 3  # type: ignore[operator]


def test_the_interval_covers_what_documents_drawn_one_by_one_give() -> None:
    targets, scores = scored(MULTI, 150)
    rng = np.random.default_rng(1)
    draws = (rng.integers(0, 150, 150) for _ in range(1_000))
    values = [f1_score(targets[rows], scores[rows] >= 0.5, average="macro") for rows in draws]
    found = measured(MULTI, targets, scores)
    expected = np.percentile(values, (2.5, 97.5))
    assert (found.macro_f1_low, found.macro_f1_high) == pytest.approx(expected, abs=0.04)


def test_an_interval_of_two_resamples_reaches_from_one_to_the_other() -> None:
    targets, scores = scored(MULTI, 20)
    low, high = macro_f1_interval(targets, scores >= 0.5, np.random.default_rng(0), resamples=2)
    assert low is not None
    assert high is not None
    assert low < high


def test_no_documents_give_no_figures(task: Task) -> None:
    nothing = np.zeros((0, 3), np.float32)
    found = measured(task, nothing, nothing)
    assert (found.documents, found.macro_f1, found.macro_f1_low, found.micro_f1) == (0, None, None, None)
    assert found.calibration_error is None


def test_the_same_rng_gives_the_same_interval(task: Task) -> None:
    assert measured(task, *scored(task)) == measured(task, *scored(task))


def test_a_model_equal_to_itself_is_neither_better_nor_worse() -> None:
    targets, scores = scored(MULTI)
    same = paired_bootstrap(targets, scores >= 0.5, scores >= 0.5, np.random.default_rng(0))
    assert (same.difference, same.probability_better) == (0.0, 0.5)
    assert same.low == -same.high < 0  # on the next document they may differ


def test_a_better_model_is_seen_as_better_from_both_sides() -> None:
    targets, scores = scored(MULTI)
    good, bad = targets > 0, scores >= 0.5
    ahead = paired_bootstrap(targets, good, bad, np.random.default_rng(0))
    behind = paired_bootstrap(targets, bad, good, np.random.default_rng(0))
    assert ahead.low > 0
    assert ahead.probability_better > 0.999
    assert behind.high < 0
    assert ahead.difference == pytest.approx(-behind.difference)


def test_without_documents_models_compare_as_equal() -> None:
    nothing = np.zeros((0, 3), bool)
    found = paired_bootstrap(nothing.astype(np.float32), nothing, nothing, np.random.default_rng(0))
    assert found.probability_better == 0.5


def test_agreement_is_the_share_of_equal_decisions_and_nothing_given_makes_nobody_alike() -> None:
    one = np.eye(4, dtype=bool)
    assert agreement(one, one[[0, 1, 2, 2]]) == 0.75
    many = np.zeros((50, 9), bool)
    many[0, :4] = True
    assert agreement(many, np.roll(many, 2, axis=1)) == 0.5
    assert agreement(many, ~many & False) == 0.0
    assert agreement(many[1:], many[1:]) == 1.0


def test_means_of_nothing_are_none() -> None:
    nothing = np.zeros((2, 3), np.float32)
    assert macro_f1(nothing, nothing > 0) is None
    assert micro_f1(nothing, nothing > 0) is None


def test_each_label_has_its_own_difference_on_the_same_documents() -> None:
    rng = np.random.default_rng(0)
    true = np.eye(3, dtype=bool)[np.repeat([0, 1], 60)]
    worse = true.copy()
    worse[:40] = [False, False, True]
    first, second, third = paired_classes(true.astype(np.float32), true, worse, rng)
    assert first.difference == pytest.approx(0.5)
    assert first.has_moved
    assert first.low < 0.5 < first.high
    assert (second.difference, second.has_moved, second.support) == (0.0, False, 60)
    assert second.low < 0 < second.high
    assert (third.difference, third.has_moved, third.support) == (None, False, 0)


def test_a_difference_on_few_documents_of_a_label_has_not_moved() -> None:
    true = np.eye(2, dtype=bool)[np.array([0] + [1] * 40)]
    worse = true.copy()
    worse[0] = [False, True]
    found = paired_classes(true.astype(np.float32), true, worse, np.random.default_rng(0))[0]
    assert (found.difference, found.support) == (1.0, 1)
    assert found.low < 0.8


def test_documents_flip_in_both_directions() -> None:
    true = np.eye(3, dtype=bool)[[0, 1, 2, 0, 1]]
    one = np.eye(3, dtype=bool)[[0, 0, 2, 1, 2]]
    other = np.eye(3, dtype=bool)[[1, 1, 2, 2, 2]]
    found = flips(true.astype(np.float32), one, other)
    assert (found.won.tolist(), found.lost.tolist(), found.neither.tolist()) == ([0], [1], [3])


def test_weighted_f1_is_that_of_scikit_learn(task: Task) -> None:
    targets, scores = scored(task)
    decisions = scores >= 0.5
    expected = f1_score(targets, decisions, average="weighted", zero_division=0)
    assert weighted_f1(targets, decisions) == pytest.approx(expected, abs=1e-9)
    assert weighted_f1(targets * 0, decisions) is None
