"""The cards that a labelling page holds behind the one on the screen, so that the next is there at once.

A page says with each request what it holds. Only the page lets a card go, while nobody has seen it, and says
so with its next request; until then its place is nobody else's. So no card is answered whose place was given
away.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from annotate.models import Assignment, Project, User, WorkList
from annotate.models.documents import Lane
from annotate.models.projects import Suggestions
from annotate.models.queue import AssignmentQuerySet
from annotate.services.labeling import hot_queries, places, queue

AHEAD = 2


@dataclass(frozen=True, slots=True)
class Held:
    """What a page holds, by the keys of its cards; `ahead` are in the order in which it will show them."""

    shown: uuid.UUID | None = None
    ahead: tuple[uuid.UUID, ...] = ()
    decided: tuple[uuid.UUID, ...] = ()
    """Those whose decisions wait in the browser."""
    returned: tuple[uuid.UUID, ...] = ()
    """Those that the page has let go unseen."""


@dataclass(frozen=True, slots=True)
class Deck:
    """What a page gets: cards to put behind those that it holds, and the keys of those to let go."""

    dealt: Sequence[queue.Dealt]
    dropped: Sequence[uuid.UUID]


@dataclass(frozen=True, slots=True)
class _Lease:
    """A row of `hot_queries.HELD`."""

    card: uuid.UUID
    is_ahead: bool
    lane: str
    batch: int | None
    predicted_by: int | None
    suggested_by: int | None
    work_list: int | None


def fill(
    *,
    project: Project,
    annotator: User,
    held: Held,
    is_outdated: bool = False,
    work_list: WorkList | None = None,
) -> Deck:
    """Lease what is missing behind the card on the screen, within the caller's transaction.

    Where there is none on the screen, the first is leased for it. With `is_outdated`, all that is held ahead
    is to be let go, as where the labels have changed. Like `queue.deal`, it never fills the queue.
    """
    leases = _leases(project, annotator)
    _take_back(project, annotator, held.returned, leases)
    if held.shown in leases and leases[held.shown].is_ahead:
        _locked(annotator, (held.shown,)).update(is_ahead=False)
    dropped = held.ahead if is_outdated else _past(project, annotator, held.ahead, leases)
    known = {key for key in (held.shown, *held.ahead, *held.decided) if key}
    kept = len(held.ahead) - len(dropped)
    dealt = list[queue.Dealt]()
    while kept + len(dealt) < AHEAD + (held.shown is None):
        is_ahead = bool(held.shown or kept or dealt)
        found = queue.deal(
            project=project, annotator=annotator, besides=known, is_ahead=is_ahead, work_list=work_list
        )
        if found is None:
            break
        known.add(found.card.key)
        dealt.append(found)
    return Deck(dealt, dropped)


@transaction.atomic
def fill_from_filled(
    *, project: Project, annotator: User, held: Held, work_list: WorkList | None = None
) -> Deck:
    """Lease cards where `fill` left none to wait behind the one on the screen, after filling the queue.

    Else people would wait for the server whenever they reach the end of the queue. Call it in a transaction
    that holds no places yet: it begins with the lock of the project.
    """
    places.wanted(project)
    deck = fill(project=project, annotator=annotator, held=held, work_list=work_list)
    if not deck.dealt and work_list is None and queue.top_up(project=project):
        deck = fill(project=project, annotator=annotator, held=held)
    return deck


def past(*, project: Project, annotator: User, cards: Sequence[uuid.UUID]) -> Sequence[uuid.UUID]:
    """Return those of the cards held ahead that the page should let go.

    Their place is no longer the annotator's, or a newer batch has come, or a newer version's suggestion. A
    holdout document is chosen by no model, and has no suggestion.
    """
    return _past(project, annotator, cards, _leases(project, annotator)) if cards else ()


def _leases(project: Project, annotator: User) -> dict[uuid.UUID, _Lease]:
    rows = hot_queries.HELD.rows(project=project.pk, annotator=annotator.pk)
    return {lease.card: lease for lease in (_Lease(*row) for row in rows)}


def _past(
    project: Project, annotator: User, cards: Sequence[uuid.UUID], leases: dict[uuid.UUID, _Lease]
) -> Sequence[uuid.UUID]:
    if not cards:
        return ()
    newest = _newest_waiting(project, annotator)
    return [key for key in cards if key not in leases or _is_past(project, leases[key], newest)]


def _is_past(project: Project, lease: _Lease, newest: int) -> bool:
    if lease.lane != Lane.POOL:
        return False
    is_same = project.suggestions == Suggestions.NEVER or lease.predicted_by == lease.suggested_by
    return not is_same or _is_of_older_batch(lease, newest)


def _is_of_older_batch(lease: _Lease, newest: int) -> bool:
    """Tell whether a newer choice comes first; what is in a list was chosen by a lead."""
    return lease.work_list is None and (lease.batch or 0) < newest


def _newest_waiting(project: Project, annotator: User) -> int:
    """Return the key of the newest batch, or 0 where none of it waits for the annotator."""
    row = hot_queries.NEWEST_BATCH.first(project=project.pk, annotator=annotator.pk)
    return row[0] if row and row[1] else 0


def _take_back(
    project: Project, annotator: User, cards: Sequence[uuid.UUID], leases: dict[uuid.UUID, _Lease]
) -> None:
    """Let places wait again. One of an older batch goes behind all others; the next choice replaces it."""
    unseen = [key for key in cards if key in leases and leases[key].is_ahead]
    if not unseen:
        return
    newest = _newest_waiting(project, annotator)
    for key in unseen:
        lease = leases[key]
        is_chosen_anew = lease.lane == Lane.POOL and _is_of_older_batch(lease, newest)
        rank = {"rank": time.time()} if is_chosen_anew else {}
        _locked(annotator, (key,)).update(
            state=AssignmentQuerySet.WAITS, annotator=None, card=None, expires_at=None, is_ahead=False, **rank
        )
        del leases[key]


def _locked(annotator: User, cards: Sequence[uuid.UUID]) -> AssignmentQuerySet:
    """Return places held ahead that nobody else's transaction has locked: waiting for one could deadlock."""
    mine = Assignment.objects.filter(annotator=annotator, card__in=cards, is_ahead=True)
    return Assignment.objects.filter(pk__in=mine.select_for_update(skip_locked=True).values("pk"))
