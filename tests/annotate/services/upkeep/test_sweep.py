"""A sweep as work: it is opened once an hour, and one sweeper that fails stops no other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotate.models import Sweep
from annotate.services.upkeep import sweep
from annotate.services.work import lease, progress

pytestmark = pytest.mark.django_db(transaction=True)
DEPLOYMENT = Path(__file__).resolve().parents[4] / "docs" / "deployment.md"


def fails(untouched: float) -> int:
    raise PermissionError("not yours")


def test_a_sweep_is_due_an_hour_after_the_last_one_was_begun() -> None:
    (row,) = sweep.due()
    assert sweep.due() == []
    Sweep.objects.update(created_at=timezone.now() - timedelta(hours=1, seconds=1))
    assert sweep.due() == []  # it is still waiting
    Sweep.objects.update(state="failed")
    (again,) = sweep.due()
    assert again.pk != row.pk


def test_a_sweep_asks_every_sweeper_and_keeps_what_was_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SWEEPERS", {"some": lambda untouched: 3, "none": lambda untouched: 0})
    (row,) = sweep.due()
    sweep.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.removed) == ("succeeded", {"some": 3})


def test_a_sweeper_that_fails_stops_no_other_and_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweep, "SWEEPERS", {"broken": fails, "some": lambda untouched: 3})
    (row,) = sweep.due()
    for _ in range(3):
        sweep.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.removed) == ("failed", {"some": 3})
    assert "broken" in row.error
    assert "not yours" in caplog.text


def test_a_sweep_that_is_cancelled_stops_before_the_next_sweeper(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[str] = []

    def cancelled_meanwhile(untouched: float) -> int:
        went.append("first")
        lease.cancel(row=Sweep.objects.get())
        return 1

    def another(untouched: float) -> int:
        went.append("second")
        return 1

    monkeypatch.setattr(progress, "NOTED_SECONDS", 0.0)
    monkeypatch.setattr(sweep, "SWEEPERS", {"first": cancelled_meanwhile, "second": another})
    (row,) = sweep.due()
    sweep.run(row.pk)
    row.refresh_from_db()
    assert (went, row.state) == (["first"], "cancelled")


def test_the_documentation_says_of_each_sweeper_what_is_kept() -> None:
    text = DEPLOYMENT.read_text("utf-8")
    told = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert set(sweep.SWEEPERS) <= set(told)
