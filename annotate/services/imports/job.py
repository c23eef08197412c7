"""A file on its way in: waiting for its columns, queued, running, done; a row of Import is the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
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
from annotate.models.imports import ImportState
from annotate.models.projects import TaskChoices
from annotate.services.imports import holdout
from annotate.services.imports.columns import ColumnMapping, guess
from annotate.services.imports.upsert import KEPT_PROBLEMS, Counts, store_rows
from training import records

PREVIEW = 20
LOST_AFTER = timedelta(seconds=60)


class Superseded(Exception):
    """Another worker has taken this import over."""


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
    upload = Import(project=project, user=user, name=name[-255:], mapping=dict(declared or {}))
    # NB: the name is untrusted: it is shown as text, and only a tame form of it becomes a path.
    tame = get_valid_filename(Path(name).name or "file")[-80:]
    upload.file.save(tame, file, save=False)
    try:
        upload.mapping = _guess(upload)
    except records.FileError:
        upload.file.delete(save=False)
        raise
    upload.save()
    return upload


def redeclare(*, upload: Import, declared: Mapping[str, Any]) -> None:
    """Read the first rows of a file as it is declared now, and guess its columns anew."""
    upload.mapping = dict(declared)
    upload.mapping = _guess(upload)
    upload.save(update_fields=["mapping"])


def _guess(upload: Import) -> dict[str, Any]:
    """Return what is declared of a file, and of the rest the likeliest."""
    rows, mapping = preview(upload)
    is_multi = upload.project.task == TaskChoices.MULTI
    guessed = guess(rows, multi=is_multi, has_labels=upload.project.labels.live().exists())
    return {**guessed.dump(), **upload.mapping, "found_encoding": mapping.found_encoding}


def preview(upload: Import) -> tuple[list[records.Row], ColumnMapping]:
    """Return the first rows of a file as it is declared so far, and its mapping."""
    mapping = ColumnMapping.load(upload.mapping)
    with _on_disk(upload) as path:
        rows, settled = records.sample(path, PREVIEW, mapping.options(), name=upload.name)
    return rows, replace(mapping, found_encoding=settled.encoding)


@contextmanager
def _on_disk(upload: Import) -> Iterator[Path]:
    """Give the file's path; a file in remote storage is copied first, for readers need to seek."""
    try:
        yield Path(upload.file.path)
    except NotImplementedError:
        with NamedTemporaryFile(suffix=Path(upload.name).suffix) as copy, upload.file.open("rb") as source:
            for block in source.chunks():
                copy.write(block)
            copy.flush()
            yield Path(copy.name)


@transaction.atomic
def start(*, upload: Import, mapping: ColumnMapping, dry_run: bool) -> bool:
    """Queue an import that waits for its columns, or one that ended; False where it is under way already."""
    idle = [ImportState.UPLOADED, ImportState.DONE, ImportState.FAILED]
    queued = Import.objects.filter(pk=upload.pk, state__in=idle).update(
        state=ImportState.QUEUED,
        mapping=mapping.dump(),
        dry_run=dry_run,
        error="",
        heartbeat_at=timezone.now(),
        finished_at=None,
        **_zero(),
    )
    if queued:
        ImportProblem.objects.filter(source=upload).delete()
    return bool(queued)


def _zero() -> dict[str, int]:
    return dict.fromkeys(["bytes_read", "rows", "created", "updated", "unchanged", "broken"], 0)


def run(*, import_id: int) -> Import | None:
    """Do a queued import, or go on with one that a worker left; None where there is nothing to do."""
    claimed = Import.objects.filter(pk=import_id, state=ImportState.QUEUED)
    if not claimed.update(state=ImportState.RUNNING, heartbeat_at=timezone.now()):
        return None
    upload = Import.objects.select_related("project").get(pk=import_id)
    try:
        _store(upload)
    except Superseded:
        return None
    except records.FileError as error:
        return _end(upload, ImportState.FAILED, str(error))
    except OSError as error:
        return _end(upload, ImportState.FAILED, _("The file could not be read: %s.") % error.strerror)
    return _end(upload, ImportState.DONE, "")


def _store(upload: Import) -> None:
    mapping = ColumnMapping.load(upload.mapping)
    progress, broken_off = _Progress(upload), list[records.FileError]()
    options = replace(mapping.options(), meter=progress.meter)
    with _on_disk(upload) as path:
        read = _up_to_the_break(records.read(path, options, name=upload.name), broken_off)
        store_rows(
            project=upload.project,
            # What an earlier worker stored is not read twice: its rows were counted with its documents.
            rows=islice(mapping.rows(read), upload.rows, None),
            gold=mapping.gold,
            create_labels=mapping.create_labels,
            dry_run=upload.dry_run,
            on_chunk=progress.add,
        )
    if upload.rows and mapping.label and not upload.dry_run:  # labels that a lost worker stored count too
        holdout.stock_holdout(project=upload.project)
    if broken_off:
        raise broken_off[0]


def _up_to_the_break(
    rows: Iterator[records.Row], broken_off: list[records.FileError]
) -> Iterator[records.Row]:
    """Let the rows before a break be stored as any others; the caller raises the error after them."""
    try:
        yield from rows
    except records.FileError as error:
        broken_off.append(error)


class _Progress:
    """Counts a chunk in the chunk's own transaction; a worker that was replaced finds another count there."""

    def __init__(self, upload: Import) -> None:
        self.upload, self.rows, self.listed = upload, upload.rows, upload.problems.count()
        self.meter = records.ReadMeter()

    def add(self, counts: Counts) -> None:
        mine = Import.objects.filter(pk=self.upload.pk, state=ImportState.RUNNING, rows=self.rows)
        kept = mine.update(
            bytes_read=self.meter.bytes_read(),
            rows=F("rows") + counts.rows,
            created=F("created") + counts.created,
            updated=F("updated") + counts.updated,
            unchanged=F("unchanged") + counts.unchanged,
            broken=F("broken") + counts.broken,
            heartbeat_at=timezone.now(),
        )
        if not kept:
            raise Superseded
        self.rows += counts.rows
        self._list(counts.problems[: KEPT_PROBLEMS - self.listed])

    def _list(self, problems: list[tuple[int, str]]) -> None:
        self.listed += len(problems)
        ImportProblem.objects.bulk_create(
            ImportProblem(source=self.upload, row=row, reason=reason) for row, reason in problems
        )


def _end(upload: Import, state: ImportState, error: str) -> Import:
    mine = Import.objects.filter(pk=upload.pk, state=ImportState.RUNNING)
    mine.update(state=state, error=error, finished_at=timezone.now())
    upload.refresh_from_db()
    return upload


def recover() -> list[int]:
    """Return the keys of imports to wake a worker for: those whose worker or message was lost."""
    lost = timezone.now() - LOST_AFTER
    stale = Import.objects.filter(heartbeat_at__lt=lost)
    stale.filter(state=ImportState.RUNNING).update(state=ImportState.QUEUED)
    waiting = list(stale.filter(state=ImportState.QUEUED).values_list("pk", flat=True))
    # A woken import waits its turn again, so that a busy worker is not sent the same message every tick.
    Import.objects.filter(pk__in=waiting, state=ImportState.QUEUED).update(heartbeat_at=timezone.now())
    return waiting
