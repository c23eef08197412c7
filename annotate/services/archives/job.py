"""Restoring an archive and duplicating a project, as rows of work."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from annotate.models import DictionaryEntry, Document, Label, Project, Restoration, UnindexedText, User
from annotate.models.documents import fold
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.services import events
from annotate.services.archives.reading import Archive, ArchiveError
from annotate.services.archives.restore import restore
from annotate.services.exports import archive as written
from annotate.services.imports.bulk_insert import insert
from annotate.services.labeling import write_lock
from annotate.services.projects import dictionary, projects
from annotate.services.work import jobs, lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded
from training.types import TrainingError

CHUNK = 500


def begin(*, file: File[bytes], name: str, by: User | None) -> Restoration:
    """Keep an uploaded archive, and queue its restoration; raises `ArchiveError` where it is none."""
    row = Restoration(user=by, name=name[-255:], woken_at=timezone.now())
    tame = get_valid_filename(Path(name).name or "file")[-80:]
    row.file.save(tame, file, save=False)
    try:
        with _on_disk(row) as path, Archive(path):
            pass
    except ArchiveError:
        row.file.delete(save=False)
        raise
    with transaction.atomic():
        row.save()
        events.record(EventKind.ARCHIVE_UPLOADED, by=by, subject=row.name)
    return row


@contextmanager
def _on_disk(row: Restoration) -> Iterator[Path]:
    """Give the archive's path; one in remote storage is copied first, because a zip is read from its end."""
    try:
        yield Path(row.file.path)
    except NotImplementedError:
        with tempfile.NamedTemporaryFile(dir=settings.TEMPORARY_ROOT) as copy, row.file.open("rb") as source:
            shutil.copyfileobj(source, copy)
            copy.flush()
            yield Path(copy.name)


@transaction.atomic
def duplicate(
    *, project: Project, name: str, slug: str, with_documents: bool, by: User
) -> tuple[Project, list[Restoration]]:
    """Make a project with the labels and settings of another one, and with its documents if that is asked.

    Nobody has answered anything in it. Raises `Refused` where the short name is taken.
    """
    labels = list(project.labels.live())
    made = projects.create_project(
        by=by,
        name=name,
        slug=slug,
        task=project.task,
        labels=[(label.name, label.description) for label in labels if not label.of_spans],
        span_labels=[(label.name, label.description) for label in labels if label.of_spans],
        guidelines=project.guidelines,
        constraints=project.constraints,
    )
    for setting in written.SETTINGS:
        if setting not in ("guidelines", "guidelines_version"):
            setattr(made, setting, getattr(project, setting))
    made.save()
    for label in labels:
        Label.objects.filter(project=made, name=label.name).update(
            hotkey=label.hotkey, position=label.position
        )
    keys = dict(made.labels.values_list("name", "pk"))
    names = {label.pk: label.name for label in labels}
    DictionaryEntry.objects.bulk_create(
        DictionaryEntry(project=made, label_id=keys[names[label]], words=words)
        for words, label in dictionary.entries(project).items()
    )
    events.record(EventKind.PROJECT_DUPLICATED, by=by, project=made, subject=project.name)
    if not with_documents:
        return made, []
    row = Restoration.objects.create(
        user=by, project=made, source=project, name=project.name, woken_at=timezone.now()
    )
    return made, [row]


def run(restoration_id: int) -> Sequence[Work]:
    """Restore or copy; return the jobs that the new documents need."""
    project = perform(Restoration, restoration_id, _fill, refusals=(TrainingError,))
    row = Restoration.objects.filter(pk=restoration_id).first()
    if row is not None and row.file and not row.is_live:
        row.file.delete(save=False)
        Restoration.objects.filter(pk=row.pk).update(file="")
    if project is None:
        return []
    asked = partial(jobs.ask, project=project)
    return [*asked(kind=JobKind.VECTORS), *asked(kind=JobKind.SEARCH)]


def _fill(row: Restoration) -> Project:
    meter = ProgressMeter(row)
    if row.file:
        with _on_disk(row) as path:
            return restore(row, path, meter)
    if row.source is None or row.project is None or row.source.deleted_at or row.project.deleted_at:
        raise ArchiveError(_("One of the two projects was deleted meanwhile."))
    _copy(row, row.source, row.project, meter)
    return row.project


def _copy(row: Restoration, source: Project, project: Project, meter: ProgressMeter) -> None:
    """Copy documents from the last one that was copied on: a killed copy goes on where it stopped."""
    whole, done = max(1, source.documents.count()), project.documents.count()
    columns = written.DOCUMENT[:-1]
    while True:
        meter("restore", min(1.0, done / whole))
        chunk = list(source.documents.filter(pk__gt=row.reached).order_by("pk")[:CHUNK])
        if not chunk:
            return
        with write_lock.in_turn():
            here = Document.objects.filter(project=project)
            known = set(
                here.filter(sha256__in=[one.sha256 for one in chunk]).values_list("sha256", "external_id")
            )
            new = [one for one in chunk if (one.sha256, one.external_id) not in known]
            values = [[getattr(one, name) for name in columns] for one in new]
            shared = {"project_id": project.pk, "created_at": timezone.now()}
            keys = insert(Document, values, columns, shared)
            folded = [(key, fold(one.text)) for key, one in zip(keys, new, strict=True)]
            insert(UnindexedText, folded, ["document", "text"], {"project_id": project.pk})
            row.reached, done = chunk[-1].pk, done + len(new)
            if not lease.beat(row=row, reached=row.reached):
                raise Superseded
