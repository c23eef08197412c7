"""Biases and confidences: learned where there is enough to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from training.spans import SpanDataset, WordScores
from training.tagging.answers import IDENTITY, USUAL_BIAS, Decoder, calibrated, fit_platt, tune
from training.tagging.signs import signs
from training.tasks import SPAN
from training.types import LabelSpec, Schema, Span

PLACES = [(0, 1), (2, 3)]


def said(*nothing: float) -> WordScores:
    """Words whose chance of being in no span is given; the rest goes to a beginning."""
    logs = np.log(np.array([[share, 1 - share - 1e-6, 1e-6] for share in nothing]))
    return WordScores(PLACES[: len(nothing)], logs)


def test_few_spans_tune_no_bias() -> None:
    assert tune(("a",), [said(0.6, 0.9)] * 50, [(Span(0, 1, "a"),)] * 50).tolist() == [USUAL_BIAS]


def test_a_bias_goes_to_where_spans_are_found_and_only_part_of_the_way() -> None:
    gold = [(Span(0, 1, "a"),)] * 1_000
    low = tune(("a",), [said(0.4, 0.45)] * 1_000, gold)  # the second word is none
    high = tune(("a",), [said(0.9, 0.99)] * 1_000, gold)
    assert low[0] < USUAL_BIAS < high[0]


def test_a_decoder_is_tuned_anew_by_texts_with_enough_spans_alone() -> None:
    decoder = Decoder(("a",), np.array([0.25], np.float32), IDENTITY)
    schema = Schema(SPAN, (LabelSpec("a", "a"),))
    for texts, moves in ((99, False), (1_000, True)):
        gold = ((Span(0, 1, "a"),),) * texts
        anew = decoder.tuned_anew([said(0.9, 0.99)] * texts, SpanDataset(schema, ("a b",) * texts, gold))
        assert bool(anew.bias[0] > 1.0) == moves
        assert anew.calibration == IDENTITY


def test_confidences_become_the_share_that_is_right() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.5, 1.0, 4_000)
    right = rng.uniform(size=4_000) < scores - 0.3
    learned = fit_platt(scores, right)
    assert calibrated(learned, scores).mean() == pytest.approx(right.mean(), abs=0.01)
    assert (np.diff(calibrated(learned, np.sort(scores))) >= 0).all()
    assert fit_platt(scores[:0], right[:0]) == IDENTITY


def test_few_spans_make_no_certainty_and_a_turned_order_makes_one_score() -> None:
    sure = calibrated(fit_platt(np.array([0.9]), np.array([True])), np.array([0.9]))
    assert 0.3 < sure[0] < 0.97
    turned = fit_platt(np.linspace(0.01, 0.99, 200), np.arange(200) < 100)
    assert len(set(calibrated(turned, np.array([0.1, 0.9])).round(6))) == 1
    with pytest.raises(ValueError, match="unknown"):
        calibrated({"method": "other"}, np.array([0.5]))


def test_each_span_of_an_answer_has_its_score() -> None:
    (answer, nothing) = Decoder(("a",), np.zeros(1, np.float32), IDENTITY).answers(
        [said(0.2, 0.1), said(0.9)]
    )
    assert answer.spans == (Span(0, 1, "a"), Span(2, 3, "a"))
    assert [round(float(score or 0), 3) for _label, score in answer.scores] == [0.8, 0.9]
    assert (nothing.spans, nothing.scores) == ((), ())


def test_signs_are_of_the_least_sure_word_of_all_words_and_of_the_best_tags() -> None:
    found = signs([said(0.6, 0.9), WordScores([], np.zeros((0, 3)))])
    np.testing.assert_allclose(found[0], [0.2, 0.25, np.log([0.6, 0.9]).mean()], atol=1e-4)
    assert found[1].tolist() == [1.0, 0.0, 0.0]


def test_scores_that_are_all_near_one_are_calibrated_to_the_share_that_is_right() -> None:
    right = np.arange(60) % 10 < 7
    for scores in (np.full(60, 1 - 1e-9), np.full(60, 0.999), np.where(right, 0.9999, 0.99)):
        told = calibrated(fit_platt(scores, right), scores)
        assert told.mean() == pytest.approx(0.7, abs=0.03)
