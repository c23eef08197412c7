"""Celery's way in: a message wakes a worker, the row in the database says what there is to do."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.core.cache import cache
from django.db import Error, connection

from annotate import kinds, pulse
from annotate.kinds import WorkKind
from annotate.models import ModelVersion, Project
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.outages.breaker import REDIS
from annotate.services.work import jobs, lease

logger = logging.getLogger(__name__)
__all__ = ["pulse", "tick", "wake", "work"]  # pulse listens to the workers


class TickFailed(Exception):
    """Some kinds did not tell what is due; the message names them, and the log has what happened."""


def wake(rows: Iterable[Work]) -> None:
    """Wake a worker for each row. Call it after the commit that opened them."""
    for row in rows:
        send(kinds.kind_of(row), row.pk)


def send(kind: WorkKind, pk: int) -> None:
    """Send a message to the queue of a kind; with the broker away the tick sends it again."""
    message = partial(work.apply_async, (kind.name, pk), queue=kind.queue, retry=False)
    REDIS.attempt(message, None)


@shared_task
def work(kind: str, pk: int) -> None:
    """Do the row of a kind if it is free, and wake workers for the rows that it opened."""
    wake(kinds.BY_NAME[kind].work(pk))


def take_up_lost() -> None:
    for model in kinds.MODELS:
        wake(lease.recover(lease.rows_of(model)))


@worker_ready.connect
def take_up_at_start(**_: Any) -> None:
    """Wake workers for what dead processes held when one starts: a tick may have to wait behind long work."""
    try:
        take_up_lost()
    except Error as error:
        logger.warning("What was left behind waits for the next tick, as the database is away: %s", error)
    finally:
        connection.close()  # NB: children are forked from this process, and must not inherit it


@shared_task(ignore_result=True)
def tick() -> None:
    """Wake workers for what was left behind, and open what is due; a kind that fails stops no other.

    Raises `TickFailed` at the end if one did, so that it is told wherever failed tasks are counted.
    """
    take_up_lost()
    if cache.add("tick-noted", 1, pulse.EVERY_SECONDS):
        pulse.record_tick()
    failed = []
    for kind in kinds.KINDS:
        if kind.every and not cache.add(f"due-{kind.name}", 1, kind.every):
            continue
        try:
            wake(kind.due())
        except Exception:
            logger.exception("What is due of the kind %s could not be found out.", kind.name)
            failed.append(kind.name)
    if failed:
        raise TickFailed(", ".join(failed))


# Messages that a version before 0.2 left in the broker. They name what a job is about, not its row.


@shared_task
def train(run_id: int) -> None:
    work("train", run_id)


@shared_task
def fine_tune(run_id: int) -> None:
    work("fine_tune", run_id)


@shared_task
def import_file(import_id: int) -> None:
    work("import_file", import_id)


@shared_task
def embed(project_id: int) -> None:
    _do_for_projects(JobKind.VECTORS, project_id)


@shared_task
def ask_llm(project_id: int) -> None:
    _do_for_projects(JobKind.ASK_LLM, project_id)


@shared_task
def measure_card(project_id: int, anew: int = 0) -> None:
    _do_for_projects(JobKind.REPORTCARD, project_id, anew=bool(anew))


@shared_task
def prelabel(version_id: int) -> None:
    for version in ModelVersion.objects.select_related("project").filter(pk=version_id):
        for job in jobs.ask(kind=JobKind.RESCORE, project=version.project, version=version):
            work(job.kind, job.pk)


def _do_for_projects(kind: JobKind, project_id: int, *, anew: bool = False) -> None:
    for project in Project.objects.filter(pk=project_id):
        for job in jobs.ask(kind=kind, project=project, anew=anew):
            work(job.kind, job.pk)
