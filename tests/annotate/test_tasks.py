"""Messages and the tick: which row they wake a worker for, and what a broker may still hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.utils import timezone
from kombu.exceptions import OperationalError

from annotate import kinds, tasks
from annotate.models import (
    BulkChange,
    Document,
    Export,
    Import,
    Job,
    Mail,
    ModelVersion,
    Project,
    Removal,
    Restoration,
    Sweep,
    TrainingRun,
    WebhookDelivery,
)
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.queues import QUEUES
from annotate.services.work import jobs, lease
from tests.annotate.made.webhook_receiver import make_webhook

pytestmark = pytest.mark.django_db
Sent = list[tuple[str, str, int]]


@pytest.fixture(autouse=True)
def fresh_cache(db: None) -> None:
    cache.clear()
    Sweep.objects.create(state="succeeded")  # so that none is due


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    messages: Sent = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: messages.append((kind.name, kind.queue, pk)))
    return messages


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=1, family="tfidf", stage="published", labelled=2, holdout_documents=0
    )


@pytest.fixture
def rows(project: Project, version: ModelVersion) -> dict[str, Work]:
    """One waiting row of each kind."""
    of_project = [kind for kind in JobKind if kind is not JobKind.RESCORE]
    opened = [job for kind in of_project for job in jobs.ask(kind=kind, project=project)]
    opened += jobs.ask(kind=JobKind.RESCORE, project=project, version=version)
    return {
        "train": TrainingRun.objects.create(project=project, family="tfidf", reason="lead"),
        "fine_tune": TrainingRun.objects.create(
            project=project, family="transformer", reason="lead", is_slow=True
        ),
        "import_file": Import.objects.create(
            project=project, name="a.csv", state="queued", file=ContentFile(b"text\na rose\n", name="a.csv")
        ),
        "bulk": BulkChange.objects.create(project=project, action="return", state="queued"),
        "export": Export.objects.create(project=project, format="csv"),
        "restore": Restoration.objects.create(project=project, source=project, name="a"),
        "mail": Mail.objects.create(kind="address", to="ada@example.org", language="en"),
        "webhook": WebhookDelivery.objects.create(webhook=make_webhook(project), kind="test", payload={}),
        "sweep": Sweep.objects.create(),
        "remove": Removal.objects.create(project=project),
        **{job.kind: job for job in opened},
    }


def test_each_row_is_of_one_kind_and_wakes_a_worker_of_its_queue(rows: dict[str, Work], sent: Sent) -> None:
    assert set(rows) == set(kinds.BY_NAME)
    assert {kind.queue for kind in kinds.KINDS} == set(QUEUES)
    for name, row in rows.items():
        assert [kind.name for kind in kinds.KINDS if kind == kinds.kind_of(row)] == [name]
        same = [kind for kind in kinds.KINDS if kind.model is type(row)]
        holds = [kind.name for kind in same if _rows(kind).filter(pk=row.pk).exists()]
        assert holds == [name]
    tasks.wake(rows.values())
    assert sent == [(name, kinds.BY_NAME[name].queue, row.pk) for name, row in rows.items()]


def _rows(kind: kinds.WorkKind) -> Any:
    return lease.rows_of(kind.model).filter(**kind.where)


def test_the_tick_wakes_workers_again_for_what_was_left_behind(rows: dict[str, Work], sent: Sent) -> None:
    for model in kinds.MODELS:
        lease.rows_of(model).update(woken_at=timezone.now())
    tasks.tick()
    assert sent == []
    for model in kinds.MODELS:
        lease.rows_of(model).update(woken_at=timezone.now() - timedelta(minutes=1))
    tasks.tick()
    assert {(name, pk) for name, _queue, pk in sent} == {(name, row.pk) for name, row in rows.items()}
    tasks.tick()
    assert len(sent) == len(rows)


def test_a_version_that_was_silent_about_every_document_is_not_asked_again(
    project: Project, version: ModelVersion, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "Где мой заказ")
    now = timezone.now()
    ModelVersion.objects.update(published_at=now)
    (job,) = kinds.predictions_due()
    Job.objects.update(state="succeeded", finished_at=now - timedelta(minutes=1))
    assert len(list(kinds.predictions_due())) == 1  # that was before it was published
    Job.objects.exclude(pk=job.pk).delete()
    Job.objects.update(state="succeeded", finished_at=now + timedelta(minutes=1))
    assert list(kinds.predictions_due()) == []


def test_the_tick_opens_the_jobs_that_are_due(
    project: Project,
    version: ModelVersion,
    add_documents: Callable[..., list[Document]],
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks.tick()
    assert [name for name, *_ in sent] == ["reportcard"]  # without a document there is nothing to predict
    Job.objects.all().delete()
    add_documents(project, "a rose")
    cache.clear()
    sent.clear()
    tasks.tick()
    assert sorted(name for name, *_ in sent) == ["reportcard", "rescore", "search", "vectors"]
    assert project.jobs.get(kind="rescore").version == version
    Job.objects.update(state="succeeded")
    tasks.tick()
    assert len(sent) == 4  # a job is looked for once a minute


def test_a_kind_whose_due_rows_cannot_be_found_stops_no_other(
    project: Project,
    version: ModelVersion,
    add_documents: Callable[..., list[Document]],
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_documents(project, "a rose")
    monkeypatch.setattr(kinds.first_batch, "is_waiting", lambda *, project: 1 / 0)
    with pytest.raises(tasks.TickFailed, match="vectors"):
        tasks.tick()
    assert sorted(name for name, *_ in sent) == ["reportcard", "rescore", "search"]
    assert "kind vectors" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("name", ["train", "fine_tune", "import_file"])
def test_an_error_in_work_reaches_no_message_and_fails_its_row_after_three(
    name: str, rows: dict[str, Work], sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(kinds.execution, "_work", broken)
    monkeypatch.setattr(kinds.imports, "store_rows", broken)
    for attempt in (1, 2, 3):
        tasks.work(name, rows[name].pk)
        rows[name].refresh_from_db()
        assert rows[name].attempt == attempt
    assert rows[name].state == "failed"
    assert "RecursionError: too deep" in rows[name].error


def test_a_broker_that_is_away_is_told_and_the_row_waits(
    rows: dict[str, Work], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: object, **options: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.work, "apply_async", away)
    tasks.wake([rows["train"]])
    assert "Redis is away" in caplog.text
    assert lease.rows_of(TrainingRun).free().filter(pk=rows["train"].pk).exists()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("train", "train"),
        ("fine_tune", "fine_tune"),
        ("import_file", "import_file"),
        ("embed", "vectors"),
        ("prelabel", "rescore"),
        ("ask_llm", "ask_llm"),
        ("measure_card", "reportcard"),
    ],
)
def test_a_message_that_an_older_version_sent_is_worked_on(
    message: str, kind: str, rows: dict[str, Work], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(tasks, "work", lambda name, pk: done.append((name, pk)))
    task = getattr(tasks, message)
    assert task.name == f"annotate.tasks.{message}"
    row = rows[kind]
    if isinstance(row, Job):
        lease.cancel(row=row)  # the older version had no row for it
        task(row.version_id or project.pk)
        (key,) = [pk for _name, pk in done]
        opened = Job.objects.get(pk=key)
        assert (opened.kind, opened.version_id, opened.state) == (kind, row.version_id, "queued")
        assert done == [(kind, opened.pk)]
        task(row.version_id or project.pk)  # with a live row it says nothing new
        assert len(done) == 1
    else:
        task(row.pk)
        assert done == [(kind, row.pk)]


def test_an_older_message_asks_for_measuring_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "work", lambda name, pk: None)
    tasks.measure_card(project.pk, 1)
    assert project.jobs.get().is_anew
