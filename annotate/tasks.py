"""Celery's way in: a message wakes a worker, the row in the database says what there is to do."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import shared_task
from django.core.cache import cache
from kombu.exceptions import OperationalError

from annotate import pulse
from annotate.models import Import, ModelVersion, Project, TrainingRun
from annotate.models.versions import Stage
from annotate.services.corpus import neighbourhoods, vector_store
from annotate.services.imports import job
from annotate.services.llm import answers
from annotate.services.runs import encoders, execution, first_batch, schedule
from annotate.services.versions import reportcards, rescore
from annotate.services.work import lease

logger = logging.getLogger(__name__)
__all__ = ["embed", "prelabel", "pulse", "send", "tick", "train", "wake"]  # pulse listens to the workers

EMBED_LOCK_SECONDS = 300
LOOK_AROUND_SECONDS = 60
MEASURING_SECONDS = 300  # a page that nobody answers stops waiting


def send(task: Any, *arguments: int) -> None:
    """Send a message; with the broker away it is only logged, as the tick sends it again."""
    try:
        task.apply_async(arguments, retry=False)
    except OperationalError as error:
        logger.warning("The broker is away (%s): %s%s waits for the next tick.", error, task.name, arguments)


def ask_for_card(project: Project) -> None:
    """Have the project's models measured anew; pages see that it is under way."""
    cache.set(measuring_key(project.pk), 1, MEASURING_SECONDS)
    send(measure_card, project.pk, 1)


def is_measuring(project: Project) -> bool:
    return bool(cache.get(measuring_key(project.pk)))


def measuring_key(project_id: int) -> str:
    return f"card-asked-{project_id}"


def wake(opened: Iterable[TrainingRun]) -> None:
    """Wake a worker for each run. Call it after the commit that opened them."""
    for run in opened:
        send(fine_tune if run.is_slow else train, run.pk)


@shared_task
def train(run_id: int) -> None:
    _execute(run_id)


@shared_task
def fine_tune(run_id: int) -> None:
    """Do what `train` does on a queue of its own, so that the quick families need not wait for it."""
    _execute(run_id)


def _execute(run_id: int) -> None:
    version = execution.execute(run_id=run_id)
    if version is not None:
        send(prelabel, version.pk)
    project = Project.objects.filter(runs=run_id).first()
    if project is not None:
        wake(schedule.open_if_due(project=project))


@shared_task
def prelabel(version_id: int) -> None:
    rescore.prelabel(version=ModelVersion.objects.select_related("project").get(pk=version_id))


@shared_task
def embed(project_id: int) -> None:
    """Embed for a while, then make way for runs and go on behind them."""
    project = Project.objects.get(pk=project_id)
    with _alone(f"embed-{project_id}") as is_alone:
        if not is_alone:
            return
        site = vector_store.embedder()
        is_complete = _embed(project, site)
        wake(first_batch.begin(project=project, encoder=site, is_complete=is_complete))
        for fingerprint in encoders.in_use(project=project):
            is_complete = is_complete and _embed(project, vector_store.embedder(fingerprint))
    if not is_complete:
        send(embed, project_id)


def _embed(project: Project, encoder: vector_store.SiteEmbedder) -> bool:
    """Embed for a while; once all texts have their vectors, find their neighbours and return True."""
    vector_store.embed(project=project, encoder=encoder)
    is_complete = vector_store.is_complete(project=project, encoder=encoder)
    if is_complete:
        neighbourhoods.find(project=project, encoder=encoder)
    return is_complete


@shared_task
def ask_llm(project_id: int) -> None:
    """Ask for a while, then go on behind what else is waiting."""
    project = Project.objects.get(pk=project_id)
    with _alone(f"llm-{project_id}") as is_alone:
        if not is_alone:
            return
        encoder = vector_store.embedder() if vector_store.any_for(project=project) else None
        done = answers.suggest(project=project, embedder=encoder)
    if done and answers.is_wanted(project=project):
        send(ask_llm, project_id)


@shared_task
def measure_card(project_id: int, anew: int = 0) -> None:
    project = Project.objects.get(pk=project_id)
    with _alone(f"card-{project_id}") as is_alone:
        if not is_alone:
            return
        try:
            card = reportcards.make(project=project, anew=bool(anew))
        finally:
            cache.delete(measuring_key(project_id))
    version = reportcards.publish_recommended(card=card) if card else None
    if version is not None:
        send(prelabel, version.pk)


@shared_task
def import_file(import_id: int) -> None:
    upload = job.run(import_id=import_id)
    if upload is not None and not upload.dry_run and upload.created + upload.updated:
        send(embed, upload.project_id)


@shared_task(ignore_result=True)
def tick() -> None:
    wake(lease.recover(TrainingRun.objects.all()))
    for upload in lease.recover(Import.objects.all()):
        send(import_file, upload.pk)
    for project in Project.objects.filter(training_enabled=True):
        wake(schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE))
    if cache.add("look-around", 1, LOOK_AROUND_SECONDS):
        _look_around()


def _look_around() -> None:
    """Measure new versions, and send again what a lost message left undone."""
    for project in Project.objects.filter(training_enabled=True):
        if first_batch.is_waiting(project=project):
            send(embed, project.pk)
    for project in Project.objects.filter(llm_budget__gt=0) if answers.is_configured() else ():
        if answers.is_wanted(project=project):
            send(ask_llm, project.pk)
    for project in reportcards.outdated():
        send(measure_card, project.pk)
    for version in ModelVersion.objects.filter(stage=Stage.PUBLISHED, predictions=None):
        send(prelabel, version.pk)


@contextmanager
def _alone(name: str) -> Iterator[bool]:
    """Tell whether this process is the only one at it; a dead one's hold runs out by itself."""
    is_alone = bool(cache.add(name, 1, EMBED_LOCK_SECONDS))
    try:
        yield is_alone
    finally:
        if is_alone:
            cache.delete(name)
