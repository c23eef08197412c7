from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Import, Project, TrainingRun, User
from annotate.models.work import MOST_ATTEMPTS, Work
from annotate.services.work import lease, workers

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["run", "import"])
def row(request: pytest.FixtureRequest, project: Project) -> Work:
    """Every rule here holds for each kind of row."""
    if request.param == "run":
        return TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    return Import.objects.create(project=project, name="mine.csv", state="queued")


def claimed(row: Work) -> Work:
    found = lease.claim(type(row), row.pk)
    assert found is not None
    return found


def is_free(row: Work) -> bool:
    return lease.claim(type(row), row.pk) is not None


def recovered(row: Work) -> list[Work]:
    return lease.recover(lease.rows_of(type(row)))


def lose(row: Work, *, seconds: float = 30) -> None:
    past = timezone.now() - timedelta(seconds=seconds)
    lease.rows_of(type(row)).update(lease_expires_at=past, woken_at=past)


def test_one_worker_has_a_row(row: Work) -> None:
    assert is_free(row)
    assert not is_free(row)


def test_a_row_that_is_over_is_not_claimed(row: Work) -> None:
    assert lease.succeed(row=claimed(row))
    assert not is_free(row)
    assert recovered(row) == []


def test_who_lost_its_lease_holds_an_old_token_and_cannot_write(row: Work) -> None:
    old = claimed(row)
    lose(row)
    new = claimed(row)
    assert new.token == old.token + 1
    assert not lease.beat(row=old, stage="fit", progress=0.9)
    assert not lease.succeed(row=old)
    assert not lease.fail(row=old, error="Too late.")
    assert not lease.give_way(row=old)
    lease.give_back(row=old)
    lease.retry_or_fail(row=old, error="Too late.")
    row.refresh_from_db()
    assert (row.state, row.token, row.stage, row.error) == ("running", new.token, "", "")
    assert lease.beat(row=new, stage="fit", progress=0.5)
    assert lease.succeed(row=new)
    row.refresh_from_db()
    assert (row.state, row.progress, row.stage, row.worker) == ("succeeded", 1.0, "", "")
    assert row.finished_at is not None


def test_a_heartbeat_extends_the_lease(row: Work, settings: pytest.FixtureRequest) -> None:
    mine = claimed(row)
    lose(row, seconds=1)
    assert lease.beat(row=mine)
    assert not is_free(row)
    row.refresh_from_db()
    assert row.lease_expires_at is not None
    left = (row.lease_expires_at - timezone.now()).total_seconds()
    assert left == pytest.approx(settings.RUN_LEASE_SECONDS, abs=2)  # type: ignore[attr-defined]


def test_a_row_that_an_older_site_left_running_without_a_lease_is_taken_up(row: Work) -> None:
    lease.rows_of(type(row)).update(state="running", lease_expires_at=None, woken_at=None)
    assert recovered(row) == [row]
    assert is_free(row)


def test_a_lost_row_wakes_a_worker_again_but_not_at_once(row: Work) -> None:
    assert recovered(row) == [row]
    assert recovered(row) == []
    woken_at = timezone.now() - timedelta(seconds=lease.WAKE_SECONDS - 1)
    lease.rows_of(type(row)).update(woken_at=woken_at)
    assert recovered(row) == []
    lease.rows_of(type(row)).update(woken_at=woken_at - timedelta(seconds=2))
    assert recovered(row) == [row]
    claimed(row)
    lease.rows_of(type(row)).update(woken_at=None)
    assert recovered(row) == []
    lose(row)
    assert recovered(row) == [row]


def test_a_row_whose_worker_is_killed_three_times_fails_with_a_sentence(row: Work) -> None:
    for _ in range(MOST_ATTEMPTS):
        claimed(row)
        lose(row)
    assert not is_free(row)
    assert recovered(row) == []
    row.refresh_from_db()
    assert (row.state, row.attempt) == ("failed", 3)
    assert "killed three times" in row.error
    assert row.finished_at is not None


def test_an_error_is_told_and_tried_again_until_the_third_attempt(row: Work) -> None:
    for attempt in range(1, MOST_ATTEMPTS + 1):
        mine = claimed(row)
        assert mine.attempt == attempt
        lease.retry_or_fail(row=mine, error=f"Error {attempt}.")
        row.refresh_from_db()
        assert row.error == f"Error {attempt}."
        assert row.state == ("failed" if attempt == MOST_ATTEMPTS else "queued")
        assert recovered(row) == []  # a worker is woken again some seconds later, not at once


def test_to_be_told_to_stop_is_no_attempt(row: Work) -> None:
    for _ in range(MOST_ATTEMPTS + 1):
        lease.give_back(row=claimed(row))
        assert recovered(row) == [row]
    row.refresh_from_db()
    assert (row.state, row.attempt, row.token) == ("queued", 0, MOST_ATTEMPTS + 1)


def test_a_finished_part_is_no_attempt_and_takes_earlier_ones_back(row: Work) -> None:
    lease.retry_or_fail(row=claimed(row), error="Once.")
    for _ in range(MOST_ATTEMPTS + 1):
        assert lease.give_way(row=claimed(row))
        row.refresh_from_db()
        assert (row.state, row.attempt, row.error) == ("queued", 0, "")
    assert recovered(row) == []  # whoever gives way wakes a worker itself


def test_a_worker_that_will_be_killed_is_pardoned_once(row: Work) -> None:
    lease.retry_or_fail(row=claimed(row), error="Once.")
    mine = claimed(row)
    assert lease.pardon(type(row)) == 1
    assert lease.pardon(type(row)) == 0
    row.refresh_from_db()
    assert (row.state, row.attempt) == ("running", 1)
    assert lease.beat(row=mine)  # what it can still finish counts
    lose(row)
    assert claimed(row).attempt == 2


def test_a_pardon_is_for_the_rows_of_this_worker_alone(row: Work) -> None:
    """Two workers may be forked from one process that has read all modules."""
    claimed(row)
    workers.begin()
    assert lease.pardon(type(row)) == 0


def test_to_give_back_after_a_pardon_takes_one_attempt_back_and_not_two(row: Work) -> None:
    lease.retry_or_fail(row=claimed(row), error="Once.")
    mine = claimed(row)
    lease.pardon(type(row))
    lease.give_back(row=mine)
    row.refresh_from_db()
    assert (row.state, row.attempt) == ("queued", 1)


def test_a_cancelled_row_ends_at_the_next_step_and_says_who_did_it(row: Work, lead: User) -> None:
    mine = claimed(row)
    assert lease.cancel(row=row, by=lead)
    assert not lease.beat(row=mine)
    assert not lease.succeed(row=mine)
    assert not lease.cancel(row=row)
    row.refresh_from_db()
    assert (row.state, row.cancelled_by) == ("cancelled", lead)
    assert mine.is_live
    assert not row.is_live
    assert recovered(row) == []
