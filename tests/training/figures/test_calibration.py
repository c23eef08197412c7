from __future__ import annotations

import json

import numpy as np
import pytest

from training.figures import calibration
from training.tasks import MULTI, SINGLE
from training.types import FloatArray


def softmax(logits: FloatArray) -> FloatArray:
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def drawn_from(probabilities: FloatArray, rng: np.random.Generator) -> FloatArray:
    picks = (probabilities.cumsum(axis=1) > rng.random((len(probabilities), 1))).argmax(axis=1)
    return np.eye(probabilities.shape[1], dtype=np.float32)[picks]


def test_the_temperature_of_overconfident_scores_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=1.5, size=(4_000, 5)).astype(np.float32)
    targets = drawn_from(softmax(logits), rng)
    found = SINGLE.calibrate(softmax(3 * logits), targets)
    assert found["temperature"] == pytest.approx(3, rel=0.15)


def test_a_temperature_keeps_every_decision() -> None:
    scores = softmax(np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32))
    softened = calibration.apply({"method": "temperature", "temperature": 2.5}, scores)
    np.testing.assert_array_equal(softened.argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(softened.sum(axis=1), 1, atol=1e-5)


def dependable_only_on_the_whole(documents: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Scores that no temperature mends: sure ones are right far less often than they say, others as said."""
    rng = np.random.default_rng(seed)
    scores = softmax(rng.normal(scale=2.0, size=(documents, 4)).astype(np.float32))
    true = np.where(scores.max(axis=1, keepdims=True) > 0.8, 0.5 * scores + 0.125, scores)
    return scores, drawn_from(true, rng)


def test_an_isotonic_map_lowers_the_error_that_a_temperature_leaves() -> None:
    found = SINGLE.calibrate(*dependable_only_on_the_whole(2_000, seed=0))
    scores, targets = dependable_only_on_the_whole(4_000, seed=1)
    errors = [
        calibration.expected_calibration_error(SINGLE, calibration.apply(learned, scores), targets)
        for learned in ({**found, "best": None}, found)
    ]
    assert None not in errors
    assert errors[1] < 0.75 * errors[0]  # type: ignore[operator]


def test_an_isotonic_map_keeps_every_decision_and_the_order_near_a_boundary() -> None:
    found = SINGLE.calibrate(*dependable_only_on_the_whole(2_000, seed=0))
    scores, _targets = dependable_only_on_the_whole(500, seed=2)
    mapped = calibration.apply(json.loads(json.dumps(found)), scores)
    np.testing.assert_array_equal(mapped.argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(mapped.sum(axis=1), 1, atol=1e-5)
    assert (mapped >= 0).all()
    ordered = np.sort(mapped, axis=1)
    assert len(np.unique(ordered[:, -1] - ordered[:, -2])) > 490


def test_a_map_to_nothing_leaves_a_twentieth_of_the_distance_to_the_next_label() -> None:
    scores, _targets = dependable_only_on_the_whole(200, seed=0)
    nothing = {"scores": [0.0, 1.0], "shares": [0.0, 0.0]}
    mapped = calibration.apply({"method": "temperature", "temperature": 1.0, "best": nothing}, scores)
    before, after = (np.sort(table, axis=1) for table in (scores, mapped))
    np.testing.assert_allclose(after[:, -1] - after[:, -2], (before[:, -1] - before[:, -2]) / 20, atol=1e-5)


def test_few_documents_or_good_scores_get_a_temperature_alone() -> None:
    assert "best" in SINGLE.calibrate(*dependable_only_on_the_whole(1_000, seed=0))
    assert "best" not in SINGLE.calibrate(*dependable_only_on_the_whole(999, seed=0))
    rng = np.random.default_rng(0)
    scores = softmax(rng.normal(scale=1.5, size=(3_000, 5)).astype(np.float32))
    assert "best" not in SINGLE.calibrate(scores, drawn_from(scores, rng))


def skewed(documents: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Two labels whose scores are too high, as balanced class weights make them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(documents, 2)) - (2.0, 0.5)
    targets = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return (1 / (1 + np.exp(-2 * (logits + 2.0)))).astype(np.float32), targets.astype(np.float32)


def test_the_error_of_several_labels_is_that_of_each_by_its_documents() -> None:
    """The third label is never said and never right; its easy noes do not count."""
    scores = np.zeros((100, 3), np.float32)
    targets = np.zeros((100, 3), np.float32)
    scores[:, 0], targets[:30, 0] = 0.8, 1.0  # says 0.8 and is right in 0.3
    scores[:, 1], targets[:10, 1] = 0.2, 1.0  # says 0.2 and is right in 0.1
    error = calibration.expected_calibration_error(MULTI, scores, targets)
    assert error == pytest.approx((30 * 0.5 + 10 * 0.1) / 40, abs=1e-6)
    assert calibration.expected_calibration_error(MULTI, scores, np.zeros_like(targets)) is None


@pytest.mark.parametrize("documents", [300, 3_000])
def test_multi_label_calibration_lowers_the_error_on_unseen_documents(documents: int) -> None:
    found = MULTI.calibrate(*skewed(documents))
    scores, targets = skewed(4_000, seed=1)
    after = calibration.expected_calibration_error(MULTI, calibration.apply(found, scores), targets)
    before = calibration.expected_calibration_error(MULTI, scores, targets)
    assert after is not None
    assert before is not None
    assert after < before / 4


@pytest.mark.parametrize("documents", [30, 300, 3_000])
def test_calibration_never_reverses_the_order_of_documents(documents: int) -> None:
    found = MULTI.calibrate(*skewed(documents))
    grid = np.repeat(np.linspace(0, 1, 501, dtype=np.float32)[:, None], 2, axis=1)
    assert (np.diff(calibration.apply(found, grid), axis=0) >= 0).all()


def test_isotonic_maps_are_for_labels_with_data_enough() -> None:
    assert MULTI.calibrate(*skewed(300))["isotonic"] == [None, None]
    assert all(MULTI.calibrate(*skewed(3_000))["isotonic"])


@pytest.mark.parametrize(
    ("documents", "positives", "mapped"),
    [(1_000, 100, True), (999, 100, False), (1_000, 99, False), (1_000, 900, True), (1_000, 901, False)],
)
def test_an_isotonic_map_needs_a_thousand_documents_and_a_hundred_of_each_answer(
    documents: int, positives: int, mapped: bool
) -> None:
    scores, targets = np.linspace(1, 0, documents, dtype=np.float32)[:, None], np.zeros((documents, 1))
    targets[:positives] = 1
    found = MULTI.calibrate(scores, targets.astype(np.float32))["isotonic"]
    assert (found[0] is not None) is mapped


def test_a_label_without_positives_is_not_driven_away() -> None:
    scores = np.full((50, 1), 0.2, np.float32)
    found = MULTI.calibrate(scores, np.zeros((50, 1), np.float32))
    assert np.isfinite(found["shifts"]).all()
    assert 0 < calibration.apply(found, scores)[0, 0] < 0.2


def test_it_survives_being_stored() -> None:
    scores, targets = skewed(3_000)
    found = MULTI.calibrate(scores, targets)
    again = json.loads(json.dumps(found))
    np.testing.assert_array_equal(calibration.apply(again, scores), calibration.apply(found, scores))


def test_no_documents_calibrate_nothing() -> None:
    nothing = np.zeros((0, 2), np.float32)
    assert MULTI.calibrate(nothing, nothing) == calibration.IDENTITY
    assert calibration.expected_calibration_error(MULTI, nothing, nothing) is None


def test_bins_count_every_score_once() -> None:
    scores, targets = skewed(500)
    assert sum(bar.count for bar in calibration.reliability(MULTI, scores, targets)) == 1_000


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(ValueError, match="magic"):
        calibration.apply({"method": "magic"}, np.ones((1, 1), np.float32))
