"""Labels in bulk: the answers of the lead who asks for it, or the gold answers, of many documents."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q
from django.utils import timezone

from annotate.models import Annotation, AnnotationLabel, Assignment, BulkChange, BulkItem, Decision, Label
from annotate.models.annotations import Outcome, Source
from annotate.models.bulk import BulkAction
from annotate.models.queue import AssignmentQuerySet, AssignmentState
from annotate.services.among import among
from annotate.services.bulk.found import Found, Why
from annotate.services.imports.bulk_insert import insert
from annotate.services.labeling import places
from training.types import Answer

# What is put back of an annotation besides its labels.
FIELDS = ("outcome", "reason", "seconds", "source", "is_gold", "is_late", "guidelines_version")


@dataclass(frozen=True, slots=True)
class Standing:
    """An annotation as it stands."""

    pk: int
    annotator: int
    fields: dict[str, Any]
    labels: tuple[int, ...]

    def dump(self) -> dict[str, Any]:
        return {"pk": self.pk, "labels": list(self.labels), **self.fields}


@dataclass(frozen=True, slots=True)
class Target:
    """The answer that a document is to have; `own` is the lead's own before it, `golden` somebody else's."""

    labels: tuple[int, ...]
    is_gold: bool
    own: Standing | None
    golden: Standing | None


class AnswerAction:
    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found:
        wants_gold, found = bulk.wanted.gold, Found()
        for key, said in standing(keys).items():
            own = next((row for row in said if row.annotator == bulk.by_id), None)
            gold = next((row for row in said if row.fields["is_gold"]), None)
            labels = _labels(bulk, said, gold)
            # An own answer that is gold stays gold.
            is_gold = wants_gold or (own is not None and own is gold)
            before = gold if wants_gold else own
            if isinstance(labels, Why):
                found.stays[labels] += 1
            elif before and before.fields["outcome"] == Outcome.ANSWERED and before.labels == labels:
                found.stays[Why.SAME] += 1
            else:
                found.wanted[key] = Target(
                    labels, is_gold, own, gold if wants_gold and gold is not own else None
                )
        return found

    def change(self, bulk: BulkChange, found: Found) -> None:
        wanted: dict[int, Target] = found.wanted
        places_of = _places(wanted)
        no_longer = [target.golden.pk for target in wanted.values() if target.golden]
        Annotation.objects.filter(pk__in=no_longer).update(is_gold=False)
        taken = _take_places(bulk, wanted, places_of)
        groups: dict[tuple[tuple[int, ...], bool], list[int]] = defaultdict(list)
        for key, target in wanted.items():
            groups[target.labels, target.is_gold].append(key)
        for (labels, is_gold), keys in groups.items():
            _give(bulk, keys, wanted, labels, is_gold=is_gold)
            before = [(key, _before(wanted[key], taken.get(key), places_of.get(key, ()))) for key in keys]
            after = {"labels": list(labels), "gold": is_gold}
            insert(BulkItem, before, ("document_id", "before"), {"bulk_id": bulk.pk, "after": after})
        if bulk.project.annotators_per_document > 1:
            places.fit(project=bulk.project, keys=list(wanted))

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        original = bulk.undoes
        assert original is not None
        keys = [item.document_id for item in items]
        now = {
            key: own
            for key, said in standing(keys).items()
            if (own := next((row for row in said if row.annotator == original.by_id), None))
        }
        newest = _newest_cards(own.pk for own in now.values())
        became = Label.objects.successors(original.project_id)
        same = [
            item
            for item in items
            if (own := now.get(item.document_id))
            and own.fields["outcome"] == Outcome.ANSWERED
            and list(own.labels) == _today(item.after["labels"], became)
            and own.fields["is_gold"] == item.after["gold"]
            and newest.get(own.pk) == card(original, item.document_id)
        ]
        made = [now[item.document_id].pk for item in same if "own" not in item.before]
        Annotation.objects.filter(pk__in=made).delete()
        self._restore(bulk, [item for item in same if "own" in item.before])
        golden = [item.before["gold"] for item in same if "gold" in item.before]
        Annotation.objects.filter(pk__in=golden).update(is_gold=True)
        _give_places_back(original, same)
        return {item.document_id for item in same}

    def _restore(self, bulk: BulkChange, items: Sequence[BulkItem]) -> None:
        """Put own annotations back as they were, with one more row of their history."""
        rows = Annotation.objects.in_bulk([item.before["own"]["pk"] for item in items])
        became = Label.objects.successors(bulk.project_id)
        decisions = []
        for item in items:
            own = item.before["own"]
            row = rows[own["pk"]]
            for name in FIELDS:
                setattr(row, name, own[name])
            row.updated_at = timezone.now()
            decisions.append(
                Decision(
                    annotation=row,
                    card=card(bulk, item.document_id),
                    outcome=row.outcome,
                    answer=Answer(tuple(own["labels"])),
                    reason=row.reason,
                    seconds=row.seconds,
                )
            )
        Annotation.objects.bulk_update(rows.values(), [*FIELDS, "updated_at"])
        _choose({own["pk"]: _today(own["labels"], became) for item in items if (own := item.before["own"])})
        Decision.objects.bulk_create(decisions)


def _give(
    bulk: BulkChange,
    keys: Sequence[int],
    wanted: dict[int, Target],
    labels: tuple[int, ...],
    *,
    is_gold: bool,
) -> None:
    """Let the lead's annotations of the documents be an answer, with one row of their history each."""
    now = timezone.now()
    given = {
        "outcome": Outcome.ANSWERED,
        "reason": "",
        "seconds": None,
        "source": Source.BULK,
        "is_gold": is_gold,
        "is_late": False,
        "guidelines_version": bulk.project.guidelines_version,
        "shown_version": None,
        "shown": None,
        "updated_at": now,
    }
    annotations = {key: own.pk for key in keys if (own := wanted[key].own)}
    if annotations:
        Annotation.objects.filter(pk__in=among(annotations.values())).update(**given)
        AnnotationLabel.objects.filter(annotation__in=among(annotations.values())).delete()
    fresh = [key for key in keys if key not in annotations]
    of_all = {"project_id": bulk.project_id, "annotator_id": bulk.by_id, "created_at": now}
    made = insert(Annotation, [(key,) for key in fresh], ("document_id",), of_all | given)
    annotations |= dict(zip(fresh, made, strict=True))
    # In the order of the keys, as a lead who renames labels locks them.
    choices = [(pk, label) for label in labels for pk in annotations.values()]
    insert(AnnotationLabel, choices, ("annotation_id", "label_id"), {})
    insert(
        Decision,
        [(pk, card(bulk, key)) for key, pk in annotations.items()],
        ("annotation_id", "card"),
        {"outcome": Outcome.ANSWERED, "answer": Answer(tuple(labels)), "created_at": now},
    )


def _before(target: Target, taken: int | None, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    before = {
        "own": target.own.dump() if target.own else None,
        "gold": target.golden.pk if target.golden else None,
        "taken": taken,
        "places": [row["pk"] for row in rows],
    }
    return {name: value for name, value in before.items() if value}


def card(bulk: BulkChange, document: int) -> uuid.UUID:
    """Return the key by which a change decides on a document, so that it does so once."""
    return uuid.uuid5(bulk.key, str(document))


def standing(keys: Collection[int]) -> dict[int, list[Standing]]:
    """Return the annotations of each document, in the order in which a run reads them."""
    chosen: dict[int, list[int]] = defaultdict(list)
    choices = AnnotationLabel.objects.filter(annotation__document__in=among(keys)).order_by("label")
    for annotation, label in choices.values_list("annotation", "label"):
        chosen[annotation].append(label)
    said: dict[int, list[Standing]] = {key: [] for key in keys}
    rows = Annotation.objects.filter(document__in=among(keys)).order_by("updated_at", "pk")
    for pk, document, annotator, *values in rows.values_list("pk", "document", "annotator", *FIELDS):
        fields = dict(zip(FIELDS, values, strict=True))
        said[document].append(Standing(pk, annotator, fields, tuple(chosen[pk])))
    return said


def _labels(bulk: BulkChange, said: Sequence[Standing], gold: Standing | None) -> tuple[int, ...] | Why:
    """Return the labels that a document is to have, or why it has to stay as it is."""
    labels = set(bulk.wanted.labels)
    if bulk.action == BulkAction.LABEL:
        return tuple(sorted(labels))
    answered = [row for row in said if row.fields["outcome"] == Outcome.ANSWERED]
    if not answered:
        return Why.UNANSWERED
    task = bulk.project.task_type.task
    standing = gold.labels if gold else task.agreed([Answer(row.labels) for row in answered]).labels
    before = set(map(int, standing))
    after = before | labels if bulk.action == BulkAction.ADD else before - labels
    if after == before:
        return Why.SAME
    return tuple(sorted(after)) if not task.fault(Answer(tuple(after))) else Why.LAST


def _today(labels: Sequence[int], became: Mapping[int, int]) -> list[int]:
    """Return what labels are today, after some of them were merged into others."""
    return sorted({became.get(label, label) for label in labels})


def _choose(labels: Mapping[int, Sequence[int]]) -> None:
    AnnotationLabel.objects.filter(annotation__in=among(labels)).delete()
    # In the order of the keys, as a lead who renames labels locks them.
    rows = [AnnotationLabel(annotation_id=pk, label_id=label) for pk, of in labels.items() for label in of]
    AnnotationLabel.objects.bulk_create(sorted(rows, key=lambda row: row.label_id))


def _newest_cards(annotations: Any) -> dict[int, uuid.UUID]:
    """Return the card of the newest decision of each annotation."""
    of = Decision.objects.filter(annotation__in=among(annotations)).values("annotation")
    newest = of.annotate(newest=Max("pk")).values("newest")
    return dict(Decision.objects.filter(pk__in=newest).values_list("annotation", "card"))


def _places(keys: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the places of each document that has any, the first slot first."""
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    known = Assignment.objects.filter(document__in=among(keys)).order_by("slot")
    for row in known.values("pk", "document_id", "state", "annotator_id"):
        rows[row["document_id"]].append(dict(row))
    return rows


def _take_places(
    bulk: BulkChange, wanted: dict[int, Target], places_of: dict[int, list[dict[str, Any]]]
) -> dict[int, int]:
    """End the lead's own places; where an answer is new, use up a waiting one. Return those by document."""
    taken = {}
    for key, target in wanted.items():
        rows = places_of.get(key, [])
        own = next((row for row in rows if row["annotator_id"] == bulk.by_id), None)
        free = (row for row in rows if row["state"] in (AssignmentState.WAITING, AssignmentState.LISTED))
        place = own if own or target.own else next(free, None)
        if place and place["state"] != AssignmentState.DONE:
            taken[key] = place["pk"]
    # NB: a place that somebody leases at this moment is skipped; then it is theirs.
    is_free = Q(annotator=None) | Q(annotator=bulk.by)
    free_now = Assignment.objects.filter(is_free, pk__in=taken.values()).select_for_update(skip_locked=True)
    locked = set(free_now.values_list("pk", flat=True))
    mine = Assignment.objects.filter(pk__in=among(locked))
    mine.update(annotator=bulk.by, state=AssignmentState.DONE, expires_at=None, is_ahead=False)
    return {key: pk for key, pk in taken.items() if pk in locked}


def _give_places_back(original: BulkChange, items: Sequence[BulkItem]) -> None:
    """Let places wait again that the change used up, and take away those that only it has opened."""
    taken = [item.before["taken"] for item in items if "taken" in item.before]
    used = Assignment.objects.filter(pk__in=taken, annotator=original.by, state=AssignmentState.DONE)
    used.filter(work_list__closed_at__isnull=False).update(work_list=None)
    used.update(state=AssignmentQuerySet.WAITS, annotator=None, card=None)
    if original.project.annotators_per_document > 1:
        before = {place for item in items for place in item.before.get("places", ())}
        waiting = Assignment.objects.waiting().filter(document__in=[item.document_id for item in items])
        waiting.exclude(pk__in=before).delete()
