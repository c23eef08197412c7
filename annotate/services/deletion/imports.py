"""An import is taken back: undone while nobody has worked on it, or its documents are deleted in any case."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import (
    Annotation,
    Card,
    Comment,
    Document,
    HandedOnAnswer,
    Import,
    ImportChange,
    ImportProblem,
    Label,
    Project,
    User,
)
from annotate.models.events import EventKind
from annotate.models.imports import UPLOADED, ImportRemoval
from annotate.models.work import LIVE_STATES, WorkState
from annotate.services import events
from annotate.services.deletion import document, documents, restoration
from annotate.services.deletion.document import FirstAnswer, made_of
from annotate.services.labeling import write_lock
from annotate.services.projects.refused import Refused
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded

MOST_COUNTED = 10_000
PAUSE_SECONDS = 0.02  # between two transactions, so that others get their turn


@dataclass(frozen=True, slots=True)
class ImportContents:
    """What goes with an import.

    `labelled` documents have an answer of a person, and `worked_on` ones that or a comment, or were shown on
    a card. `changed` documents were there before. `versions` were made of answers to its documents, or may
    have been. `files` are the uploads that may hold its texts.
    """

    documents: int
    labelled: int
    worked_on: int
    changed: int
    versions: list[int]
    files: list[str]


def contents(upload: Import) -> ImportContents:
    own = Document.objects.filter(source=upload)
    answers = Annotation.objects.answered().filter(document__source=upload)
    return ImportContents(
        documents=own.count(),
        labelled=answers.filter(annotator__is_machine=False).values("document").distinct().count(),
        worked_on=len(_worked_on(upload)),
        changed=upload.changes.count(),
        versions=made_of(upload.project, FirstAnswer.of(answers)),
        files=list(document.files_with(upload.project, [upload.pk]).values_list("name", flat=True)),
    )


def _worked_on(upload: Import) -> set[int]:
    """Return documents of an import that somebody has worked on, up to `MOST_COUNTED` of each way to do so.

    NB: from what people did, which is little where an import is large.
    """
    found: set[int] = set()
    by_people = Annotation.objects.filter(annotator__is_machine=False)
    for rows in (by_people, Comment.objects.all(), Card.objects.all(), HandedOnAnswer.objects.all()):
        of_import = rows.filter(document__source=upload).order_by()
        found.update(of_import.values_list("document", flat=True).distinct()[:MOST_COUNTED])
    return found


def worked_on() -> Q:
    """Return which documents somebody has worked on, or has on the screen."""
    of_document = {"document": OuterRef("pk")}
    return Q(
        Exists(Annotation.objects.filter(annotator__is_machine=False, **of_document))
        | Exists(Comment.objects.filter(**of_document))
        | Exists(Card.objects.filter(**of_document))
        | Exists(HandedOnAnswer.objects.filter(**of_document))
    )


def may_be_taken_back(upload: Import) -> bool:
    """Tell whether an import is over and has stored something that is still there."""
    if upload.dry_run or upload.state == UPLOADED or upload.is_live:
        return False
    return upload.documents.exists() or upload.changes.exists()


@transaction.atomic
def begin(*, upload: Import, removal: ImportRemoval, by: User) -> list[Import]:
    """Queue the removal; return the import to wake a worker for, none where there is nothing to take back.

    Raises `Refused` while another import runs, and where somebody has worked on what is to be undone.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=upload.project_id)
    upload = Import.objects.get(pk=upload.pk)
    if not may_be_taken_back(upload):
        return []
    if project.imports.live().exists():
        raise Refused(
            _("An import is under way and may bring these texts again. Wait for its end or cancel it first.")
        )
    counts = contents(upload)
    if removal == ImportRemoval.UNDO and counts.worked_on:
        sentence = ngettext(
            "People have worked on %(n)d document of this import, so it cannot be undone. Its documents can "
            "still be deleted, with what people said of them.",
            "People have worked on %(n)d documents of this import, so it cannot be undone. Its documents can "
            "still be deleted, with what people said of them.",
            counts.worked_on,
        )
        raise Refused(sentence % {"n": counts.worked_on})
    Import.objects.filter(pk=upload.pk).exclude(state__in=LIVE_STATES).update(
        state=WorkState.QUEUED,
        removal=removal,
        error="",
        attempt=0,
        queued_at=timezone.now(),
        woken_at=timezone.now(),  # by the caller, after the commit
        cancelled_by=None,
        finished_at=None,
    )
    kind = EventKind.IMPORT_UNDONE if removal == ImportRemoval.UNDO else EventKind.IMPORT_DELETED
    events.record(
        kind, by=by, project=project, subject=upload.name, documents=counts.documents, changed=counts.changed
    )
    upload.refresh_from_db()
    return [upload]


def run(import_id: int) -> Import | None:
    upload = perform(Import, import_id, _take_back)
    if upload is not None:
        upload.refresh_from_db()
    return upload


def _take_back(upload: Import) -> Import:
    """Remove an import's documents, and where it is undone restore the others; a killed one goes on."""
    if not upload.removal:  # it was started anew since this worker was woken
        lease.give_back(row=upload)
        raise Superseded
    is_undo, meter = upload.removal == ImportRemoval.UNDO, ProgressMeter(upload)
    everything, last = upload.removed + upload.documents.count(), 0
    while keys := _next(upload, last):
        meter("remove", upload.removed / max(1, everything))
        removed = _remove(upload, keys, is_undo=is_undo)
        upload.removed += removed
        last = keys[-1]
        time.sleep(PAUSE_SECONDS)
    while is_undo and (changes := list(upload.changes.order_by("pk")[: documents.CHUNK])):
        meter("remove", 1.0)
        _restore(upload, changes)
        time.sleep(PAUSE_SECONDS)
    _forget(upload, is_undo=is_undo)
    return upload


def _next(upload: Import, last: int) -> list[int]:
    own = upload.documents.filter(pk__gt=last).order_by("pk")
    return list(own.values_list("pk", flat=True)[: documents.CHUNK])


def _remove(upload: Import, keys: Collection[int], *, is_undo: bool) -> int:
    """Remove and count documents in one transaction; an undo leaves those that were worked on since."""
    with write_lock.in_turn():
        Project.objects.select_for_update(no_key=True).get(pk=upload.project_id)
        own: QuerySet[Document] = Document.objects.filter(source=upload, pk__in=keys)
        if is_undo:
            # NB: the lock waits for whoever is just storing a decision, which the next query sees then.
            list(own.select_for_update().order_by("pk").values_list("pk"))
            own = own.exclude(worked_on())
        removed = documents.remove(project=upload.project, keys=list(own.values_list("pk", flat=True)))
        if not lease.beat(row=upload, removed=upload.removed + removed):
            raise Superseded
    return removed


def _restore(upload: Import, changes: Collection[ImportChange]) -> None:
    with write_lock.in_turn():
        project = Project.objects.select_for_update(no_key=True).get(pk=upload.project_id)
        upload.restored += restoration.restore(project, changes)
        ImportChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
        if not lease.beat(row=upload, restored=upload.restored):
            raise Superseded


@transaction.atomic
def _forget(upload: Import, *, is_undo: bool) -> None:
    """Remove the file and what is told of its rows, and where the import is undone the labels that it made.

    Such a label stays where an answer has it; where a model or an LLM may know it, it is archived.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=upload.project_id)
    document.forget_files(project, [upload.pk])
    ImportProblem.objects.filter(source=upload).delete()
    if is_undo:
        unused = Label.objects.filter(project=project, pk__in=upload.made_labels, choices=None, spans=None)
        if project.versions.exists() or project.llm_answers.exists():
            unused.filter(archived_at=None).update(archived_at=timezone.now())
        else:
            unused.delete()
    if not lease.beat(row=upload, missing={}, unfit={}, spellings={}, made_labels=[]):
        raise Superseded
