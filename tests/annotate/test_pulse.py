from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import signals
from django.db import OperationalError

from annotate import kinds, pulse
from annotate.models import (
    BulkChange,
    Export,
    Mail,
    Project,
    Removal,
    Restoration,
    Sweep,
    TrainingRun,
    WebhookDelivery,
)
from annotate.models.jobs import JobKind, MailKind
from annotate.services.work import jobs, lease, workers
from tests.annotate.made.webhook_receiver import make_webhook


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What happened at a signal, in its order; stands in for Celery's own handlers."""
    heard: list[str] = []
    before = {number: signal.getsignal(number) for number in pulse.STOPS}
    for number in pulse.STOPS:
        signal.signal(number, lambda number, frame: heard.append(signal.Signals(number).name))
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", pulse.STOPS)
def test_a_worker_that_is_told_to_stop_pardons_its_rows_before_anything_else(
    number: signal.Signals, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "pardon", lambda: heard.append("pardon"))
    pulse.listen_for_stops()
    os.kill(os.getpid(), number)
    assert heard == ["pardon", number.name]


@pytest.mark.django_db
def test_a_pardon_is_for_rows_of_every_kind(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse.connection, "close", lambda: None)  # it is the test's own
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    rows = [run, project.imports.create(name="a.csv", state="queued"), job, Sweep.objects.create()]
    rows.append(Removal.objects.create(project=project))
    rows.append(BulkChange.objects.create(project=project, action="return", state="queued"))
    rows.append(Export.objects.create(project=project, format="csv"))
    rows.append(Restoration.objects.create(name="a.zip"))
    rows.append(Mail.objects.create(kind=MailKind.DRIFT, to="lena@example.org", language="en"))
    rows.append(WebhookDelivery.objects.create(webhook=make_webhook(project), kind="test", payload={}))
    assert {type(row) for row in rows} == set(kinds.MODELS)
    for row in rows:
        lease.claim(type(row), row.pk)
    pulse.pardon()
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.attempt) == ("running", 0)


def test_a_database_that_is_away_keeps_no_worker_from_stopping(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(model: object) -> int:
        raise OperationalError("no connection")

    monkeypatch.setattr(lease, "pardon", away)
    pulse.pardon()
    assert "counts as an attempt" in caplog.text


def test_each_worker_takes_a_name_and_a_folder_of_its_own_before_its_children_are_forked(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TEMPORARY_ROOT = tmp_path / "tmp"
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = workers.main()
    signals.worker_init.send(sender=None)
    assert workers.main() != before
    with tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == settings.TEMPORARY_ROOT
