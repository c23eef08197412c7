"""Decides who labels which document next: leases on places of the queue, and how the queue is filled."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone

from annotate import queues
from annotate.models import (
    Annotation,
    Assignment,
    Batch,
    Card,
    Document,
    ModelVersion,
    Prediction,
    Project,
    User,
    WorkerPulse,
    WorkList,
)
from annotate.models.documents import Lane
from annotate.models.projects import Suggestions
from annotate.models.queue import AssignmentQuerySet, AssignmentState
from annotate.services.labeling import hot_queries, places
from annotate.services.labeling.hot_queries import CompiledQuery
from annotate.services.llm import answers
from training.types import Answer

TOP_UP = 60
NEW_TOPICS = "new_topics"  # the strategy of a batch that stays in front of what models choose
# Random documents only bridge the time until a choice arrives, so fewer are put in then.
BRIDGE = 20
RELEASE_SECONDS = 15  # more than the 10 seconds between two pulses of a labelling page


@dataclass(frozen=True, slots=True)
class Dealt:
    """A card with its document; `version` is the number of the model that chose or suggests.

    Only the document's key, text, lane and prediction are read; other fields are read on demand.
    """

    place: int
    card: Card
    document: Document
    version: int | None
    is_commented: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of `hot_queries.PLACE`: a place of the queue as it was found."""

    pk: int
    state: str
    card: uuid.UUID | None
    annotator: int | None
    chosen_by: int | None
    is_ahead: bool
    document: int
    text: str
    lane: str
    predicted_by: int | None
    predicted_by_number: int | None
    predicted: Answer | None
    is_commented: bool


@dataclass(frozen=True, slots=True)
class PlaceSource:
    """Where places come from: the queries that find them."""

    free_or_mine: CompiledQuery
    next_waiting: CompiledQuery
    held_ahead_by_others: CompiledQuery


QUEUE = PlaceSource(hot_queries.FREE_OR_MINE, hot_queries.NEXT_WAITING, hot_queries.HELD_AHEAD_BY_OTHERS)
LIST = PlaceSource(
    hot_queries.LISTED_FREE_OR_MINE, hot_queries.NEXT_LISTED, hot_queries.LISTED_AHEAD_BY_OTHERS
)


def claim(*, project: Project, annotator: User) -> Assignment | None:
    """Lease the next place to `annotator` and set its `card`; a lease that they hold already comes first."""
    with transaction.atomic():
        dealt = deal(project=project, annotator=annotator)
    dealt = dealt or deal_from_filled(project=project, annotator=annotator)
    return Assignment.objects.select_related("document").get(pk=dealt.place) if dealt else None


def deal(
    *,
    project: Project,
    annotator: User,
    besides: Collection[uuid.UUID] = (),
    is_ahead: bool = False,
    takes_over: bool = False,
    work_list: WorkList | None = None,
) -> Dealt | None:
    """Lease a place within the caller's transaction, of the queue or of a list; None where none is free.

    `besides` are cards that the page has already. `is_ahead` leases a place for a card that is not shown yet;
    with `takes_over` such a place of somebody else is better than none.

    NB: it never fills the queue. That needs the lock of the project, and whoever holds places while waiting
    for it waits for ever on PostgreSQL: the one who holds the project may be waiting for these places.
    """
    now = timezone.now()
    while place := _candidate(project, annotator, now, besides, takes_over, work_list):
        # NB: a PostgreSQL reader may hold a candidate that another one has just taken; the UPDATE decides.
        unchanged = Assignment.objects.filter(pk=place.pk, state=place.state, card=place.card)
        is_shown = place.card if place.annotator == annotator.pk else None
        key = is_shown or uuid.uuid4()
        expiry = _expiry(project, now)
        # What another page of this person shows stays theirs: nobody takes it over.
        stays_unseen = is_ahead and (place.is_ahead or not is_shown)
        lease = {"state": AssignmentState.LEASED, "expires_at": expiry, "card": key, "is_ahead": stays_unseen}
        if places.give(unchanged, annotator=annotator, **lease):
            document = _document(place)
            shown = Card.objects.select_related("shown_version").defer("shown_version__report")
            if is_shown and (earlier := shown.filter(key=key).first()):
                card = earlier
                suggested_by = card.shown_version.number if card.shown_version else None
            else:  # NB: also where the card of a lease is gone, as from a backup that was put back
                card = _new_card(project, document, key, annotator)
                suggested_by = place.predicted_by_number if card.shown_version_id else None
            version = place.chosen_by or suggested_by
            return Dealt(place.pk, card, document, version, place.is_commented)
    return None


@transaction.atomic
def deal_from_filled(
    *,
    project: Project,
    annotator: User,
    besides: Collection[uuid.UUID] = (),
    work_list: WorkList | None = None,
) -> Dealt | None:
    """Lease a place where `deal` found none, after filling the queue if it is still empty; a list has an end.

    Where nothing is left to fill it with, a place goes over that somebody only holds ahead.

    Call it in a transaction that holds no places yet: it begins with the lock of the project.
    """
    places.wanted(project)
    wanted: Any = {"project": project, "annotator": annotator, "besides": besides, "work_list": work_list}
    found = deal(**wanted)
    if found is None and work_list is None and top_up(project=project):
        found = deal(**wanted)
    return found or deal(**wanted, takes_over=True)


@transaction.atomic
def renew(*, project: Project, annotator: User, cards: Collection[uuid.UUID]) -> int:
    """Extend the leases of cards that a page still holds; return how many are still the annotator's."""
    mine = Assignment.objects.leased().filter(project=project, annotator=annotator, card__in=cards)
    return _locked_in_order(mine).update(expires_at=_expiry(project, timezone.now()))


@transaction.atomic
def release(*, annotator: User, cards: Collection[uuid.UUID]) -> int:
    """Let the leases of a closed page run out soon; return how many.

    Not at once: another page of the same person may show the card, as after a reload, and its pulse renews
    the lease within this time.
    """
    soon = timezone.now() + timedelta(seconds=RELEASE_SECONDS)
    mine = Assignment.objects.leased().filter(card__in=cards, annotator=annotator, expires_at__gt=soon)
    return _locked_in_order(mine).update(expires_at=soon)


def _locked_in_order(leases: AssignmentQuerySet) -> AssignmentQuerySet:
    """Return the leases for an UPDATE that locks them by key: two of one person's pages may name the same."""
    locked = leases.order_by("pk").select_for_update(no_key=True)
    return Assignment.objects.filter(pk__in=locked.values("pk"))


def _candidate(
    project: Project,
    annotator: User,
    now: datetime,
    besides: Collection[uuid.UUID],
    takes_over: bool,
    work_list: WorkList | None,
) -> _Place | None:
    """Return the annotator's own place, else one whose lease ran out, else the first that waits.

    Of the annotator's own, one that was on the screen comes first, as after a reload.
    """
    if work_list is not None and work_list.closed_at is not None:
        return None
    if work_list is None:
        asked, source = {"project": project.pk, "annotator": annotator.pk}, QUEUE
    else:
        asked, source = {"work_list": work_list.pk, "annotator": annotator.pk}, LIST
    held = [_Place(*row) for row in source.free_or_mine.rows(**asked, now=now)]
    for place in sorted(held, key=lambda place: (place.annotator != annotator.pk, place.is_ahead)):
        is_mine = place.annotator == annotator.pk
        if place.card in besides:
            continue
        if is_mine or Assignment.objects.filter(pk=place.pk).open_to(annotator).exists():
            return place
    row = source.next_waiting.first(**asked)
    if row is None and takes_over:
        row = source.held_ahead_by_others.first(**asked)
    return _Place(*row) if row else None


def _new_card(project: Project, document: Document, key: uuid.UUID, annotator: User) -> Card:
    """Record what is shown with the card. A suggestion on a holdout document would bias the figures.

    A suggestion without a version is an LLM's.
    """
    card = Card(key=key, document=document, annotator=annotator)
    if project.suggestions != Suggestions.NEVER:
        prediction = getattr(document, "prediction", None) if document.lane == Lane.POOL else None
        if prediction:
            card.shown_version_id, card.shown = prediction.version_id, prediction.answer
        else:
            card.shown = answers.suggested(project=project, document=document)
    card.save(force_insert=True)
    return card


def _document(place: _Place) -> Document:
    document = Document.from_db(
        connection.alias, ["id", "text", "lane"], [place.document, place.text, place.lane]
    )
    found: Prediction | None = None
    if place.predicted_by is not None:
        found = Prediction(document=document, version_id=place.predicted_by, answer=place.predicted)
    # None is set as well, or the document would query for its prediction.
    Document.prediction.related.set_cached_value(document, found)
    return document


def _expiry(project: Project, now: datetime) -> datetime:
    return now + timedelta(seconds=project.lease_seconds)


@transaction.atomic
def top_up(*, project: Project) -> int:
    """Append a block of documents in random order, holdout ones among them; return how many places.

    Where a choice by a model is on its way, holdout documents bridge the time, up to twice their set share:
    their labels are needed in any case, and a random pool document would use up a label that the model could
    have placed better.
    """
    number = places.wanted(project)
    # The first batch is chosen by a worker that embeds the texts, before there is any run.
    is_choice_coming = project.runs.live().quick().exists() or (
        not project.batches.exists() and WorkerPulse.objects.alive().filter(queue=queues.TRAINING).exists()
    )
    size = BRIDGE if is_choice_coming else TOP_UP
    if not is_choice_coming:
        wanted = _draw_holdout(project, size)
    elif project.holdout_queue_share:
        placed = project.assignments.count()
        queued = project.assignments.filter(document__lane=Lane.HOLDOUT).count()
        # Without a limit, fast annotators would label hardly anything but holdout documents.
        allowed = max(2 * BRIDGE, int(2 * project.holdout_queue_share * (placed + size)))
        wanted = min(size, max(0, allowed - queued))
    else:
        wanted = 0
    holdout = _unassigned(project, Lane.HOLDOUT, wanted)
    pool = _unassigned(project, Lane.POOL, size - len(holdout))
    if len(holdout) + len(pool) < size:
        holdout += _unassigned(project, Lane.HOLDOUT, size - len(pool) - len(holdout), besides=holdout)
    documents = holdout + pool
    random.shuffle(documents)
    drawn = {document.pk for document in pool}
    return len(places.append(project=project, documents=documents, number=number, batch=None, drawn=drawn))


@transaction.atomic
def refill(
    *,
    project: Project,
    strategy: str,
    version: ModelVersion | None,
    documents: Sequence[int],
    drawn: Collection[int] = (),
    novel: Collection[int] = (),
) -> Batch:
    """Put chosen documents at the front of the queue, most wanted first, in place of untouched older ones.

    What `put_first` has put there stays in front of them.
    `documents` are keys; those that somebody has meanwhile are left out. Those that are `drawn` came at
    random, and `novel` ones because they are unlike what has a label. Each place of the batch is a holdout
    document with the project's probability, so that reported figures grow with the pool's labels.
    """
    number = places.wanted(project)
    batch = Batch.objects.create(project=project, strategy=strategy, version=version)
    queued = Assignment.objects.filter(project=project)
    touched = queued.exclude(state=AssignmentState.WAITING).values("document")
    decided = Annotation.objects.filter(project=project, annotator__is_machine=False).values("document")
    untouched = queued.waiting().exclude(document__in=touched).exclude(document__in=decided)
    untouched.exclude(pk__in=queued.filter(batch__strategy=NEW_TOPICS).values("pk")).delete()
    mixed = _with_holdout(project, documents)
    places.append(project=project, documents=mixed, number=number, batch=batch, drawn=drawn, novel=novel)
    return batch


@transaction.atomic
def put_first(*, project: Project, version: ModelVersion | None, documents: Sequence[int]) -> Batch:
    """Put documents in front of all that waits, holdout documents among them; later choices leave them there.

    `documents` are keys; those that are queued already stay where they are.
    """
    number = places.wanted(project)
    batch = Batch.objects.create(project=project, strategy=NEW_TOPICS, version=version)
    waiting = Assignment.objects.filter(project=project).waiting()
    first = waiting.aggregate(rank=Min("rank"))["rank"]
    mixed = _with_holdout(project, documents)
    start = None if first is None else first - (len(mixed) + 1) * places.STEP
    places.append(project=project, documents=mixed, number=number, batch=batch, start=start)
    return batch


def _with_holdout(project: Project, keys: Sequence[int]) -> list[Document]:
    """Return the documents of the keys that nobody has, with holdout documents by the project's share."""
    free = Document.objects.filter(project=project).unassigned().in_bulk(list(keys))
    chosen = [free[key] for key in keys if key in free]
    holdout = _unassigned(project, Lane.HOLDOUT, _draw_holdout(project, len(chosen)))
    size = len(chosen) + len(holdout)
    is_holdout = set(random.sample(range(size), len(holdout)))
    ahead, aside = iter(chosen), iter(holdout)
    return [next(aside if i in is_holdout else ahead) for i in range(size)]


def _draw_holdout(project: Project, size: int) -> int:
    return sum(random.random() < project.holdout_queue_share for _ in range(size))


def _unassigned(project: Project, lane: str, n: int, *, besides: Sequence[Document] = ()) -> list[Document]:
    if n <= 0:
        return []
    documents = Document.objects.filter(project=project, lane=lane).unassigned().defer("text", "meta")
    others = documents.exclude(pk__in=[document.pk for document in besides])
    return others.at_random(n, f"{random.getrandbits(256):064x}")
