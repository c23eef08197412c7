"""A file on its way in: waiting for its columns, queued, running, done; a row of Import is the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from annotate.models import Import, ImportProblem, Project, User
from annotate.models.events import EventKind
from annotate.models.work import LIVE_STATES, WorkState
from annotate.services import events
from annotate.services.imports import holdout, missing
from annotate.services.imports.columns import ColumnMapping, guess
from annotate.services.imports.lanes import LaneCounts
from annotate.services.imports.upsert import KEPT_PROBLEMS, Counts, store_rows
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import Superseded
from annotate.task_types import TaskType
from training import records

PREVIEW = 20
COUNTED = ("bytes_read", "rows", "created", "updated", "unchanged", "broken", "removed", "restored")
TOLD = ("lanes", "missing", "unfit", "spellings")


def begin(
    *,
    project: Project,
    user: User | None,
    file: File[bytes],
    name: str,
    declared: Mapping[str, Any] | None = None,
) -> Import:
    """Keep an uploaded file with a guessed mapping; raises `FileError` for one that is no table.

    `declared` says what is known of the file beforehand, as its encoding or delimiter.
    """
    upload = keep(project=project, user=user, file=file, name=name, declared=declared)
    with transaction.atomic():
        upload.save()
        events.record(EventKind.UPLOADED, by=user, project=project, subject=upload.name)
    return upload


def keep(
    *,
    project: Project,
    user: User | None,
    file: File[bytes],
    name: str,
    declared: Mapping[str, Any] | None = None,
) -> Import:
    """Write a file to the disk, for an import that is not stored yet; the project need not be either."""
    upload = Import(project=project, user=user, name=name[-255:], mapping=dict(declared or {}))
    # NB: the name is untrusted. It is shown as text, and only a cleaned form of it becomes a path.
    tame = get_valid_filename(Path(name).name or "file")[-80:]
    upload.file.save(tame, file, save=False)
    try:
        upload.mapping = guessed(upload, project.task_type)
    except records.FileError:
        upload.file.delete(save=False)
        raise
    return upload


def redeclare(*, upload: Import, declared: Mapping[str, Any]) -> None:
    """Read the first rows of a file as it is declared now, and guess its columns anew."""
    upload.mapping = dict(declared)
    upload.mapping = guessed(upload, upload.project.task_type)
    upload.save(update_fields=["mapping"])


def guessed(upload: Import, task_type: TaskType) -> dict[str, Any]:
    """Return the declared settings of a file, completed by the likeliest ones."""
    rows, mapping, findings = preview(upload)
    has_labels = upload.project.pk is not None and upload.project.labels.live().exists()
    likeliest = guess(rows, task_type, has_labels=has_labels, tool=findings.tool)
    return {**likeliest.dump(), **upload.mapping, "found_encoding": mapping.found_encoding}


def preview(upload: Import) -> tuple[list[records.Row], ColumnMapping, records.Findings]:
    """Return the first rows of a file as it is declared so far, its mapping, and what else it shows."""
    mapping, findings = ColumnMapping.load(upload.mapping), records.Findings()
    with on_disk(upload) as path:
        options = replace(mapping.options(), findings=findings)
        rows, settled = records.sample(path, PREVIEW, options, name=upload.name)
    return rows, replace(mapping, found_encoding=settled.encoding), findings


def is_gone(upload: Import) -> bool:
    """Tell whether the file of an import is not there any more, as after a disk was restored in part."""
    return not upload.file or not upload.file.storage.exists(str(upload.file.name))


@contextmanager
def on_disk(upload: Import) -> Iterator[Path]:
    """Give the file's path; a file in remote storage is copied first, because readers have to seek."""
    try:
        yield Path(upload.file.path)
    except NotImplementedError:
        with NamedTemporaryFile(suffix=Path(upload.name).suffix) as copy, upload.file.open("rb") as source:
            for block in source.chunks():
                copy.write(block)
            copy.flush()
            yield Path(copy.name)


@transaction.atomic
def start(*, upload: Import, mapping: ColumnMapping, dry_run: bool, by: User | None = None) -> bool:
    """Queue an import that waits for its columns, or one that ended; False where it is under way already."""
    queued = (
        Import.objects.filter(pk=upload.pk)
        .exclude(state__in=LIVE_STATES)
        .update(
            state=WorkState.QUEUED,
            mapping=mapping.dump(),
            dry_run=dry_run,
            error="",
            attempt=0,
            queued_at=timezone.now(),
            woken_at=timezone.now(),  # by the caller, after the commit
            cancelled_by=None,
            finished_at=None,
            removal="",
            **dict.fromkeys(COUNTED, 0),
            **{name: {} for name in TOLD},
        )
    )
    if queued:
        ImportProblem.objects.filter(source=upload).delete()
    if queued and not dry_run:  # which changes nothing
        events.record(EventKind.IMPORTED, by=by, project=upload.project, subject=upload.name)
    return bool(queued)


def run(*, import_id: int) -> Import | None:
    """Do a queued import, or go on with one that a worker left; return it if it has ended by that."""
    upload = perform(Import, import_id, _store_or_tell)
    if upload is not None:
        upload.refresh_from_db()
    return upload


def _store_or_tell(upload: Import) -> Import:
    """Store the file's rows, or tell why it cannot be read; what came before a break stays stored."""
    if upload.removal:  # it is taken back since this worker was woken
        lease.give_back(row=upload)
        raise Superseded
    if upload.dry_run and upload.rows:
        # Nothing of what the lost worker found out was stored, so it is counted from the first row.
        _begin_anew(upload)
    mapping = ColumnMapping.load(upload.mapping)
    progress, broken_off = _Progress(upload), list[records.FileError]()
    options = replace(mapping.options(), meter=progress.meter)
    try:
        with on_disk(upload) as path:
            read = _up_to_the_break(records.read(path, options, name=upload.name), broken_off)
            counts = store_rows(
                project=upload.project,
                rows=mapping.rows(read, upload.project.task_type),
                # Rows that an earlier worker stored: their number was saved together with them.
                stored=upload.rows,
                source=upload,
                gold=mapping.gold,
                create_labels=mapping.create_labels,
                label_choices=mapping.label_choices,
                dry_run=upload.dry_run,
                on_chunk=progress.add,
            )
        # Labels that a lost worker stored count as well.
        moved = counts.lanes.moved
        if upload.rows and mapping.label and not upload.dry_run:
            moved += holdout.stock_holdout(project=upload.project)
        progress.note_moved(moved)
        if broken_off:
            raise broken_off[0]
    except records.FileError as error:
        lease.fail(row=upload, error=str(error))
    except OSError as error:
        lease.fail(row=upload, error=_("The file could not be read: %s.") % error.strerror)
    return upload


def _begin_anew(upload: Import) -> None:
    counts: dict[str, Any] = dict.fromkeys(COUNTED, 0) | {name: {} for name in TOLD}
    if not lease.beat(row=upload, **counts):
        raise Superseded
    ImportProblem.objects.filter(source=upload).delete()
    for name, value in counts.items():
        setattr(upload, name, value)


def _up_to_the_break(
    rows: Iterator[records.Row], broken_off: list[records.FileError]
) -> Iterator[records.Row]:
    """Let the rows before a break be stored as any others; the caller raises the error after them."""
    try:
        yield from rows
    except records.FileError as error:
        broken_off.append(error)


class _Progress:
    """Counts a chunk in the chunk's own transaction, which is undone where the import is another's now."""

    def __init__(self, upload: Import) -> None:
        self.upload, self.listed = upload, upload.problems.count()
        self.meter, self.lanes = records.ReadMeter(), LaneCounts.load(upload.lanes)
        self.missing, self.unfit = dict(upload.missing), dict(upload.unfit)
        self.spellings, self.made_labels = dict(upload.spellings), list(upload.made_labels)

    def add(self, counts: Counts) -> None:
        self.lanes.add(counts.lanes)
        missing.add(self.missing, counts.missing)
        missing.add(self.unfit, counts.unfit)
        missing.add(self.spellings, counts.spellings)
        self.made_labels += counts.made_labels if not self.upload.dry_run else []
        kept = lease.beat(
            row=self.upload,
            lanes=self.lanes.dump(),
            missing=self.missing,
            unfit=self.unfit,
            spellings=self.spellings,
            made_labels=self.made_labels,
            bytes_read=self.meter.bytes_read(),
            rows=F("rows") + counts.rows,
            created=F("created") + counts.created,
            updated=F("updated") + counts.updated,
            unchanged=F("unchanged") + counts.unchanged,
            broken=F("broken") + counts.broken,
        )
        if not kept:
            raise Superseded
        problems = counts.problems[: KEPT_PROBLEMS - self.listed]
        self.listed += len(problems)
        ImportProblem.objects.bulk_create(
            ImportProblem(source=self.upload, row=row, reason=reason) for row, reason in problems
        )

    def note_moved(self, moved: int) -> None:
        """Keep how many documents went to the holdout afterwards, for their labels."""
        if moved:
            self.lanes.moved += moved
            lease.beat(row=self.upload, lanes=self.lanes.dump())
