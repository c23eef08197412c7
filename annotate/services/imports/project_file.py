"""A project that begins with its file: what the file holds, what the project may be, and its start."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.files import File
from django.db import transaction
from django.utils.text import slugify

from annotate import task_types
from annotate.models import Import, Project, User
from annotate.models.events import EventKind
from annotate.models.imports import UPLOADED
from annotate.services import events
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping
from annotate.services.projects import projects
from annotate.task_types import TASK_TYPES, TaskType, answers, label_names
from training import records

MOST_ROWS = 100_000
MOST_SECONDS = 4.0  # somebody waits for the page
SHOWN_LABELS = 100
LONGEST_SLUG = 40


@dataclass(frozen=True, slots=True)
class Survey:
    """What the rows of a file hold: labels with their number of rows, the most frequent first.

    `is_whole` tells that all rows were read; `labels` are at most `SHOWN_LABELS` of `distinct`.
    """

    rows: int
    labelled: int
    labels: list[tuple[str, int]]
    distinct: int
    is_whole: bool


def begin(*, by: User, file: File[bytes], name: str) -> Import:
    """Make a project that is called like its file, and keep the file in it.

    Raises `FileError` for a file that is no table, and `Refused`; then nothing is made.
    """
    stem = Path(name).stem[:200].strip() or "project"
    upload = job.keep(project=Project(task=task_types.first()), user=by, file=file, name=name)
    try:
        task = _likeliest(upload)
        upload.mapping = job.guessed(upload, TASK_TYPES[task])
        with transaction.atomic():
            upload.project = projects.create_project(
                by=by, name=stem, slug=_free_slug(stem), task=task, labels=[]
            )
            upload.save()
            events.record(EventKind.UPLOADED, by=by, project=upload.project, subject=upload.name)
    except BaseException:
        upload.file.delete(save=False)
        raise
    return upload


def _free_slug(stem: str) -> str:
    slug = slugify(stem)[:LONGEST_SLUG] or "project"
    taken = set(Project.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    number = 1
    while (name := slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return name


def _likeliest(upload: Import) -> str:
    """Return the task whose answers the first rows look like: several labels in some cell, or one in each."""
    single = task_types.first()
    several = next((kind for kind in TASK_TYPES.values() if kind.separators), None)
    if several is None:
        return single
    rows, mapping, _findings = job.preview(upload)
    cells = [row.cells.get(mapping.label) for row in rows if not row.problem]
    if any(isinstance(cell, list) and len(cell) > 1 for cell in cells):
        return several.task.key
    texts = [cell for cell in cells if isinstance(cell, str) and cell]
    for mark in several.separators:
        parts = Counter(part.strip() for cell in texts for part in cell.split(mark))
        # Parts of lists come again in other cells; a comma in a name does not make parts that do.
        if any(mark in cell for cell in texts) and len(parts) < len(set(texts)):
            return several.task.key
    return single


def is_new(project: Project) -> bool:
    """Tell whether a project has nothing but its first file, so that all of it can still be chosen."""
    return not (project.documents.exists() or project.labels.exists() or project.versions.exists())


def survey(upload: Import, mapping: ColumnMapping, task_type: TaskType) -> Survey:
    """Count the labels of a file by a mapping, for as long and as far as a page may take."""
    labels: Counter[str] = Counter()
    rows = labelled = 0
    is_whole, until = True, time.monotonic() + MOST_SECONDS
    with job.on_disk(upload) as path:
        options = replace(mapping.options(), max_seconds=int(2 * MOST_SECONDS))
        try:
            for row in mapping.rows(records.read(path, options, name=upload.name), task_type):
                rows += 1
                if row.answer is not None and (names := answers.labels_of(row.answer)):
                    labelled += 1
                    labels.update({label_names.tidy(str(name)) for name in names})
                if rows == MOST_ROWS or time.monotonic() > until:
                    is_whole = False
                    break
        except records.FileError:
            is_whole = False  # what comes before the break is stored, and the import tells of it
    found = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    return Survey(rows, labelled, found[:SHOWN_LABELS], len(found), is_whole)


@transaction.atomic
def start(*, upload: Import, by: User, mapping: ColumnMapping, changes: Mapping[str, Any]) -> bool:
    """Give the project its name, short name and task, and queue the import; False where it is under way.

    Raises `Refused` where the short name is taken.
    """
    projects.set_up(project=upload.project, by=by, changes=changes)
    upload.project.refresh_from_db()
    if upload.state != UPLOADED:
        return False
    return job.start(upload=upload, mapping=replace(mapping, create_labels=True), dry_run=False, by=by)
