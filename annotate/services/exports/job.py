"""An export as a row of work: asked for, written by a worker, kept for some days, and downloaded."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Export, Project, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.exports import archive, contents, formats, packed
from annotate.services.exports.contents import Contents, Row
from annotate.services.projects.refused import Refused
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded
from training.types import TrainingError

MOST_LIVE = 3  # of a project at once
MOST_KEPT = 20  # of a project; the oldest go first
KEPT_FOR = timedelta(days=7)


@transaction.atomic
def ask(*, project: Project, format: str, chosen: Contents, by: User) -> Export:
    """Open an export, for which the caller wakes a worker; raises `Refused` while too many are under way."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.exports.live().count() >= MOST_LIVE:
        raise Refused(_("Three exports of this project are under way. Wait until one of them is done."))
    ended = project.exports.exclude(pk__in=project.exports.live()).order_by("-pk")
    for old in ended[MOST_KEPT - 1 :]:
        remove(old)
    title = str(formats.KNOWN[format].title)
    events.record(EventKind.EXPORT_ASKED, by=by, project=project, subject=title, per=chosen.per)
    return Export.objects.create(
        project=project, user=by, format=format, contents=chosen.dump(), woken_at=timezone.now()
    )


def remove(export: Export) -> None:
    """Remove an export, and its file once that is sure."""
    if export.file:
        transaction.on_commit(partial(export.file.storage.delete, str(export.file.name)))
    export.delete()


def run(export_id: int) -> list[Export]:
    perform(Export, export_id, _write, refusals=(TrainingError,))
    return []  # nothing follows


def _write(export: Export) -> None:
    chosen, known = Contents.load(export.contents), formats.KNOWN[export.format]
    meter = ProgressMeter(export)
    meter("write", 0.0)
    root = Path(settings.TEMPORARY_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        path = Path(folder) / "export"
        number = _write_file(export, chosen, path, meter)
        with path.open("rb") as file:
            name = f"{export.project.slug}-{secrets.token_hex(4)}.{known.suffix}"
            export.file.save(name, File(file), save=False)
    kept = lease.beat(
        row=export,
        file=export.file.name,
        rows=number,
        size=export.file.size,
        expires_at=timezone.now() + KEPT_FOR,
    )
    if not kept:
        export.file.delete(save=False)
        raise Superseded
    formats.record(export.project, export.format, chosen, rows=number, by=export.user)


def _write_file(export: Export, chosen: Contents, path: Path, meter: ProgressMeter) -> int:
    """Write the file; return how many rows it has."""
    project, number = export.project, 0
    if export.format == formats.ARCHIVE:
        return archive.write(project, path, tell=partial(meter, "write"))["documents.jsonl"]
    whole = max(1, chosen.documents(project).count())

    def counted() -> Iterator[Row]:
        nonlocal number
        documents, last = 0, 0
        for row in contents.rows(project, chosen):
            number += 1
            if row["document"] != last:
                documents, last = documents + 1, row["document"]
                if documents % contents.CHUNK == 0:
                    meter("write", min(1.0, documents / whole))
            yield row

    if export.format == "parquet":
        packed.write_parquet(counted(), chosen.columns_for(project.task_type), path)
    elif export.format == "datasets":
        packed.write_dataset(
            counted(),
            chosen.columns_for(project.task_type),
            path,
            name=project.name,
            task=project.task_type.task,
            labels=list(project.labels.values_list("name", flat=True)),
        )
    else:
        with path.open("wb") as file:
            for line in formats.lines(counted(), project, export.format, chosen):
                file.write(line)
    return number
