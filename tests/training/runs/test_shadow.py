"""What choosing is worth: an even draw of the pool, and the chosen labels that give what it gives."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.runs.pipeline import rows_of
from training.runs.shadow import PARTS, _crossing, even_draw, shadow
from training.tasks import SINGLE
from training.types import Dataset, IntArray, RunSpec, Task, TrainingError

POOL, HARD = 80, 20


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def labelled(rng: np.random.Generator) -> tuple[IntArray, list[bool]]:
    """Return documents of a pool in the order of their labels: hard ones are chosen, each second is drawn."""
    left, order, is_random = list(range(POOL)), [], []
    for step in range(30):
        drawn = step % 2 == 1
        document = left[int(rng.integers(len(left)))] if drawn else min(left)
        left.remove(document)
        order.append(document)
        is_random.append(drawn)
    return np.array(order), is_random


def test_an_even_draw_has_its_share_of_what_was_chosen_before() -> None:
    shares, bare = [], []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        order, is_random = labelled(rng)
        drawn = order[even_draw(np.array(is_random), POOL, rng)]
        assert len(set(drawn.tolist())) == len(drawn) >= 15
        shares.append((drawn < HARD).mean())
        bare.append((order[is_random] < HARD).mean())
    assert np.mean(shares) == pytest.approx(HARD / POOL, abs=0.02)
    assert np.mean(bare) < 0.2  # so much is missing without


def test_without_a_choice_the_draw_is_what_was_drawn(rng: np.random.Generator) -> None:
    assert even_draw(np.ones(5, bool), 9, rng).tolist() == [0, 1, 2, 3, 4]
    assert even_draw(np.zeros(5, bool), 9, rng).tolist() == []
    assert sorted(even_draw(np.array([False, True]), 2, rng).tolist())[-1] == 1  # the pool is used up


@pytest.mark.parametrize(
    ("values", "goal", "at"),
    [
        ((0.2, 0.4, 0.6), 0.5, 20 * 2**0.5),  # between two sizes by the log
        ((0.2, 0.4, 0.6), 0.6, 40),
        ((0.2, 0.4, 0.6), 0.1, 10),
        ((0.2, 0.4, 0.6), 0.61, np.inf),
        ((0.2, 0.6, 0.4), 0.5, 20),  # a dip is noise: from the second size on it is 0.5
        ((0.6, 0.4, 0.2), 0.39, 10),
        ((0.4, 0.4, 0.4), 0.4, 10),
    ],
)
def test_where_a_curve_reaches_a_goal(values: tuple[float, ...], goal: float, at: float) -> None:
    found = _crossing(np.array([10, 20, 40]), np.array(values)[:, None], np.array([goal]))
    assert found[0] == pytest.approx(at)


def of_topic(data: Dataset, topic: int) -> IntArray:
    return np.flatnonzero(data.targets[:, topic] > 0)


def test_documents_of_all_labels_save_labels_against_a_lopsided_draw(rng: np.random.Generator) -> None:
    """The draw has hardly any document of two of the labels, the chosen ones are of each in turn."""
    data, reporting = make_dataset(SINGLE, 600), make_dataset(SINGLE, 120, seed=9)
    turns = [row for three in zip(*(of_topic(data, j)[:30] for j in range(3)), strict=True) for row in three]
    lopsided = np.concatenate([of_topic(data, 0)[-56:], of_topic(data, 1)[-2:], of_topic(data, 2)[-2:]])
    order = np.concatenate([turns, lopsided])
    told: list[float] = []
    found = shadow(
        RunSpec("tfidf"), rows_of(data, order), np.arange(90, 150),
        tuning=rows_of(data, order[:0]), reporting=reporting, tell=told.append,
    )  # fmt: skip
    assert (found.labels, found.documents, found.tried) == (60, 120, 132)
    assert found.drawn.low <= found.drawn.value <= found.drawn.high < found.chosen.value
    assert found.needed is not None
    assert found.most is not None
    assert found.fewest is not None
    assert found.fewest <= found.needed <= found.most < 60
    assert told == sorted(told)
    assert len(told) == 1 + PARTS + 10


def test_chosen_documents_that_are_worse_save_nothing(task: Task) -> None:
    data, reporting = make_dataset(task, 600), make_dataset(task, 120, seed=9)
    alike = of_topic(data, 0)[:130]
    order = np.concatenate([[*of_topic(data, 1)[:2], *alike], np.arange(450, 510)])
    order = order[np.sort(np.unique(order, return_index=True)[1])]
    drawn = np.arange(len(order) - 60, len(order))
    halves = {"tuning": make_dataset(task, 60, seed=8), "reporting": reporting}
    found = shadow(RunSpec("tfidf"), rows_of(data, order), drawn, **halves)
    assert found.most is None
    assert found.chosen.value < found.drawn.value


def test_a_draw_of_one_label_is_refused() -> None:
    data = make_dataset(SINGLE, 300)
    halves = {"tuning": rows_of(data, np.arange(0)), "reporting": make_dataset(SINGLE, 30, seed=9)}
    with pytest.raises(TrainingError, match="label"):
        shadow(RunSpec("tfidf"), data, of_topic(data, 0)[:50], **halves)
