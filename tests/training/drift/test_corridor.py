from __future__ import annotations

import numpy as np
import pytest

from training.drift.corridor import FEWEST_WINDOWS, MixCorridor, dispersion_of, g_of, limit_of

NONE = np.zeros((0, 3), np.int64)
REFERENCE = np.array([1_000, 600, 400])
MIX = REFERENCE / REFERENCE.sum()


def varying(windows: int, size: int, seed: int = 0, concentration: float = 50.0) -> np.ndarray:
    """Return windows whose mix is another each time."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(size, rng.dirichlet(concentration * MIX, windows))


def steady(windows: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(size, MIX, windows)


def corridor(history: np.ndarray, size: int = 500) -> MixCorridor:
    return MixCorridor.fit(REFERENCE, history, size, np.random.default_rng(1))


def test_g_is_twice_the_size_times_the_divergence() -> None:
    window = np.array([50, 30, 20])
    expected = 2 * (50 * np.log(0.5 / 0.25) + 30 * np.log(0.3 / 0.25) + 20 * np.log(0.2 / 0.5))
    assert g_of(window, np.array([0.25, 0.25, 0.5])) == pytest.approx(expected)


def test_a_class_that_is_not_there_adds_nothing_to_g() -> None:
    assert g_of(np.array([0, 100]), np.array([0.5, 0.5])) == pytest.approx(200 * np.log(2))


def test_kl_is_g_over_twice_the_size() -> None:
    reading = corridor(steady(10, 500)).read(np.array([100, 200, 200]))
    assert reading.kl == pytest.approx(reading.g / 1_000)


@pytest.mark.parametrize("window", [(0, 0, 0), (1, 0, 0), (0, 0, 5), (0, 5, 0)])
@pytest.mark.parametrize("reference", [(0, 0, 0), (1, 0, 0), (5, 0, 0), (900, 100, 0)])
def test_nothing_is_infinite_however_few_texts_there_are(
    window: tuple[int, ...], reference: tuple[int, ...]
) -> None:
    counts = np.array(window)
    fitted = MixCorridor.fit(np.array(reference), NONE, int(counts.sum()), np.random.default_rng(0))
    reading = fitted.read(counts)
    assert np.isfinite([reading.g, reading.limit, reading.kl, reading.js, reading.psi]).all()


def test_an_empty_window_raises_no_alarm() -> None:
    reading = corridor(steady(10, 500), size=0).read(np.zeros(3, np.int64))
    assert (reading.g, reading.is_alarm, reading.moved) == (0.0, False, ())


def test_a_steady_traffic_seldom_alarms_and_a_shift_does() -> None:
    fitted = corridor(steady(10, 500))
    assert (g_of(steady(400, 500, seed=2), fitted.shares) > fitted.limit).mean() < 0.02
    assert fitted.read(np.array([200, 150, 150])).is_alarm


def test_a_traffic_that_always_varied_may_vary() -> None:
    window = varying(400, 500, seed=2)
    wide, narrow = corridor(varying(20, 500)), corridor(steady(20, 500))
    assert (g_of(window, wide.shares) > wide.limit).mean() < 0.02
    assert (g_of(window, narrow.shares) > narrow.limit).mean() > 0.5
    assert wide.dispersion > 5
    assert narrow.dispersion < 2


def test_windows_of_another_size_tell_the_dispersion_as_well() -> None:
    small, same = corridor(varying(60, 100), size=1_000), corridor(varying(60, 1_000), size=1_000)
    assert small.dispersion == pytest.approx(same.dispersion, rel=0.4)


def test_dispersion_grows_with_the_texts_of_a_window() -> None:
    sizes = np.array([101, 101])
    assert dispersion_of(np.array([2.0, 4.0]), sizes, 101) == pytest.approx(3.0)
    assert dispersion_of(np.array([2.0, 4.0]), sizes, 201) == pytest.approx(5.0)
    assert dispersion_of(np.array([2.0, 4.0]), sizes, 1) == 1.0


def test_without_history_a_large_spread_is_assumed() -> None:
    drawn = np.random.default_rng(0).standard_normal(1_000) ** 2
    limits = [
        limit_of(drawn, 1.0, windows, 500, np.random.default_rng(0))
        for windows in (0, FEWEST_WINDOWS - 1, 50)
    ]
    assert limits[0] == limits[1] > 2 * limits[2]


def test_the_fewer_windows_tell_the_spread_the_wider_is_the_corridor() -> None:
    drawn = np.random.default_rng(0).standard_normal(1_000) ** 2
    limits = [limit_of(drawn, 4.0, windows, 500, np.random.default_rng(0)) for windows in (5, 10, 100)]
    assert limits[0] > limits[1] > limits[2] > 3.5 * np.quantile(drawn, 0.995)


def test_a_history_that_varied_less_than_chance_does_not_narrow_the_corridor() -> None:
    drawn = np.random.default_rng(0).standard_normal(1_000) ** 2
    assert limit_of(drawn, 0.1, 30, 500, np.random.default_rng(0)) == np.quantile(drawn, 0.995)


def test_a_reading_names_the_classes_that_moved_most_with_both_shares() -> None:
    reading = corridor(steady(10, 500)).read(np.array([220, 110, 170]))
    first, second = reading.moved[:2]
    assert (first.column, second.column) == (2, 1)
    assert first.before == pytest.approx(0.2, abs=0.01)
    assert (first.now, second.now) == (0.34, 0.22)
    assert sum(moved.part for moved in reading.moved) == pytest.approx(reading.g)


def test_shown_distances_of_the_same_mix_are_near_zero_and_of_another_are_not() -> None:
    fitted = corridor(steady(10, 500))
    same, other = fitted.read(np.array([250, 150, 100])), fitted.read(np.array([50, 150, 300]))
    assert max(same.kl, same.js, same.psi) < 0.001
    assert 0.05 < other.js < np.log(2)
    assert min(other.kl, other.psi) > 0.2


def test_the_same_seed_gives_the_same_limit() -> None:
    assert corridor(steady(10, 500)).limit == corridor(steady(10, 500)).limit


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("windows", [0, 3, 10])
def test_a_project_of_one_class_never_alarms(windows: int) -> None:
    history = np.full((windows, 1), 50)
    reading = MixCorridor.fit(np.array([10]), history, 40, np.random.default_rng(0)).read(np.array([40]))
    assert (reading.g, reading.limit, reading.is_alarm) == (0.0, 0.0, False)
