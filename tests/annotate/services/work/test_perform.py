"""What becomes of a row for each way in which its work can end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.utils import timezone

from annotate.models import Project, TrainingRun
from annotate.services.work import lease, perform
from annotate.services.work.progress import Superseded

pytestmark = pytest.mark.django_db(transaction=True)


class Refused(Exception):
    pass


@pytest.fixture
def run(project: Project) -> TrainingRun:
    return TrainingRun.objects.create(project=project, family="tfidf", reason="lead")


def raising(error: BaseException) -> Callable[[TrainingRun], str]:
    def work(run: TrainingRun) -> str:
        raise error

    return work


def done(run: TrainingRun, work: Callable[[TrainingRun], str]) -> str | None:
    found = perform.perform(TrainingRun, run.pk, work, refusals=(Refused,))
    run.refresh_from_db()
    return found


def test_work_that_is_done_ends_the_row_and_gives_what_came_of_it(run: TrainingRun) -> None:
    assert done(run, lambda row: f"{row.pk} in attempt {row.attempt}") == f"{run.pk} in attempt 1"
    assert (run.state, run.error) == ("succeeded", "")
    assert done(run, lambda row: "again") is None


def test_a_row_that_another_worker_has_is_left_alone(run: TrainingRun) -> None:
    lease.claim(TrainingRun, run.pk)
    assert done(run, raising(AssertionError())) is None
    assert (run.state, run.error) == ("running", "")


def test_a_refusal_is_told_as_it_is_and_not_tried_again(run: TrainingRun) -> None:
    assert done(run, raising(Refused("There is nothing to learn from."))) is None
    assert (run.state, run.attempt, run.error) == ("failed", 1, "There is nothing to learn from.")


def test_any_other_error_fails_with_its_reason_after_three_attempts(
    run: TrainingRun, caplog: pytest.LogCaptureFixture
) -> None:
    for attempt in (1, 2, 3):
        assert done(run, raising(RecursionError("too deep"))) is None
        assert run.attempt == attempt
        assert run.state == ("failed" if attempt == 3 else "queued")
        assert "RecursionError: too deep" in run.error
        assert "Traceback" not in run.error
    assert len([record for record in caplog.records if record.exc_info]) == 3
    assert done(run, lambda row: "never") is None


def test_an_error_that_went_away_is_forgotten(run: TrainingRun) -> None:
    done(run, raising(OperationalError("the database is away")))
    assert run.error
    assert done(run, lambda row: "done") == "done"
    assert (run.state, run.error) == ("succeeded", "")


@pytest.mark.parametrize("signal", [SystemExit, KeyboardInterrupt])
def test_a_worker_that_is_told_to_stop_gives_its_row_back(
    run: TrainingRun, signal: type[BaseException]
) -> None:
    for _ in range(4):
        with pytest.raises(signal):
            done(run, raising(signal()))
    run.refresh_from_db()
    assert (run.state, run.attempt, run.error) == ("queued", 0, "")


def test_a_row_that_is_no_longer_its_own_is_left_as_it_is(run: TrainingRun) -> None:
    def cancelled(row: TrainingRun) -> str:
        lease.cancel(row=row)
        raise Superseded

    assert done(run, cancelled) is None
    assert (run.state, run.error) == ("cancelled", "")


def test_work_that_was_cancelled_while_it_ended_stays_cancelled(run: TrainingRun) -> None:
    done(run, lambda row: str(lease.cancel(row=row)))
    assert run.state == "cancelled"


def test_the_heartbeat_comes_within_the_lease(run: TrainingRun, settings: pytest.FixtureRequest) -> None:
    """A third of the lease leaves room for one that is missed; the work itself notes nothing meanwhile."""
    settings.RUN_LEASE_SECONDS = 0.9  # type: ignore[attr-defined]
    left: list[float] = []

    def long(row: TrainingRun) -> str:
        for _ in range(20):
            time.sleep(0.1)
            expires_at = TrainingRun.objects.values_list("lease_expires_at", flat=True).get()
            assert expires_at is not None
            left.append((expires_at - timezone.now()).total_seconds())
        return "done"

    assert done(run, long) == "done"
    assert min(left) > 0.2


def refused_at_first(
    number: int, monkeypatch: pytest.MonkeyPatch, *, seconds: float
) -> tuple[list[int], Callable[[TrainingRun], str]]:
    """Return the heartbeats so far, and work during which the database refuses the first `number` of them."""
    beats: list[int] = []

    def beat(**given: object) -> bool:
        beats.append(1)
        if len(beats) <= number:
            raise OperationalError("database is locked")
        return True

    def long(row: TrainingRun) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(lease, "beat", beat)
            time.sleep(seconds)
        return "done"

    return beats, long


def test_a_heartbeat_that_the_database_refuses_is_missed_and_not_the_last(
    run: TrainingRun,
    settings: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.RUN_LEASE_SECONDS = 0.3  # type: ignore[attr-defined]
    beats, long = refused_at_first(1, monkeypatch, seconds=0.5)

    with caplog.at_level(logging.WARNING):
        done(run, long)
    assert len(beats) > 1
    assert "was missed: database is locked" in caplog.text


@pytest.mark.parametrize("ending", ["succeed", "fail", "retry_or_fail"])
def test_a_row_is_ended_as_soon_as_the_database_is_back(
    ending: str, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It restarts just as the work ends: the work is neither lost nor done twice."""
    monkeypatch.setattr(lease, "AGAIN_SECONDS", 0.0)
    real, refused = getattr(lease, ending), []

    def away(**given: object) -> object:
        if len(refused) < 3:
            refused.append(ending)
            raise OperationalError("the database system is starting up")
        return real(**given)

    monkeypatch.setattr(lease, ending, away)
    work: dict[str, Callable[[TrainingRun], str]] = {
        "succeed": lambda row: "done",
        "fail": raising(Refused("There is nothing to learn from.")),
        "retry_or_fail": raising(ZeroDivisionError()),
    }
    done(run, work[ending])
    assert len(refused) == 3
    assert run.state == {"succeed": "succeeded", "fail": "failed", "retry_or_fail": "queued"}[ending]


def test_after_a_heartbeat_that_was_refused_the_next_one_comes_at_once(
    run: TrainingRun, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease has room for two heartbeats that are missed, and an outage of some seconds takes more."""
    settings.RUN_LEASE_SECONDS = 3  # type: ignore[attr-defined]
    monkeypatch.setattr(lease, "AGAIN_SECONDS", 0.01)
    beats, long = refused_at_first(20, monkeypatch, seconds=1.8)

    done(run, long)
    assert len(beats) > 20
