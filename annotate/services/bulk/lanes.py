"""Moves documents to the other lane in bulk, each with its near duplicates: they stay on one side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Q

from annotate.models import BulkChange, BulkItem, Document, Project
from annotate.models.documents import Lane
from annotate.services.among import among
from annotate.services.bulk.found import Found, Why
from annotate.services.imports.bulk_insert import insert
from training import splits

Place = tuple[str, str]  # a lane and a half
READ = 5000  # documents in one statement


def with_near_duplicates(project: Project, keys: Sequence[int]) -> list[int]:
    """Return the keys, each followed by those of its near duplicates."""
    groups, alike = dict[int, str](), defaultdict[str, list[int]](list)
    for start in range(0, len(keys), READ):
        of_part = project.documents.filter(pk__in=keys[start : start + READ]).exclude(split_key="")
        part = dict(of_part.values_list("pk", "split_key"))
        new = {group for group in part.values() if group not in alike}
        near = project.documents.filter(split_key__in=new).order_by("-pk")
        for group, key in near.values_list("split_key", "pk"):
            alike[group].append(key)
        groups |= part
    return list(dict.fromkeys(one for key in keys for one in [key, *alike[groups.get(key, "")]]))


class MoveAction:
    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found:
        found = Found()
        rows = Document.objects.filter(pk__in=among(keys)).values_list("pk", "split_key", "lane", "half")
        for key, group, lane, half in rows:
            if lane == bulk.wanted.lane:
                found.stays[Why.SAME] += 1
            else:
                found.wanted[key] = (group, lane, half)
        return found

    def change(self, bulk: BulkChange, found: Found) -> None:
        """Move whole groups, also what has come to them since the preview."""
        lane = bulk.wanted.lane
        groups = {group for group, _lane, _half in found.wanted.values() if group}
        moved = bulk.project.documents.exclude(lane=lane).filter(
            Q(split_key__in=groups) | Q(pk__in=found.wanted)
        )
        rows = list(moved.order_by("pk").values_list("pk", "split_key", "lane", "half", "sha256"))
        target = {
            key: (lane, splits.half(group or digest) if lane == Lane.HOLDOUT else "")
            for key, group, _lane, _half, digest in rows
        }
        _place(target)
        items = [(key, [was, half], list(target[key])) for key, _group, was, half, _digest in rows]
        insert(BulkItem, items, ("document_id", "before", "after"), {"bulk_id": bulk.pk})

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        """Move back what is where the change had put it, with near duplicates that have come since."""
        before: dict[int, Place] = {item.document_id: (item.before[0], item.before[1]) for item in items}
        now = {
            key: (group, [lane, half])
            for key, group, lane, half in Document.objects.filter(pk__in=among(before)).values_list(
                "pk", "split_key", "lane", "half"
            )
        }
        same = [item for item in items if item.document_id in now and now[item.document_id][1] == item.after]
        target = {item.document_id: before[item.document_id] for item in same}
        of_group = {now[key][0]: place for key, place in target.items() if now[key][0]}
        others = bulk.project.documents.filter(split_key__in=of_group).exclude(pk__in=target)
        late = {key: of_group[group] for key, group in others.values_list("pk", "split_key")}
        _place(late | target)
        return set(target)


def _place(target: dict[int, Place]) -> None:
    by_place: dict[Place, list[int]] = defaultdict(list)
    for key, place in target.items():
        by_place[place].append(key)
    for (lane, half), keys in by_place.items():
        Document.objects.filter(pk__in=among(keys)).update(lane=lane, half=half)
