"""A project is deleted: hidden from everybody at once, then removed in turns by a worker."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from annotate.models import Job, Project, Removal, Restoration, TrainingRun, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.corpus import word_vectors
from annotate.services.deletion import documents
from annotate.services.documents.finding import search_index
from annotate.services.exports import job as exports
from annotate.services.runs import encoders, scratch
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter

REST = timedelta(minutes=10)  # after a removal that failed, until the tick opens another
PAUSE_SECONDS = 0.02  # between two transactions, so that others get their turn


@dataclass(frozen=True, slots=True)
class ProjectContents:
    """How much goes with a project."""

    documents: int
    annotations: int
    versions: int
    files: int


def contents(project: Project) -> ProjectContents:
    return ProjectContents(
        documents=project.documents.count(),
        annotations=project.annotations.count(),
        versions=project.versions.count(),
        files=project.imports.exclude(file="").count(),
    )


@transaction.atomic
def delete(*, project: Project, by: User) -> list[Removal]:
    """Hide a project and end its work; return the removal to wake a worker for, none if it was deleted.

    Its short name is free at once: no address can have the one that it gets instead.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.deleted_at is not None:
        return []
    counts = contents(project)
    events.record(
        EventKind.PROJECT_DELETED,
        by=by,
        project=project,
        subject=project.slug,
        documents=counts.documents,
        annotations=counts.annotations,
        versions=counts.versions,
        files=counts.files,
    )
    project.deleted_at = timezone.now()
    project.slug = f"~{project.pk}"
    project.training_enabled = False
    project.llm_budget = 0
    project.save(update_fields=["deleted_at", "slug", "training_enabled", "llm_budget"])
    _end_work(project, by)
    return [Removal.objects.create(project=project, woken_at=timezone.now())]


def _end_work(project: Project, by: User | None) -> None:
    """Cancel what is under way: its worker finds its token refused at the next step, and stops."""
    for rows in (project.runs, project.jobs, project.imports, project.bulk_changes):
        for row in rows.live():
            lease.cancel(row=row, by=by)


def due() -> list[Removal]:
    """Open a removal for each deleted project whose last one came to no end."""
    unfinished = Removal.objects.filter(project=OuterRef("pk"))
    lately = unfinished.filter(finished_at__gt=timezone.now() - REST)
    # A project that an archive is being restored to is hidden in the same way until it is whole.
    restored = Restoration.objects.live().filter(project=OuterRef("pk"), source=None)
    hidden = Project.objects.exclude(deleted_at=None).filter(~Exists(restored))
    left = hidden.filter(~Exists(unfinished.live()), ~Exists(lately))
    return [Removal.objects.create(project=project, woken_at=timezone.now()) for project in left]


def run(removal_id: int) -> list[Removal]:
    perform(Removal, removal_id, _remove)
    return []  # nothing follows


def _remove(removal: Removal) -> None:
    """Remove a project from its documents to its row; a killed removal goes on where it stopped."""
    project, meter = removal.project, ProgressMeter(removal)
    if project is None or project.deleted_at is None:
        return
    while True:
        meter("remove", 0.0)
        _end_work(project, None)  # what opened work when the project was deleted may have committed since
        _remove_documents(project, removal, meter)
        for export in project.exports.all():
            exports.remove(export)
        for upload in project.imports.all():
            upload.file.delete(save=False)
            upload.delete()
        encoders.delete(project.versions.all())
        shutil.rmtree(Path(settings.BUNDLE_ROOT) / str(project.pk), ignore_errors=True)
        word_vectors.forget(project.pk)
        encoders.sweep(project=project)
        encoders.delete(Job.objects.filter(project=project))
        encoders.delete(TrainingRun.objects.filter(project=project))
        scratch.sweep()
        search_index.forget_deleted(tell=meter)
        if _is_removed(project):
            return


def _remove_documents(project: Project, removal: Removal, meter: ProgressMeter) -> None:
    everything = removal.removed + project.documents.count()
    while keys := list(project.documents.order_by("pk").values_list("pk", flat=True)[: documents.CHUNK]):
        removal.removed += documents.remove(project=project, keys=keys)
        Removal.objects.held_by(removal).update(removed=removal.removed)
        meter("remove", removal.removed / max(1, everything))
        time.sleep(PAUSE_SECONDS)


@transaction.atomic
def _is_removed(project: Project) -> bool:
    """Remove the row with what is left, unless something was stored in the project meanwhile."""
    row = Project.objects.select_for_update().get(pk=project.pk)
    if row.documents.exists() or row.imports.exists() or row.versions.exists() or row.runs.exists():
        return False
    row.delete()
    return True
