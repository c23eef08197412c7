"""Lists of documents for named people: how far each is, and what is left of it for whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Project, User, WorkList
from annotate.models.events import EventKind
from annotate.models.queue import AssignmentQuerySet, AssignmentState
from annotate.services import events

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ListShare:
    """What one person has done of a list, and what they may still be asked about."""

    person: User
    done: int
    left: int


@dataclass(frozen=True, slots=True)
class ListProgress:
    """How many answers a list has of those that it wants; `others` were given by people who are not on it."""

    done: int
    total: int
    others: int
    shares: list[ListShare]

    @property
    def percent(self) -> int:
        return 100 * self.done // max(1, self.total)


def progress(work_list: WorkList) -> ListProgress:
    places = work_list.places.order_by()
    done = dict(places.filter(state=AssignmentState.DONE).values_list("annotator").annotate(n=Count("pk")))
    people = list(work_list.people.order_by("username"))
    shares = [ListShare(person, done.pop(person.pk, 0), left(work_list, person)) for person in people]
    others = sum(done.values())
    return ListProgress(sum(share.done for share in shares) + others, places.count(), others, shares)


def left(work_list: WorkList, annotator: User) -> int:
    """Count the documents that `annotator` has or may still get, without what others have open now."""
    if work_list.closed_at is not None:
        return 0
    return _open(work_list).open_to(annotator).values("document").distinct().count() + (
        work_list.places.filter(state=AssignmentState.LEASED, annotator=annotator).count()
    )


def _open(work_list: WorkList) -> AssignmentQuerySet:
    ran_out = Q(state=AssignmentState.LEASED, expires_at__lte=timezone.now())
    places: AssignmentQuerySet = work_list.places.all()
    return places.filter(Q(state=AssignmentState.LISTED) | ran_out)


def with_work(project: Project, annotator: User) -> list[WorkList]:
    """Return the open lists that something is left of for `annotator`."""
    mine = project.work_lists.filter(people=annotator, closed_at=None)
    return [work_list for work_list in mine if left(work_list, annotator)]


def open_lists(project: Project, person: User) -> list[tuple[WorkList, int]]:
    """Return the newest open lists of a project, each with what is left of it for `person`."""
    rows = list(project.work_lists.filter(closed_at=None)[:MOST_SHOWN])
    own = set(person.work_lists.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    return [(row, left(row, person) if row.pk in own else 0) for row in rows]


@transaction.atomic
def change_people(*, work_list: WorkList, people: Collection[int], by: User) -> bool:
    """Let others label a list from now on; False where they are its people already.

    What somebody has on the screen stays theirs until they send it or their lease runs out.
    """
    if set(work_list.people.values_list("pk", flat=True)) == set(people):
        return False
    work_list.people.set(people)
    names = list(work_list.people.order_by("username").values_list("username", flat=True))
    events.record(
        EventKind.LIST_CHANGED, by=by, project=work_list.project, subject=work_list.name, people=names
    )
    return True


def why_empty(work_list: WorkList) -> str:
    if work_list.closed_at is not None:
        return _("This list is closed: nothing more is asked of it.")
    if work_list.places.exclude(state=AssignmentState.DONE).exists():
        return _("What is left of this list is with others now, or is yours no more. Look again later.")
    return _("This list is done. Thank you.")
