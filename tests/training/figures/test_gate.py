from __future__ import annotations

import pytest

from training.figures.gate import RULE, tries_before


def passes(difference: float, error: float, *, refused: int = 0, learned_more: bool = True) -> bool:
    risk = RULE.risk_of_loss(difference, error, has_learned_as_much=learned_more)
    return risk <= RULE.allowed_risk(refused)


def test_a_loss_whose_interval_just_reaches_zero_is_no_proof_of_being_as_good() -> None:
    error = 0.056 / 1.96  # of -0.046 (-0.102 to +0.010)
    assert not passes(-0.046, error)
    assert not passes(-0.046, error, learned_more=False)


@pytest.mark.parametrize("error", [0.005, 0.02, 0.04, 0.1])
def test_a_model_that_seems_equal_and_has_learned_as_much_is_published_on_few_documents_as_on_many(
    error: float,
) -> None:
    assert passes(0.0, error)


def test_the_documents_overrule_what_was_known_beforehand() -> None:
    assert passes(-0.05, 0.1)
    assert not passes(-0.05, 0.02)
    assert not passes(-0.035, 0.001)
    assert passes(-0.025, 0.001)


def test_a_row_of_refused_tries_shares_one_risk() -> None:
    assert [RULE.allowed_risk(refused) for refused in (0, 1, 4)] == pytest.approx([0.05, 0.025, 0.01])
    assert passes(-0.02, 0.025)
    assert not passes(-0.02, 0.025, refused=3)


@pytest.mark.parametrize("error", [0.06, 0.1, 0.15])
def test_a_large_measured_loss_is_refused_on_few_documents_too(error: float) -> None:
    assert not passes(-0.19, error)


@pytest.mark.parametrize(
    ("labelled", "worse", "tries"),
    [
        (100, [], 0),
        (105, [100], 0),  # of nearly the same labels
        (110, [100], 1),
        (115, [100, 105, 109], 1),
        (125, [100, 105, 111, 115], 2),
        (300, [205, 210, 215, 226, 240, 250, 275], 3),
        (90, [100], 1),  # labels were taken away
        (0, [0, 0], 0),
    ],
)
def test_versions_of_nearly_the_same_labels_are_one_try(labelled: int, worse: list[int], tries: int) -> None:
    assert tries_before(labelled, worse) == tries
