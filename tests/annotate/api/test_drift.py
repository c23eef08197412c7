"""Drift over the API: windows, alarms, and what a lead says of one."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from annotate.models import Project, User
from tests.annotate.made.drift import make_alarm

DRIFT = "/api/v1/projects/colours/drift"


def test_windows_and_alarms_are_listed(project: Project, reviewer: User, api: Callable[..., Client]) -> None:
    alarm = make_alarm(project)
    client = api(reviewer)
    (window,) = client.get(f"{DRIFT}/windows").json()["results"]
    last = project.labels.get(name="blue").pk
    assert window["moved"][0] == {"label": last, "before": 0.1, "now": 0.7}
    assert (window["id"], window["texts"], window["is_outside"]) == (alarm.window_id, 100, True)
    (found,) = client.get(f"{DRIFT}/alarms").json()["results"]
    assert (found["id"], found["queued"], found["ended_at"]) == (alarm.pk, 50, None)


def test_texts_without_a_label_are_told_as_none(
    project: Project, reviewer: User, api: Callable[..., Client]
) -> None:
    alarm = make_alarm(project)
    alarm.window.moved = [["", 0.0, 0.4]]
    alarm.window.save()
    assert api(reviewer).get(f"{DRIFT}/windows").json()["results"][0]["moved"][0]["label"] is None


def test_a_lead_sees_an_alarm_and_ends_it(project: Project, lead: User, api: Callable[..., Client]) -> None:
    alarm, client = make_alarm(project), api(lead)
    seen = client.post(f"{DRIFT}/alarms/{alarm.pk}/seen").json()
    assert (seen["seen_by"], seen["ended_at"]) == ("lena", None)
    ended = client.post(f"{DRIFT}/alarms/{alarm.pk}/usual").json()
    assert ended["ended_by"] == "lena"
    assert client.post(f"{DRIFT}/alarms/{alarm.pk}/usual").json()["ended_at"] == ended["ended_at"]


def test_an_alarm_of_another_project_is_not_there(
    project: Project, multi_project: Project, lead: User, api: Callable[..., Client]
) -> None:
    alarm = make_alarm(multi_project)
    assert api(lead).post(f"{DRIFT}/alarms/{alarm.pk}/usual").status_code == 404
    assert multi_project.drift_alarms.open() is not None
