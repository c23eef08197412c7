"""The page of drift: what has moved, what was done about it, and what a lead does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Corridor, DriftAlarm, Project, User
from tests.annotate.made.drift import make_alarm, make_window

pytestmark = pytest.mark.django_db
Cast = tuple[Client, Client, Client, Client]


@pytest.fixture
def lead_client(client: Client, lead: User) -> Client:
    client.force_login(lead)
    return client


def page(client: Client, project: Project) -> str:
    return client.get(reverse("drift", args=[project.slug])).content.decode()


def test_before_the_first_window_it_says_how_many_texts_are_counted(
    lead_client: Client, project: Project
) -> None:
    shown = page(lead_client, project)
    assert "No window is full yet." in shown
    assert "The next window has 0 of 500 texts so far." in shown


def test_an_alarm_says_what_moved_and_what_is_in_the_queue(lead_client: Client, project: Project) -> None:
    make_alarm(project)
    shown = page(lead_client, project)
    assert "10 → 70 %" in shown
    assert "50 texts that are unlike all labelled ones are in front of the queue." in shown
    assert "This is usual from now on" in shown


def test_each_reading_outside_is_told_in_words(lead_client: Client, project: Project) -> None:
    reading = {"low": 0.0, "high": 1.0, "is_outside": True}
    readings = {
        "similarity": {"before": 0.61, "now": 0.42} | reading,
        "unknown_words": {"before": 0.04, "now": 0.31} | reading,
        "confidence": {"before": 0.9, "now": 0.6} | reading,
        "characters": {"before": 90.0, "now": 400.0} | reading,
    }
    make_window(project, readings=readings)
    shown = page(lead_client, project)
    assert "mean likeness 0.61 → 0.42" in shown
    assert "More words that no labelled text has: 4 → 31 %." in shown
    assert "90 → 60 %" in shown
    assert "90 → 400 characters" in shown


def test_a_window_without_a_verdict_is_told_as_learned(lead_client: Client, project: Project) -> None:
    unjudged = {"distance": None, "limit": None, "kl": None, "js": None, "psi": None, "moved": []}
    make_window(project, **unjudged, is_outside=False)
    assert "learned as usual" in page(lead_client, project)


def test_a_lead_sees_it_takes_it_as_usual_and_it_is_over(lead_client: Client, project: Project) -> None:
    alarm = make_alarm(project)
    lead_client.post(reverse("drift-alarm-seen", args=[project.slug, alarm.pk]))
    assert "Seen by" in page(lead_client, project)
    lead_client.post(reverse("drift-alarm-usual", args=[project.slug, alarm.pk]))
    assert DriftAlarm.objects.get().ended_at is not None
    assert "This is usual from now on" not in page(lead_client, project)


def test_an_alarm_of_another_project_is_not_there(
    lead_client: Client, project: Project, multi_project: Project
) -> None:
    alarm = make_alarm(multi_project)
    answer = lead_client.post(reverse("drift-alarm-usual", args=[project.slug, alarm.pk]))
    assert answer.status_code == 404
    assert DriftAlarm.objects.get().ended_at is None


def test_what_was_typed_stays_where_a_setting_is_refused(lead_client: Client, project: Project) -> None:
    sent = {"window": "7", "outside": "2", "rest_hours": "24"}
    answer = lead_client.post(reverse("drift-settings", args=[project.slug]), sent)
    assert answer.status_code == 422
    assert 'value="7"' in answer.content.decode()
    assert not Corridor.objects.exists()


def test_a_reviewer_sees_it_and_changes_nothing(client: Client, project: Project, stranger: User) -> None:
    project.memberships.create(user=stranger, role="reviewer")
    client.force_login(stranger)
    alarm = make_alarm(project)
    assert "How it is watched" not in page(client, project)
    assert client.post(reverse("drift-alarm-usual", args=[project.slug, alarm.pk])).status_code == 404


def test_the_overview_tells_of_an_open_alarm(lead_client: Client, project: Project) -> None:
    alarm = make_alarm(project)
    overview = reverse("project", args=[project.slug])
    assert reverse("drift", args=[project.slug]) + "#alarm" in lead_client.get(overview).content.decode()
    DriftAlarm.objects.update(ended_at=timezone.now() + timedelta(seconds=alarm.pk))
    assert "#alarm" not in lead_client.get(overview).content.decode()


def test_the_file_has_a_name_and_a_row_for_each_window(lead_client: Client, project: Project) -> None:
    make_window(project)
    answer = lead_client.get(reverse("drift-csv", args=[project.slug]))
    assert answer["Content-Disposition"] == 'attachment; filename="colours-drift.csv"'
    assert len(answer.getvalue().decode().splitlines()) == 2  # type: ignore[attr-defined]
