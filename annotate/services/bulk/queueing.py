"""Offers documents to people in bulk: returned to the queue, or as a list of their own."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from annotate.models import Annotation, Assignment, BulkChange, BulkItem
from annotate.models.annotations import Outcome
from annotate.models.queue import AssignmentState
from annotate.services.among import among
from annotate.services.bulk.found import Found, Why
from annotate.services.imports.bulk_insert import insert
from annotate.services.labeling import places

PLACE = ("pk", "state", "annotator_id", "work_list_id", "slot", "rank", "batch_id", "expires_at")


class ReturnAction:
    """Returns what was put aside, to whoever did so first; see `places.return_to_queue`."""

    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found:
        number, found = bulk.project.annotators_per_document, Found()
        aside, answers = _said(keys)
        places_of = _places(keys)
        for key in keys:
            rows = places_of[key]
            still_open = sum(row["state"] != AssignmentState.DONE for row in rows)
            if key not in aside:
                found.stays[Why.OPEN if answers[key] or still_open else Why.UNDECIDED] += 1
            elif still_open + answers[key] >= number:
                found.stays[Why.OPEN] += 1
            else:
                found.wanted[key] = aside[key], rows
        return found

    def change(self, bulk: BulkChange, found: Found) -> None:
        _ask_again(bulk, found.wanted)

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        """Take back the places that nobody has had before them since."""
        aside, _answers = _said([item.document_id for item in items])
        fitting = [item for item in items if aside.get(item.document_id) == item.after["annotator"]]
        return _take_back(fitting)


@dataclass(frozen=True, slots=True)
class Listed:
    """A document for a list: its places, how many the list is to have, or who is asked `again`."""

    rows: list[dict[str, Any]]
    number: int
    again: int | None = None


class ListAction:
    """Puts documents into a list for named people: a waiting place moves there, or one is added."""

    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found:
        options, found, now = bulk.wanted, Found(), timezone.now()
        number = len(options.people) if options.each else 1
        answered: dict[int, set[int]] = defaultdict(set)
        said = Annotation.objects.filter(document__in=among(keys), annotator__is_machine=False)
        for key, annotator in said.values_list("document", "annotator"):
            answered[key].add(annotator)
        places_of = _places(keys)
        again = _who_said(options.labels, options.people, keys) if options.labels else {}
        for key in keys:
            rows, people = places_of[key], answered[key]
            is_taken = any(
                row["state"] == AssignmentState.LISTED
                or (row["state"] == AssignmentState.LEASED and row["expires_at"] > now)
                for row in rows
            )
            left = set(options.people) - people | ({again[key]} if key in again else set())
            if not left or (people and not options.second):
                found.stays[Why.ANSWERED] += 1
            elif is_taken:
                found.stays[Why.TAKEN] += 1
            else:
                found.wanted[key] = Listed(rows, min(number, len(left)), again.get(key))
        return found

    def change(self, bulk: BulkChange, found: Found) -> None:
        assert bulk.work_list is not None
        wanted: dict[int, Listed] = found.wanted
        _ask_again(bulk, {key: (one.again, one.rows) for key, one in wanted.items() if one.again})
        self._list(bulk, {key: one for key, one in wanted.items() if not one.again})

    def _list(self, bulk: BulkChange, wanted: dict[int, Listed]) -> None:
        start, moved, fresh, items = (
            time.time(),
            dict[int, float](),
            list[Assignment](),
            list[tuple[int, Any]](),
        )
        for i, (key, listed) in enumerate(wanted.items()):
            rows, number, rank = listed.rows, listed.number, start + i * places.STEP
            free = [row for row in rows if row["state"] != AssignmentState.DONE][:number]
            moved |= {row["pk"]: rank for row in free}
            slots = {row["slot"] for row in rows}
            for slot in places.missing(len(slots) + number - len(free), slots):
                fresh.append(
                    Assignment(
                        project=bulk.project,
                        document_id=key,
                        work_list=bulk.work_list,
                        slot=slot,
                        rank=rank,
                        state=AssignmentState.LISTED,
                    )
                )
            ranks = {row["pk"]: row["rank"] for row in free}
            items.append((key, {"ranks": ranks, "places": [row["pk"] for row in rows]}))
        # NB: a place that somebody leases at this moment stays theirs, in the queue.
        is_free = Q(state=AssignmentState.WAITING) | Q(expires_at__lte=timezone.now())
        locked = list(Assignment.objects.filter(is_free, pk__in=moved).select_for_update(skip_locked=True))
        for place in locked:
            place.state, place.work_list, place.rank = AssignmentState.LISTED, bulk.work_list, moved[place.pk]
            place.annotator = place.card = place.expires_at = None
            place.is_ahead = False
        Assignment.objects.bulk_update(
            locked, ["state", "work_list", "rank", "annotator", "card", "expires_at", "is_ahead"]
        )
        Assignment.objects.bulk_create(fresh)
        if bulk.project.annotators_per_document > 1:
            # What was in nobody's queue is answered by as many people as ever: the others by the queue.
            places.fit(project=bulk.project, keys=list(wanted))
        insert(BulkItem, items, ("document_id", "before"), {"bulk_id": bulk.pk})

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        """Let what nobody has answered or opened go back to where it was."""
        assert bulk.undoes is not None
        again = [item for item in items if "annotator" in item.after]
        items = [item for item in items if "annotator" not in item.after]
        back_again = _take_back(again)
        ranks = {int(pk): rank for item in items for pk, rank in item.before["ranks"].items()}
        keys = [item.document_id for item in (*items, *again)]
        of_list = Assignment.objects.filter(work_list=bulk.undoes.work_list_id, document__in=among(keys))
        listed = list(of_list.filter(state=AssignmentState.LISTED).select_for_update(skip_locked=True))
        back = [place for place in listed if place.pk in ranks]
        for place in back:
            place.state, place.work_list, place.rank = AssignmentState.WAITING, None, ranks[place.pk]
        Assignment.objects.bulk_update(back, ["state", "work_list", "rank"])
        Assignment.objects.filter(pk__in=[place.pk for place in listed if place.pk not in ranks]).delete()
        if bulk.project.annotators_per_document > 1:
            before = {pk for item in items for pk in item.before["places"]}
            of_items = [item.document_id for item in items]
            Assignment.objects.waiting().filter(document__in=of_items).exclude(pk__in=before).delete()
        # What somebody has on the screen stays theirs, and goes to the queue where they leave it.
        held = set(of_list.exclude(state=AssignmentState.LISTED).values_list("document", flat=True))
        of_list.exclude(state=AssignmentState.DONE).update(work_list=None)
        return back_again | {item.document_id for item in items if item.document_id not in held}


def _said(keys: Collection[int]) -> tuple[dict[int, int], Counter[int]]:
    """Return who has put each document aside last, and how many people have answered it."""
    rows = Annotation.objects.filter(document__in=among(keys))
    aside = rows.exclude(outcome=Outcome.ANSWERED).order_by("updated_at").values_list("document", "annotator")
    counted = rows.answered().filter(annotator__is_machine=False).values("document").annotate(n=Count("pk"))
    return dict(aside), Counter(dict(counted.order_by().values_list("document", "n")))


def _places(keys: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in (
        Assignment.objects.filter(document__in=among(keys)).order_by("slot").values("document_id", *PLACE)
    ):
        rows[row["document_id"]].append(dict(row))
    return rows


def _ask_again(bulk: BulkChange, wanted: dict[int, tuple[int, list[dict[str, Any]]]]) -> None:
    """Offer documents to the person named with each, first of all: as a lease that has run out does."""
    now = timezone.now()
    lease = {"state": AssignmentState.LEASED, "expires_at": now, "card": None, "work_list": bulk.work_list}
    own, fresh, items = [], [], []
    for i, (key, (annotator, rows)) in enumerate(wanted.items()):
        place = next((row for row in rows if row["annotator_id"] == annotator), None)
        if place:
            own.append(place["pk"])
        else:
            slots = {row["slot"] for row in rows}
            fresh.append(
                Assignment(
                    project=bulk.project,
                    document_id=key,
                    annotator_id=annotator,
                    slot=places.missing(len(slots) + 1, slots)[0],
                    rank=time.time() + i * places.STEP,
                    **lease,
                )
            )
        before = {"place": place["pk"], "work_list": place["work_list_id"]} if place else {}
        items.append((key, before, {"annotator": annotator}))
    Assignment.objects.filter(pk__in=own).update(**lease)
    Assignment.objects.bulk_create(fresh)
    insert(BulkItem, items, ("document_id", "before", "after"), {"bulk_id": bulk.pk})


def _take_back(items: Sequence[BulkItem]) -> set[int]:
    """Undo `_ask_again` where nobody has had the document before them since; return the documents."""
    keys = [item.document_id for item in items]
    untouched = {
        (row.document_id, row.annotator_id): row
        for row in Assignment.objects.select_for_update(skip_locked=True).filter(
            document__in=keys, state=AssignmentState.LEASED, card=None, expires_at__lte=timezone.now()
        )
    }
    undone, made, own = set(), [], []
    for item in items:
        place = untouched.get((item.document_id, item.after["annotator"]))
        if place is None:
            continue
        undone.add(item.document_id)
        if "place" not in item.before:
            made.append(place.pk)
        else:
            place.state, place.expires_at = AssignmentState.DONE, None
            place.work_list_id = item.before["work_list"]
            own.append(place)
    Assignment.objects.filter(pk__in=made).delete()
    Assignment.objects.bulk_update(own, ["state", "expires_at", "work_list"])
    return undone


def _who_said(labels: Collection[int], people: Collection[int], keys: Collection[int]) -> dict[int, int]:
    """Return one of the people for each document that they answered with one of the labels."""
    rows = Annotation.objects.filter(document__in=among(keys), annotator__in=people).filter(
        Q(choices__label__in=labels) | Q(spans__label__in=labels)
    )
    return dict(rows.order_by("-pk").values_list("document", "annotator"))
