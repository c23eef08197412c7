"""A bulk change from its preview to its end, and its undo: the row that a worker does in chunks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import BulkChange, BulkItem, Document, Label, Project, User, WorkList
from annotate.models.bulk import PREVIEWED, BulkAction, BulkOptions, ItemState
from annotate.models.events import EventKind
from annotate.models.work import WorkState
from annotate.services import events
from annotate.services.among import among
from annotate.services.bulk import lanes
from annotate.services.bulk.answers import AnswerAction
from annotate.services.bulk.found import Action, Why
from annotate.services.bulk.lanes import MoveAction
from annotate.services.bulk.queueing import ListAction, ReturnAction
from annotate.services.bulk.removal import DeleteAction
from annotate.services.deletion import documents
from annotate.services.documents import filters
from annotate.services.labeling import write_lock
from annotate.services.projects.refused import Refused
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded

ACTIONS: dict[str, Action] = {
    BulkAction.LABEL: AnswerAction(),
    BulkAction.ADD: AnswerAction(),
    BulkAction.REMOVE: AnswerAction(),
    BulkAction.RETURN: ReturnAction(),
    BulkAction.LIST: ListAction(),
    BulkAction.MOVE: MoveAction(),
    BulkAction.DELETE: DeleteAction(),
}
MOST = 100_000  # documents of one change
# Documents of one transaction, so that an annotator who waits gets the lock in between.
CHUNK = 1000
DELETED_AT_ONCE = documents.CHUNK
LOOKED_AT = 5000  # documents that a preview reads at once
PAUSE_SECONDS = 0.02  # between two transactions, so that others get their turn
UNDONE_WITHIN = timedelta(days=1)
TRIALS = 3  # of a chunk that two people's rows have met in


def preview(
    *,
    project: Project,
    by: User,
    action: str,
    options: BulkOptions,
    wanted: dict[str, Any],
    selected: Sequence[int] | None = None,
) -> BulkChange:
    """Find out what a change would do, to the documents that fit `wanted` or to the `selected` ones.

    It holds for these documents alone, whatever comes later. Raises `Refused`.
    """
    fit = filters.find(project, wanted)
    if selected is not None:
        fit = project.documents.filter(pk__in=selected)
    keys = list(fit.order_by("-pk").values_list("pk", flat=True)[: MOST + 1])
    if not keys:
        raise Refused(_("No document fits any more, so there is nothing to change."))
    if len(keys) > MOST:
        raise Refused(
            _("More than %(most)s documents fit. Narrow them down: one change takes so many.")
            % {"most": f"{MOST:,}"}
        )
    hits = len(keys)
    if action == BulkAction.MOVE:
        keys = lanes.with_near_duplicates(project, keys)
    bulk = BulkChange(
        project=project,
        by=by,
        action=action,
        options=options.dump(),
        packed=BulkChange.pack(keys),
        hits=hits,
    )
    counts: Counter[str] = Counter()
    for start in range(0, len(keys), LOOKED_AT):
        found = ACTIONS[action].find(bulk, keys[start : start + LOOKED_AT])
        counts += found.stays + Counter({ItemState.CHANGED: len(found.wanted)})
    bulk.counts = counts
    bulk.save()
    return bulk


@transaction.atomic
def confirm(*, bulk: BulkChange, by: User) -> list[BulkChange]:
    """Have a worker do what was previewed; return the row to wake one for, none where that is so already.

    Raises `Refused` for another lead, whose answers the preview has not looked at.
    """
    if bulk.by != by:
        raise Refused(_("Another lead has previewed this change. Make a preview of your own."))
    queued = {"state": WorkState.QUEUED, "queued_at": timezone.now(), "woken_at": timezone.now()}
    if not BulkChange.objects.filter(pk=bulk.pk, state=PREVIEWED).update(**queued):
        return []
    bulk.refresh_from_db()
    if bulk.action == BulkAction.LIST:
        bulk.work_list = WorkList.objects.create(project=bulk.project, name=bulk.wanted.name, made_by=by)
        bulk.work_list.people.set(bulk.wanted.people)
        bulk.save(update_fields=["work_list"])
    events.record(
        EventKind.BULK_CHANGED,
        by=by,
        project=bulk.project,
        subject=_subject(bulk),
        action=bulk.action,
        bulk=bulk.pk,
        documents=bulk.counts.get(ItemState.CHANGED, 0),
        hits=bulk.hits,
    )
    return [bulk]


def _subject(bulk: BulkChange) -> str:
    options = bulk.wanted
    names = bulk.project.labels.filter(pk__in=options.labels).values_list("name", flat=True)
    return ", ".join(names) or options.name or options.lane


def undo_until(bulk: BulkChange) -> datetime | None:
    """Return until when a change can be undone; None for one that cannot be.

    A list can be closed at any time, which is its undo.
    """
    if bulk.action in (BulkAction.DELETE, BulkAction.UNDO) or bulk.is_live or bulk.state == PREVIEWED:
        return None
    return (bulk.finished_at or bulk.created_at) + UNDONE_WITHIN


@transaction.atomic
def undo(*, bulk: BulkChange, by: User) -> list[BulkChange]:
    """Have a worker undo a change; none where that was asked for already. Raises `Refused`."""
    bulk = BulkChange.objects.select_for_update(no_key=True).select_related("project").get(pk=bulk.pk)
    if BulkChange.objects.filter(undoes=bulk).exists():
        return []
    until = undo_until(bulk)
    if bulk.is_live:
        raise Refused(_("This change is under way. Stop it first, or wait for its end."))
    if until is None:
        raise Refused(_("This cannot be undone."))
    if until < timezone.now() and bulk.action != BulkAction.LIST:
        raise Refused(
            _("It was done more than a day ago, so it can no longer be undone. Make another change instead.")
        )
    keys = list(bulk.items.order_by("-document").values_list("document", flat=True))
    if bulk.work_list_id:
        WorkList.objects.filter(pk=bulk.work_list_id, closed_at=None).update(closed_at=timezone.now())
    row = BulkChange.objects.create(
        project=bulk.project,
        by=by,
        action=BulkAction.UNDO,
        undoes=bulk,
        packed=BulkChange.pack(keys),
        hits=len(keys),
        state=WorkState.QUEUED,
        woken_at=timezone.now(),
    )
    events.record(
        EventKind.BULK_UNDONE,
        by=by,
        project=bulk.project,
        subject=_subject(bulk),
        action=bulk.action,
        bulk=bulk.pk,
        documents=len(keys),
    )
    return [row]


def run(bulk_id: int) -> BulkChange | None:
    """Do what was confirmed, from where a worker before this one stopped; return it where it is done."""
    return perform(BulkChange, bulk_id, _work, refusals=(Refused,))


def _work(bulk: BulkChange) -> BulkChange:
    keys, meter = bulk.keys, ProgressMeter(bulk)
    if bulk.position == 0:
        bulk.counts = {}
    size = min(CHUNK, DELETED_AT_ONCE) if bulk.action == BulkAction.DELETE else CHUNK
    while bulk.position < len(keys):
        meter("change", bulk.position / len(keys))
        _do_chunk(bulk, keys[bulk.position : bulk.position + size])
        time.sleep(PAUSE_SECONDS)
    return bulk


def _do_chunk(bulk: BulkChange, keys: Sequence[int]) -> None:
    """Do a chunk and note it in one transaction, so that none is done twice or left half done.

    NB: the lock of the project comes first, as in all that takes several. Of two leads who change the same
    documents, one goes after the other, and each finds what the other has left.
    """
    for trial in range(TRIALS):
        counts = Counter(bulk.counts)
        try:
            with write_lock.in_turn():
                bulk.project = Project.objects.select_for_update(no_key=True).get(pk=bulk.project_id)
                _check(bulk)
                rows = Document.objects.filter(project=bulk.project, pk__in=among(keys)).order_by("pk")
                # NB: before the rows that refer to them, as a lead's correction of one document does.
                known = set(rows.select_for_update(no_key=True).values_list("pk", flat=True))
                if gone := len(keys) - len(known):
                    counts[Why.GONE] += gone
                counts += (_undo if bulk.undoes_id else _change)(bulk, [key for key in keys if key in known])
                position = bulk.position + len(keys)
                if not lease.held(bulk).update(position=position, counts=counts):
                    raise Superseded
        except IntegrityError:
            if trial == TRIALS - 1:
                raise
        else:
            bulk.position, bulk.counts = position, counts
            return


def _check(bulk: BulkChange) -> None:
    """Refuse what can no longer be done since the preview."""
    labels = () if bulk.action == BulkAction.LIST else bulk.wanted.labels
    if bulk.by is None:
        raise Refused(_("Whoever asked for this change has no account any more, so it stopped."))
    if Label.objects.live().filter(project=bulk.project, pk__in=labels).count() < len(labels):
        raise Refused(
            _("A label of this change was archived meanwhile, so it stopped. What was done can be undone.")
        )


def _change(bulk: BulkChange, keys: Sequence[int]) -> Counter[str]:
    # With a document that moves, its near duplicates have moved before their turn comes.
    done = set(bulk.items.filter(document__in=among(keys)).values_list("document", flat=True))
    action = ACTIONS[bulk.action]
    found = action.find(bulk, [key for key in keys if key not in done])
    if found.wanted:
        action.change(bulk, found)
    return found.stays + Counter({ItemState.CHANGED: len(found.wanted)})


def _undo(bulk: BulkChange, keys: Sequence[int]) -> Counter[str]:
    original = bulk.undoes
    assert original is not None
    original.project = bulk.project
    items = list(original.items.filter(document__in=among(keys), state=ItemState.CHANGED))
    undone = ACTIONS[original.action].undo(bulk, items)
    of_original = BulkItem.objects.filter(bulk=original)
    of_original.filter(document__in=among(undone)).update(state=ItemState.UNDONE)
    kept = [item.document_id for item in items if item.document_id not in undone]
    of_original.filter(document__in=among(kept)).update(state=ItemState.KEPT)
    return Counter({ItemState.UNDONE: len(undone), ItemState.KEPT: len(kept)})


def newest(project: Project) -> list[BulkChange]:
    """Return the newest changes of a project; one that was only previewed is none."""
    rows = project.bulk_changes.exclude(state=PREVIEWED).exclude(action=BulkAction.UNDO)
    return list(rows.defer("packed").select_related("by")[:10])
