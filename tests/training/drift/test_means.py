from __future__ import annotations

import numpy as np
import pytest

from training.drift.means import FEWEST_TEXTS, Moments, Side, read_mean


def normal(windows: int, size: int, *, spread: float = 0.0, seed: int = 0) -> list[Moments]:
    """Return windows of numbers around 0.8, whose means lie apart by `spread`."""
    rng = np.random.default_rng(seed)
    return [Moments.of(rng.normal(0.8 + spread * rng.normal(), 0.1, size)) for _ in range(windows)]


REFERENCE = normal(1, 2_000, seed=99)[0]


def alarms(history: list[Moments], windows: list[Moments], side: Side = Side.BOTH) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean([read_mean(REFERENCE, history, one, rng, side=side).is_alarm for one in windows]))


def test_sums_give_mean_and_variance_and_can_be_added() -> None:
    values = np.array([1.0, 2.0, 6.0, 7.0])
    together = Moments.of(values[:1]) + Moments.of(values[1:])
    assert together == Moments.of(values)
    assert (together.mean, together.variance) == (values.mean(), values.var())
    assert together - Moments.of(values[1:]) == Moments.of(values[:1])


def test_steady_means_seldom_alarm_and_a_moved_one_does() -> None:
    history = normal(10, 500, seed=1)
    assert alarms(history, normal(200, 500, seed=2)) <= 0.02
    moved = Moments.of(np.random.default_rng(3).normal(0.77, 0.1, 500))
    assert alarms(history, [moved]) == 1.0


def test_means_that_always_varied_may_vary() -> None:
    windows = normal(200, 500, spread=0.02, seed=2)
    assert alarms(normal(20, 500, spread=0.02, seed=1), windows) <= 0.02
    assert alarms(normal(20, 500, seed=1), windows) > 0.3


@pytest.mark.parametrize(("side", "low", "high"), [("both", 1, 1), ("below", 1, 0), ("above", 0, 1)])
def test_only_the_side_that_matters_alarms(side: str, low: int, high: int) -> None:
    history = normal(10, 500, seed=1)
    found = [
        alarms(history, [Moments.of(np.random.default_rng(3).normal(mean, 0.1, 500))], Side(side))
        for mean in (0.7, 0.9)
    ]
    assert found == [low, high]


def test_the_corridor_is_where_the_alarm_begins() -> None:
    history = normal(10, 500, seed=1)
    reading = read_mean(REFERENCE, history, normal(1, 500, seed=5)[0], np.random.default_rng(0))
    assert reading.low < reading.now < reading.high
    assert not reading.is_alarm
    assert (reading.now - reading.before) ** 2 / (reading.high - reading.before) ** 2 == pytest.approx(
        reading.statistic / reading.limit
    )


@pytest.mark.parametrize("size", [0, 1, 5, FEWEST_TEXTS - 1])
def test_a_mean_of_few_texts_is_told_and_never_alarms(size: int) -> None:
    window = Moments.of(np.full(size, 0.1))
    reading = read_mean(REFERENCE, normal(10, 500), window, np.random.default_rng(0))
    assert np.isfinite([reading.statistic, reading.limit, reading.low, reading.high]).all()
    assert reading.now == pytest.approx(window.mean)
    assert not reading.is_alarm


def test_numbers_that_never_differed_raise_no_alarm_until_one_does() -> None:
    same = Moments.of(np.full(500, 0.1))
    rng = np.random.default_rng(0)
    assert not read_mean(same, [same] * 10, same, rng).is_alarm
    assert read_mean(same, [same] * 10, Moments.of(np.full(500, 0.2)), rng).is_alarm


def test_without_anything_before_there_is_no_alarm() -> None:
    reading = read_mean(Moments(), [], normal(1, 500)[0], np.random.default_rng(0))
    assert not reading.is_alarm
    assert np.isfinite([reading.statistic, reading.low, reading.high]).all()


@pytest.mark.filterwarnings("error")
def test_one_window_of_history_is_enough_to_be_compared_with() -> None:
    past, now = normal(2, 500)
    reading = read_mean(Moments(), [past], now, np.random.default_rng(0))
    assert reading.before == pytest.approx(past.mean)
    assert 0 < reading.statistic < reading.limit


def test_no_texts_have_no_mean_and_no_variance() -> None:
    assert (Moments().mean, Moments().variance) == (0.0, 0.0)
