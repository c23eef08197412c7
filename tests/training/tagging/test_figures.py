"""Figures of spans, held against values that were worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.tagging.figures import calibration_error, entity_f1, evaluate_spans, paired_loss
from training.types import Span

TRUE = [(Span(0, 4, "a"), Span(5, 9, "b")), (Span(0, 4, "a"),), (), (Span(2, 8, "b"),)]
GIVEN = [(Span(0, 4, "a"), Span(5, 9, "a")), (Span(0, 3, "a"),), (Span(1, 2, "b"),), ()]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_span_is_right_where_both_ends_and_the_label_are() -> None:
    """By hand, as seqeval counts: one hit among four given and four true."""
    found = evaluate_spans(["a", "b"], TRUE * 5, GIVEN * 5, rng())
    assert (found.documents, found.support) == (20, 20)
    assert found.precision == found.recall == found.f1 == pytest.approx(1 / 4)
    of_a, of_b = found.per_type
    assert (of_a.support, of_a.given, of_a.hits, of_a.f1) == (10, 15, 5, pytest.approx(0.4))
    assert (of_b.support, of_b.given, of_b.f1) == (10, 5, 0.0)
    assert found.macro_f1 == pytest.approx(0.2)


def test_a_span_that_shares_characters_with_one_of_its_label_counts_half() -> None:
    assert evaluate_spans(["a", "b"], TRUE * 5, GIVEN * 5, rng()).partial_f1 == pytest.approx(1.5 / 4)


def test_confusions_tell_labels_apart_and_what_is_missed_and_made_up() -> None:
    found = evaluate_spans(["a", "b"], TRUE, GIVEN, rng()).confusions
    assert set(found) == {("b", "a", 1), ("b", "", 1), ("", "b", 1)}


def test_too_few_texts_have_counts_and_no_figures() -> None:
    found = evaluate_spans(["a", "b"], TRUE, GIVEN, rng())
    assert (found.f1, found.macro_f1, found.partial_f1) == (None, None, None)
    assert [report.hits for report in found.per_type] == [1, 0]


def test_an_interval_holds_its_figure_and_is_no_single_point_where_all_is_right() -> None:
    found = evaluate_spans(["a", "b"], TRUE * 5, TRUE * 5, rng())
    assert found.f1 == 1.0
    assert found.f1_low is not None
    assert 0.7 < found.f1_low < 1.0
    assert found.f1_high == 1.0
    wrong = evaluate_spans(["a", "b"], TRUE * 5, [()] * 20, rng())
    assert (wrong.f1, wrong.f1_low) == (0.0, 0.0)
    assert wrong.f1_high is not None
    assert wrong.f1_high > 0


def test_no_text_and_no_span_are_no_error() -> None:
    assert evaluate_spans(["a"], [], [], rng()).f1 is None
    assert evaluate_spans(["a"], [()] * 20, [()] * 20, rng()).f1 == 0.0
    assert entity_f1([], []) == 0.0


def test_the_paired_loss_is_of_the_same_texts() -> None:
    loss, error = paired_loss(TRUE * 5, TRUE * 5, GIVEN * 5, rng())
    assert loss == pytest.approx(0.75)
    assert error > 0
    assert paired_loss(TRUE, GIVEN, GIVEN, rng()) == (0.0, 0.0)


def test_scores_are_as_wrong_as_their_bins() -> None:
    scores, right = np.array([0.95, 0.95, 0.15]), np.array([True, False, False])
    assert calibration_error(scores, right) == pytest.approx((2 * 0.45 + 0.15) / 3)
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) is None
