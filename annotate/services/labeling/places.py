"""Decides how many places a document has in the queue; all code that queues documents asks here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta
from itertools import count, islice
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotate.models import Annotation, Assignment, Batch, Document, Project, User
from annotate.models.annotations import Outcome
from annotate.models.events import EventKind
from annotate.models.queue import AssignmentQuerySet, AssignmentState
from annotate.services import events

STEP = 1e-4  # seconds between the ranks of two documents that are queued at once
HANDED_FOR = timedelta(days=7)  # that a document waits for the one person whom it was handed to
MOST_KEYS = 500  # in one statement


def wanted(project: Project) -> int:
    """Return how many places a document of the project should have, and keep others from filling its queue.

    The row of the project is the lock, so it is read anew: a lead may just have changed the number. SQLite
    needs no lock of its own, for there one transaction writes at a time.

    Every transaction that locks the project does so before it locks anything else. The lock is `no_key`: a
    row that refers to the project, as a decision does, can be committed meanwhile.
    """
    row = Project.objects.select_for_update(no_key=True).filter(pk=project.pk)
    return row.values_list("annotators_per_document", flat=True).get()


def missing(wanted: int, slots: Collection[int], answers: int = 0) -> list[int]:
    """Return the slots that a document lacks, which holds `slots` already.

    `answers` were given without a place, as by the API or after a lease had gone to somebody else; each of
    them counts like a place.
    """
    free = (slot for slot in count() if slot not in slots)
    return list(islice(free, max(0, wanted - len(slots) - answers)))


def append(
    *,
    project: Project,
    documents: Iterable[Document],
    number: int,
    batch: Batch | None,
    start: float | None = None,
    drawn: Collection[int] = (),
    novel: Collection[int] = (),
) -> list[Assignment]:
    """Queue documents that have no place yet at `number` places each: from the rank `start` on, or last.

    Ranks are times, so that no place has to be read. `drawn` are the keys of those drawn at random, `novel`
    of those that are unlike what has a label.
    """
    slots, start = missing(number, ()), time.time() if start is None else start
    return Assignment.objects.bulk_create(
        Assignment(
            project=project,
            document=document,
            batch=batch,
            slot=slot,
            rank=start + i * STEP,
            is_random=document.pk in drawn,
            is_novel=document.pk in novel,
        )
        for i, document in enumerate(documents)
        for slot in slots
    )


@transaction.atomic
def fit(*, project: Project, keys: Collection[int] | None = None) -> None:
    """Give what is queued, or was decided on, the number of places that the project wants now.

    A missing place gets the rank of its document's first one. A place too many goes while it waits, the last
    slot first; a place that somebody has or had stays. `document` narrows it down to one.
    """
    number = wanted(project)
    documents = Document.objects.filter(project=project)
    if keys is not None:
        documents = documents.filter(pk__in=keys)
    own = Assignment.objects.filter(document=OuterRef("document"), annotator=OuterRef("annotator"))
    without_place = Annotation.objects.answered().filter(~Exists(own), annotator__is_machine=False)
    counted = documents.annotate(
        place_count=_count(Assignment.objects.all()), answer_count=_count(without_place)
    )
    unfit = counted.exclude(place_count=0, answer_count=0).exclude(place_count=number - F("answer_count"))
    answers = dict(unfit.values_list("pk", "answer_count"))
    held: dict[int, list[Assignment]] = defaultdict(list)
    known = Assignment.objects.filter(document__in=unfit.values("pk")).order_by("slot")
    for place in known:
        held[place.document_id].append(place)
    # NB: a place that somebody leases at this moment is skipped, not waited for: the transaction of that
    # person may wait for this one, to fill the queue.
    waiting: dict[int, list[int]] = defaultdict(list)
    for key, pk in known.waiting().select_for_update(skip_locked=True).values_list("document", "pk"):
        waiting[key].append(pk)
    fresh, surplus = list[Assignment](), list[int]()
    for i, key in enumerate(sorted(answers)):
        slots = [place.slot for place in held[key]]
        first = min(held[key], key=lambda place: place.rank, default=None)
        fresh += [
            Assignment(
                project=project,
                document_id=key,
                batch_id=first.batch_id if first else None,
                slot=slot,
                rank=first.rank if first else time.time() + i * STEP,
                is_random=first is not None and first.is_random,
                is_novel=first is not None and first.is_novel,
            )
            for slot in missing(number, slots, answers[key])
        ]
        too_many = max(0, len(slots) + answers[key] - number)
        surplus += waiting[key][max(0, len(waiting[key]) - too_many) :]
    Assignment.objects.bulk_create(fresh)
    for start in range(0, len(surplus), MOST_KEYS):
        Assignment.objects.filter(pk__in=surplus[start : start + MOST_KEYS]).delete()


def _count(rows: QuerySet[Any]) -> Coalesce:
    """Count the rows of each document in a query of its own, since two joins would multiply each other."""
    mine = rows.filter(document=OuterRef("pk")).order_by().values("document")
    return Coalesce(Subquery(mine.annotate(n=Count("pk")).values("n")), 0)


def give(place: QuerySet[Assignment], *, annotator: User, **values: Any) -> bool:
    """Give one place to `annotator`; False where somebody else has it, or they hold another of its document.

    NB: two pages of one person do so at once where a document has several places: each skips the place that
    the other has locked. The constraint makes the second wait for the first, and then refuses it; without a
    savepoint that would end the caller's transaction. SQLite, with one writer at a time, needs none.
    """
    if not connection.features.has_select_for_update_skip_locked:
        return place.update(annotator=annotator, **values) == 1
    try:
        with transaction.atomic():
            return place.update(annotator=annotator, **values) == 1
    except IntegrityError:
        return False


def take(*, document: int, annotator: User) -> bool:
    """Use up a place for a decision that was made without one: nobody need be asked for it again.

    False where every place of the document is somebody else's.
    """
    free = [AssignmentState.WAITING, AssignmentState.LISTED]
    waiting = Assignment.objects.filter(document=document, state__in=free)
    # NB: somebody may lease that place at this moment; then it is theirs.
    while first := waiting.order_by("slot").first():
        if give(waiting.filter(pk=first.pk), annotator=annotator, state=AssignmentState.DONE):
            return True
        own = Assignment.objects.filter(document=document, annotator=annotator)
        if own.update(state=AssignmentState.DONE, expires_at=None):
            return True
    return not Assignment.objects.filter(document=document).exists()


def give_back(*, annotator: User, project: Project | None = None) -> int:
    """Let what somebody holds wait for others, in one project or in all; return how many places that were."""
    held = Assignment.objects.leased().filter(annotator=annotator)
    if project is not None:
        held = held.filter(project=project)
    # Locked by key, as by the pages that may renew these leases at this moment.
    locked = held.order_by("pk").select_for_update(no_key=True)
    return Assignment.objects.filter(pk__in=locked.values("pk")).update(
        state=AssignmentQuerySet.WAITS, annotator=None, card=None, expires_at=None, is_ahead=False
    )


@transaction.atomic
def return_to_queue(*, annotation: Annotation, by: User | None = None) -> bool:
    """Offer a document whose answer is skipped, flagged or withdrawn again: to the same annotator first.

    An expired lease does just that, and is at once open to others too. False where there is nothing to
    return: the document has as many answers and open places as the project wants, or the annotator has it
    already, or has just answered it.

    NB: the annotation is locked, and read anew, before the place, as by a decision: its annotator may revise
    it at this moment.
    """
    number = wanted(annotation.project)
    standing = Annotation.objects.select_for_update(no_key=True).filter(pk=annotation.pk).first()
    places = Assignment.objects.filter(document=annotation.document_id)
    answers = Annotation.objects.answered().filter(document=annotation.document_id)
    open_places = places.exclude(state=AssignmentState.DONE)
    if (
        standing is None
        or standing.outcome == Outcome.ANSWERED
        or open_places.count() + answers.filter(annotator__is_machine=False).count() >= number
    ):
        return False
    # NB: the list that it may have been in could be closed.
    lease = {
        "state": AssignmentState.LEASED,
        "expires_at": timezone.now(),
        "card": None,
        "work_list": None,
    }
    own = places.filter(annotator=annotation.annotator_id)
    if own.exists() and not own.filter(state=AssignmentState.DONE).update(**lease):
        return False
    if not own.exists():
        _add(annotation, places, lease)
    events.record(
        EventKind.RETURNED,
        by=by,
        project=annotation.project,
        document=annotation.document,
        subject=annotation.annotator.get_username(),
    )
    return True


@transaction.atomic
def hand_to(*, document: Document, person: User, by: User) -> bool:
    """Keep a place of a document for one person: they are asked next, and for a week nobody else is.

    It is a lease of that place; once they have had the card before them it runs out as any other, and others
    may be asked. False where the person has answered the document, or has it already.
    """
    wanted(document.project)  # locks the project, as places are counted and added
    answered = Annotation.objects.answered().filter(document=document, annotator=person)
    of_document = Assignment.objects.filter(document=document)
    own = of_document.filter(annotator=person)
    if answered.exists() or own.exclude(state=AssignmentState.DONE).exists():
        return False
    lease = {
        "state": AssignmentState.LEASED,
        "expires_at": timezone.now() + HANDED_FOR,
        "card": None,
        "is_ahead": False,
        "work_list": None,
    }
    first = of_document.waiting().order_by("slot").first()
    is_given = own.update(**lease) or (
        first is not None and give(of_document.waiting().filter(pk=first.pk), annotator=person, **lease)
    )
    if not is_given:
        slots = set(of_document.values_list("slot", flat=True))
        Assignment.objects.create(
            project=document.project,
            document=document,
            annotator=person,
            slot=missing(len(slots) + 1, slots)[0],
            rank=time.time(),
            **lease,
        )
    events.record(
        EventKind.HANDED_TO,
        by=by,
        project=document.project,
        document=document,
        subject=person.get_username(),
    )
    return True


def _add(annotation: Annotation, places: QuerySet[Assignment], lease: dict[str, Any]) -> None:
    slots = set(places.values_list("slot", flat=True))
    Assignment.objects.create(
        project=annotation.project,
        document_id=annotation.document_id,
        annotator_id=annotation.annotator_id,
        slot=missing(len(slots) + 1, slots)[0],
        rank=time.time(),
        **lease,
    )
