"""The moving average of weights: how it starts, how far back it reaches, and that it is what is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.training.conftest import make_dataset
from tests.training.families.tuning import Params, tuned
from training.families.shared.state import Average
from training.tasks import SINGLE


class Weight(torch.nn.Module):
    """A network of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, 1, bias=False)

    def set(self, value: float) -> Any:
        torch.nn.init.constant_(self.head.weight, value)
        return self

    def value(self) -> float:
        return float(self.head.weight.detach())


def average_of(values: list[float]) -> float:
    average, weight = Average(0.05, 3.0), Weight()
    for value in values:
        average.add(weight.set(value))
    return float(average.weights["head.weight"])


def test_a_path_that_stands_still_is_its_own_average() -> None:
    assert average_of([3.0] * 50) == pytest.approx(3.0)


def test_the_first_weights_are_soon_forgotten() -> None:
    assert average_of([1.0]) == 1.0
    assert average_of([1.0] + [0.0] * 9) < 0.01


def test_a_long_path_is_averaged_with_a_fixed_share() -> None:
    before, after = average_of([float(i) for i in range(300)]), average_of([float(i) for i in range(301)])
    assert after == pytest.approx(before + 0.05 * (300 - before), rel=1e-4)
    assert 300 - after == pytest.approx(19, abs=0.5)  # additions that it lags behind: 0.95 / 0.05


def test_a_network_gets_its_own_weights_back_whatever_happens() -> None:
    average, weight = Average(0.05, 3.0), Weight()
    average.add(weight.set(1.0))
    weight.set(2.0)

    def interrupted() -> None:
        with average.worn_by(weight):
            assert weight.value() == 1.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert weight.value() == 2.0
    assert float(average.weights["head.weight"]) == 1.0


def test_the_average_is_kept_and_not_the_last_weights(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Average, torch.Tensor]] = []
    real = Average.add

    def add(self: Average, network: Any) -> None:
        real(self, network)
        seen.append((self, network.head.weight.detach().clone()))

    monkeypatch.setattr(Average, "add", add)
    model = tuned(make_dataset(SINGLE, 90), params)
    average, last = seen[-1]
    assert average.added == len(seen) == 8  # of 18 steps each fifth and the last of each epoch: 3, 5, 6, …
    kept = model.network_.head.weight
    torch.testing.assert_close(kept, average.weights["head.weight"], rtol=0, atol=0)
    assert not torch.allclose(kept, last)
