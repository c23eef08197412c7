"""Moves documents to the holdout where labels come with a file, so that each label has enough there."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, F, QuerySet

from annotate.models import (
    Annotation,
    AnnotationLabel,
    AnnotationSpan,
    Document,
    Import,
    Label,
    Project,
    User,
)
from annotate.models.documents import Half, Lane
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.corpus.snapshots import SnapshotSummary
from training import splits

ENOUGH = 20
MOST_MOVED = 20_000  # documents, in one transaction
KEYS = 500  # in one statement


def stock_holdout(*, project: Project) -> int:
    """Move pool documents to the holdout until each label has `ENOUGH` there; return how many were moved.

    A label gives away at most half of its documents, because models have to learn it as well. Only
    documents that no person has seen and no run has learned from are moved, in an order that never changes,
    with their near duplicates. None is while a run may be reading the labels.
    """
    learned = _newest_learned(project)
    if learned is None:
        return 0
    counts: dict[int, dict[str, int]] = {}
    for kind in (AnnotationLabel, AnnotationSpan):
        known = kind.objects.filter(annotation__project=project, annotation__annotator__is_machine=True)
        lanes = known.values("label_id", lane=F("annotation__document__lane"))
        documents = lanes.annotate(count=Count("annotation", distinct=True))
        for label, lane, count in documents.values_list("label_id", "lane", "count"):
            of_label = counts.setdefault(label, {})
            of_label[lane] = of_label.get(lane, 0) + count
    live = set(Label.objects.live().filter(project=project).values_list("pk", flat=True))
    moved = 0
    for label, by_lane in counts.items():
        missing = min(ENOUGH, sum(by_lane.values()) // 2) - by_lane.get(Lane.HOLDOUT, 0)
        if missing > 0 and label in live:
            moved += _move(project, label, missing, learned)
    return moved


@transaction.atomic
def _move(project: Project, label: int, count: int, learned: int) -> int:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # as each chunk of an import does
    said = Annotation.objects.filter(project=project).with_label(label)
    of_label = _untouched(project, learned).filter(annotations__in=said)
    keys = of_label.order_by("split_key").values("split_key").annotate(own=Count("pk", distinct=True))
    moved, missing = 0, count
    for key, own in keys.values_list("split_key", "own"):
        if missing <= 0:
            break
        group = project.documents.filter(split_key=key, lane=Lane.POOL)
        size = group.count()
        # Near duplicates go together. Where there are many, the lane would be nearer to its aim without them;
        # where one is in a queue or was decided on by a person, all of them stay.
        if size < 2 * missing and size == _untouched(project, learned).filter(split_key=key).count():
            moved += group.update(lane=Lane.HOLDOUT, half=splits.half(key))
            missing -= own
    return moved


def _untouched(project: Project, learned: int, lane: str = Lane.POOL) -> QuerySet[Document]:
    known = Document.objects.filter(project=project, lane=lane, assignments=None).exclude(split_key="")
    return known.exclude(annotations__annotator__is_machine=False).exclude(annotations__pk__lte=learned)


def _newest_learned(project: Project) -> int | None:
    """Return the key of the newest annotation that any run has read; None while one may be reading."""
    known = [SnapshotSummary.load(run.snapshot) for run in project.runs.live().only("snapshot")]
    if not all(summary.is_taken for summary in known):
        return None
    ended = project.runs.only("snapshot").iterator()
    return max((SnapshotSummary.load(run.snapshot).annotation for run in ended), default=0)


@transaction.atomic
def even_out(*, project: Project, source: Import, by: User) -> int:
    """Bring the holdout to its share of the documents of one import; return how many were moved.

    Near duplicates may come to lie in both lanes, so that figures look better than they are.

    Only documents are moved that no person has seen and no run has learned from; none while one may be
    reading. They go in the order of their digests, which is random and never changes.
    """
    learned = _newest_learned(project)
    if learned is None:
        return 0
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    excess = is_uneven(project, source)
    if not excess:
        return 0
    untouched = _untouched(project, learned, Lane.POOL if excess < 0 else Lane.HOLDOUT).filter(source=source)
    chosen = list(untouched.order_by("sha256").values_list("pk", "sha256")[: min(abs(excess), MOST_MOVED)])
    if excess > 0:
        moved = {"": [pk for pk, _digest in chosen]}
    else:
        halves = splits.halves([digest for _pk, digest in chosen])
        moved = {half: [pk for pk, digest in chosen if halves[digest] == half] for half in Half.values}
    lane = Lane.HOLDOUT if excess < 0 else Lane.POOL
    for half, keys in moved.items():
        for start in range(0, len(keys), KEYS):
            project.documents.filter(pk__in=keys[start : start + KEYS]).update(lane=lane, half=half)
    if chosen:
        events.record(
            EventKind.LANES_EVENED,
            by=by,
            project=project,
            subject=source.name,
            lane=lane.value,
            moved=len(chosen),
        )
    return len(chosen)


def is_uneven(project: Project, source: Import) -> int:
    """Return how many documents the holdout has too many, below zero too few; 0 where it has about its share.

    That is where near duplicates of an import stay together, and the lane has less than half or more than
    twice its share.
    """
    total = source.documents.count()
    wanted = project.holdout_share * total
    held = source.documents.holdout().count()
    if wanted < 1 or wanted / 2 <= held <= 2 * wanted + 1:
        return 0
    return held - round(wanted)
