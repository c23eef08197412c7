"""One's own account: its sessions, and the time zone of its pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import OpenSession, User
from annotate.services.people import sessions
from annotate.services.upkeep import rows

pytestmark = pytest.mark.one_database

PASSWORD = "correct horse battery"


def enter(name: str, device: str) -> Client:
    client = Client(headers={"user-agent": device})
    client.post(reverse("login"), {"username": name, "password": PASSWORD})
    return client


@pytest.fixture(autouse=True)
def _nothing_was_noted() -> None:
    sessions._noted.clear()


def test_a_person_sees_where_they_are_logged_in_and_ends_it(annotator: User, lead: User) -> None:
    here, phone, other = enter("anton", "Firefox"), enter("anton", "Phone"), enter("lena", "Chrome")
    page = here.get(reverse("account")).content.decode()
    assert "Firefox" in page
    assert "Phone" in page
    assert "Chrome" not in page
    of_phone = OpenSession.objects.get(device="Phone")
    assert other.post(reverse("account-session-end", args=[of_phone.pk])).status_code == 404
    assert phone.get(reverse("account")).status_code == 200
    here.post(reverse("account-session-end", args=[of_phone.pk]))
    assert phone.get(reverse("account")).status_code == 302
    assert here.post(reverse("account-session-end", args=[of_phone.pk])).status_code == 404


def test_nobody_ends_the_session_that_they_are_in(annotator: User) -> None:
    here = enter("anton", "Firefox")
    here.post(reverse("account-session-end", args=[OpenSession.objects.get().pk]))
    assert here.get(reverse("account")).status_code == 200


def test_all_other_sessions_end_together(annotator: User) -> None:
    here, *others = (enter("anton", f"Browser {i}") for i in range(3))
    here.post(reverse("account-sessions-end"))
    assert here.get(reverse("account")).status_code == 200
    assert {other.get(reverse("account")).status_code for other in others} == {302}


def test_a_logout_and_a_new_password_take_sessions_from_the_list(annotator: User) -> None:
    here, other = enter("anton", "Firefox"), enter("anton", "Phone")
    other.post(reverse("logout"))
    assert [one.device for one in sessions.open_of(annotator)] == ["Firefox"]
    enter("anton", "Old one")
    new = {"old_password": PASSWORD, "new_password1": "a new long one", "new_password2": "a new long one"}
    here.post(reverse("account-password"), new)
    here.get(reverse("account"))
    assert [one.device for one in sessions.open_of(annotator)] == ["Firefox"]


def test_when_a_session_was_seen_is_written_once_in_some_minutes(annotator: User) -> None:
    here = enter("anton", "Firefox")
    OpenSession.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    here.get(reverse("account"))
    (row,) = OpenSession.objects.all()
    assert row.seen_at < timezone.now() - timedelta(minutes=59)
    sessions._noted.clear()
    here.get(reverse("account"))
    row.refresh_from_db()
    assert row.seen_at > timezone.now() - timedelta(minutes=1)


def test_what_was_noted_of_a_session_goes_with_it(annotator: User) -> None:
    enter("anton", "Firefox")
    OpenSession.objects.create(user=annotator, session_key="gone")
    rows.sessions(0)
    assert [row.device for row in OpenSession.objects.all()] == ["Firefox"]


def test_dates_are_shown_in_a_persons_own_time_zone(lead: User, sign_in: Callable[[User], Client]) -> None:
    browser, where = sign_in(lead), reverse("account")
    OpenSession.objects.update(began_at=datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    assert "07/01/2026 11:30 p.m." in browser.get(where).content.decode()
    assert browser.post(where, {"time_zone": "Asia/Tokyo"}).status_code == 302
    assert "07/02/2026 8:30 a.m." in browser.get(where).content.decode()
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "x" * 100])
def test_a_time_zone_that_is_none_is_refused(
    zone: str, lead: User, sign_in: Callable[[User], Client]
) -> None:
    browser = sign_in(lead)
    assert browser.post(reverse("account"), {"time_zone": zone}).status_code == 422
    User.objects.update(time_zone=zone[:64])  # as after an update of the machine's database of zones
    assert browser.get(reverse("account")).status_code == 200
