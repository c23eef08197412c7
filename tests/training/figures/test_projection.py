from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.figures.projection import (
    MeasuredPoint,
    NoProjection,
    PoolAgreement,
    Projection,
    is_stable,
    pool_agreement,
    project,
    thinned,
)

BENCHMARKS = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"
LABELS = (100, 200, 300, 500, 700, 1_000)


def published() -> list[list[float]]:
    """Return the four curves of BANKING77 that the project publishes, macro-F1 at `LABELS`."""
    table = BENCHMARKS.read_text("utf-8").partition("## Labels saved")[2].partition("\n\nThe first column")[0]
    rows = [re.findall(r"[\d.,]+", line) for line in table.splitlines() if re.match(r"\| [\d,]+ \|", line)]
    assert [int(row[0].replace(",", "")) for row in rows] == list(LABELS)
    return [[float(row[k]) for row in rows] for k in (1, 2, 3, 4)]


def points(
    values: Sequence[float], labels: Sequence[int] = LABELS, wide: float = 0.03
) -> list[MeasuredPoint]:
    return [
        MeasuredPoint(number, value, value - wide, value + wide)
        for number, value in zip(labels, values, strict=False)
    ]


def curve(top: float = 0.9, half: float = 150, steepness: float = 1.0) -> list[float]:
    return [top * n**steepness / (half**steepness + n**steepness) for n in LABELS]


def projected(given: list[MeasuredPoint]) -> Projection:
    found = project(given)
    assert isinstance(found, Projection)
    return found


def test_published_curves_are_foretold_from_their_first_four_points() -> None:
    errors = [projected(points(values[:4])).at(1_000).value - values[5] for values in published()]
    assert np.abs(errors).mean() <= 0.025
    still = [values[3] - values[5] for values in published()]
    assert np.abs(errors).mean() < np.abs(still).mean()


@pytest.mark.parametrize("shape", [(0.9, 150, 1.0), (0.7, 400, 1.6), (1.0, 60, 0.6)])
def test_a_curve_without_noise_is_found(shape: tuple[float, float, float]) -> None:
    found = projected(points(curve(*shape)))
    assert found.at(2_000).value == pytest.approx(shape[0] / (1 + (shape[1] / 2_000) ** shape[2]), abs=0.003)


def test_the_band_is_the_wider_of_the_holdout_and_of_two_curves() -> None:
    narrow, wide = projected(points(curve(), wide=0.001)), projected(points(curve(), wide=0.2))
    log = narrow.start + narrow.slope * np.log(4_000)
    near, far = narrow.at(4_000), wide.at(1_000)
    assert near.high - near.value == pytest.approx(abs(min(log, 1) - near.value))
    assert far.value - far.low == pytest.approx(0.2)


def test_a_band_stays_within_0_and_1() -> None:
    band = projected(points(curve(top=1.0, half=80), wide=0.5)).at(3_000)
    assert (band.high, band.low >= 0) == (1.0, True)


def test_a_curve_is_flat_where_more_labels_bring_less_than_the_holdout_shows() -> None:
    assert projected(points(curve(half=20), wide=0.03)).is_flat
    assert not projected(points(curve(half=2_000), wide=0.03)).is_flat


def test_labels_to_a_goal_are_where_the_curve_reaches_it() -> None:
    found = projected(points(curve(), wide=0.005))
    needed = found.needed(0.8)
    assert needed.labels == pytest.approx(1_200, rel=0.02)
    assert needed.fewest is not None
    assert needed.fewest < 1_200
    assert found.at(needed.labels or 0).value >= 0.8


def test_a_goal_over_the_top_is_never_reached() -> None:
    assert projected(points(curve(), wide=0.005)).needed(0.97).labels is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], NoProjection.FEW_POINTS),
        (points((0.3, 0.4, 0.5)), NoProjection.FEW_POINTS),
        (points((0.3, 0.4, 0.5, 0.6), (100, 200, 200, 200)), NoProjection.FEW_POINTS),
        (points((0.8, 0.8, 0.8, 0.8, 0.8)), NoProjection.NO_RISE),
        (points((0.6, 0.5, 0.45, 0.4)), NoProjection.NO_RISE),
        (points((0.5, 0.6, 0.45, 0.58, 0.46, 0.52)), NoProjection.NO_RISE),
    ],
)
def test_a_curve_that_tells_nothing_has_a_reason_and_no_number(
    given: list[MeasuredPoint], reason: NoProjection
) -> None:
    assert project(given) is reason


def test_a_point_without_labels_or_width_does_no_harm() -> None:
    given = [MeasuredPoint(0, 0.1, 0.1, 0.1), *points(curve(), wide=0.0)]
    assert projected(given).at(1_000).value == pytest.approx(curve()[-1], abs=0.01)


def test_it_goes_on_from_the_most_labels_with_the_interval_of_there() -> None:
    given = [
        *points(curve()[:5], wide=0.05),
        MeasuredPoint(1_000, curve()[5], curve()[5] - 0.02, curve()[5] + 0.02),
    ]
    found = projected(given[::-1])  # in whatever order they come
    assert found.labels == 1_000
    assert found.margin == pytest.approx(0.02)


def test_a_point_counts_the_more_the_narrower_its_interval_is() -> None:
    exact = curve()
    too_high = [*exact[:3], exact[3] + 0.1, *exact[4:]]
    blurred, sharp = (
        [
            MeasuredPoint(number, value, value - wide, value + wide)
            for number, value, wide in zip(LABELS, too_high, widths, strict=True)
        ]
        for widths in ([0.01] * 3 + [0.3] + [0.01] * 2, [0.3] * 3 + [0.01] + [0.3] * 2)
    )
    assert projected(blurred).at(500).value == pytest.approx(exact[3], abs=0.005)
    assert projected(sharp).at(500).value == pytest.approx(too_high[3], abs=0.005)


def test_versions_of_equally_many_labels_are_one_point() -> None:
    given = points(curve())
    last = given[-1]
    two = [replace(last, value=last.value + shift) for shift in (0.05, -0.05)]
    assert projected([*given[:-1], *two]) == projected(given)


def test_dense_points_are_thinned_by_the_log_of_their_labels_and_the_ends_stay() -> None:
    labels = list(range(10, 2_000, 5))
    kept = thinned(labels, most=20)
    assert len(kept) <= 20
    assert (kept[0], kept[-1]) == (0, len(labels) - 1)
    steps = np.diff(np.log([labels[i] for i in kept]))
    assert steps.max() < 0.75
    assert thinned([1, 2, 3], most=20) == [0, 1, 2]
    assert thinned([5] * 30, most=10)[-1] == 29


def one_hot(columns: list[int]) -> np.ndarray:
    return np.eye(3, dtype=bool)[columns]


def test_agreement_is_cohens_kappa_where_one_label_is_right() -> None:
    found = pool_agreement(one_hot([0, 0, 1, 1]), one_hot([0, 0, 1, 0]), exclusive=True)
    assert found == PoolAgreement(0.75, pytest.approx((0.75 - 0.5) / 0.5), 4)


def test_agreement_on_several_labels_counts_each_yes_and_no() -> None:
    one = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], bool)
    other = np.array([[1, 0], [0, 0], [0, 0], [0, 1]], bool)
    found = pool_agreement(one, other, exclusive=False)
    chance = ((0.5 * 0.25 + 0.5 * 0.75) + (0.25 * 0.25 + 0.75 * 0.75)) / 2
    assert (found.share, found.kappa) == (7 / 8, pytest.approx((7 / 8 - chance) / (1 - chance)))


def test_models_that_say_one_thing_of_everything_agree() -> None:
    same = one_hot([1, 1, 1])
    assert pool_agreement(same, same, exclusive=True).kappa == 1.0
    assert pool_agreement(same[:0], same[:0], exclusive=True).documents == 0


def test_labelling_may_stop_after_three_agreements_in_a_row() -> None:
    high, low = PoolAgreement(0.995, 0.995, 9), PoolAgreement(0.97, 0.96, 9)
    assert is_stable([low, high, high, high])
    assert not is_stable([high, high, low])
    assert not is_stable([high, high])
