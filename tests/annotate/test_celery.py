"""A worker replaces what its last work left behind in its children, and only once no more work comes."""

from __future__ import annotations

from typing import Any

import pytest

from annotate import celery
from annotate.celery import HEAVY, LOOK_SECONDS, REST_SECONDS, Renewal
from annotate.tasks import tick, work


class Pool:
    """Two children; a new one gets the next number."""

    def __init__(self) -> None:
        self.pids, self.busy = [1, 2], set[int]()

    @property
    def info(self) -> dict[str, Any]:
        return {"processes": list(self.pids)}

    def shrink(self, n: int) -> None:
        for _ in range(n):
            idle = [pid for pid in self.pids if pid not in self.busy]
            if not idle:
                raise ValueError("All processes busy!")
            self.pids.remove(idle[0])

    def grow(self, n: int) -> None:
        self.pids += [max(self.pids, default=0) + 1 + i for i in range(n)]


class Request:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr(celery.time, "monotonic", lambda: clock[0])
    return clock


def test_the_task_that_loads_much_has_the_name_that_is_looked_for() -> None:
    assert work.name == HEAVY != tick.name


def test_children_stay_while_work_comes_and_are_replaced_after_the_last(now: list[float]) -> None:
    step, pool = Renewal(None), Pool()
    for _ in range(3):
        step._note(Request(HEAVY))
        now[0] += REST_SECONDS - 1
        step.look(pool)
        assert pool.pids == [1, 2]
    now[0] += LOOK_SECONDS
    step.look(pool)
    assert len(pool.pids) == 2
    assert not {1, 2} & set(pool.pids)
    after = list(pool.pids)
    now[0] += 10 * REST_SECONDS
    step.look(pool)
    assert pool.pids == after  # they are as new


def test_ticks_do_not_keep_what_is_loaded(now: list[float]) -> None:
    step, pool = Renewal(None), Pool()
    step.look(pool)
    assert pool.pids == [1, 2]  # nothing was ever done
    step._note(Request(HEAVY))
    now[0] += REST_SECONDS
    step._note(Request(tick.name))
    step.look(pool)
    assert not {1, 2} & set(pool.pids)


def test_a_busy_child_is_let_finish_and_replaced_later(now: list[float]) -> None:
    step, pool = Renewal(None), Pool()
    step._note(Request(HEAVY))
    now[0] += REST_SECONDS
    pool.busy = {2}
    step.look(pool)
    assert 2 in pool.pids
    assert 1 not in pool.pids
    pool.busy = set()
    step.look(pool)
    assert len(pool.pids) == 2
    assert not {1, 2} & set(pool.pids)
