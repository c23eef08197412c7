"""Draws more documents for the holdout where labels come with a file and some have too few there."""

from __future__ import annotations

from collections import Counter, defaultdict

from django.db import transaction
from django.db.models import Count, F, QuerySet

from annotate.models import (
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
MOST_SHARE = 2  # times its share the holdout may come to
MOST_MOVED = 20_000  # documents, in one transaction
KEYS = 500  # in one statement


def stock_holdout(*, project: Project) -> int:
    """Move pool documents to the holdout until each label has `ENOUGH` there; return how many were moved.

    They are drawn from all documents, whatever their labels, so that the mix of labels in the holdout stays
    that of the project: precision and F1 of documents picked by label would be those of another mix. So a
    rare label may stay short of `ENOUGH`, as the holdout comes to twice its share at most, and the overview
    says of which label that is true. Only documents that no person has seen and no run has learned from are
    moved, in an order that never changes, with their near duplicates. None is while a run may be reading.
    """
    learned = _newest_learned(project)
    missing = _missing(project)
    if learned is None or not missing:
        return 0
    return _draw(project, missing, learned)


def _missing(project: Project) -> dict[int, int]:
    """Return how many documents each label is short of; half of its documents at most are held out."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for kind in (AnnotationLabel, AnnotationSpan):
        known = kind.objects.filter(annotation__project=project, annotation__annotator__is_machine=True)
        lanes = known.values("label_id", lane=F("annotation__document__lane"))
        documents = lanes.annotate(count=Count("annotation", distinct=True))
        for label, lane, count in documents.values_list("label_id", "lane", "count"):
            counts[label][lane] += count
    live = set(Label.objects.live().filter(project=project).values_list("pk", flat=True))
    short = {
        label: min(ENOUGH, by_lane.total() // 2) - by_lane[Lane.HOLDOUT]
        for label, by_lane in counts.items()
        if label in live
    }
    return {label: count for label, count in short.items() if count > 0}


@transaction.atomic
def _draw(project: Project, missing: dict[int, int], learned: int) -> int:
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # as each chunk of an import
    most = int(MOST_SHARE * project.holdout_share * project.documents.count())
    room = min(MOST_MOVED, most - project.documents.holdout().count())
    if room <= 0:
        return 0
    untouched = _untouched(project, learned).order_by("split_key")
    groups = list(untouched.values_list("split_key").annotate(size=Count("pk", distinct=True))[:room])
    drawn: dict[str, list[str]] = {half: [] for half in Half.values}
    moved = 0
    for start in range(0, len(groups), KEYS):
        some = dict(groups[start : start + KEYS])
        pool = project.documents.filter(split_key__in=some, lane=Lane.POOL)
        whole = dict(pool.order_by().values_list("split_key").annotate(size=Count("pk")))
        labels = _labels_of(project, list(some))
        for key, size in some.items():
            if not any(count > 0 for count in missing.values()):
                break
            # Near duplicates go together: where one is in a queue or was decided on by a person, all stay.
            if size == whole[key] and size <= min(ENOUGH, room - moved):
                drawn[splits.half(key)].append(key)
                moved += size
                for label in labels[key]:
                    missing[label] = missing.get(label, 0) - 1
    for half, keys in drawn.items():
        for start in range(0, len(keys), KEYS):
            some_keys = keys[start : start + KEYS]
            project.documents.filter(split_key__in=some_keys, lane=Lane.POOL).update(
                lane=Lane.HOLDOUT, half=half
            )
    return moved


def _labels_of(project: Project, keys: list[str]) -> dict[str, list[int]]:
    """Return the labels that files gave to the documents of each key, once for each document."""
    found: dict[str, list[int]] = defaultdict(list)
    for kind in (AnnotationLabel, AnnotationSpan):
        said = kind.objects.filter(annotation__project=project, annotation__annotator__is_machine=True)
        of_keys = said.filter(annotation__document__split_key__in=keys)
        pairs = of_keys.values_list("annotation__document__split_key", "annotation__document", "label_id")
        for key, _document, label in pairs.distinct():
            found[key].append(label)
    return found


def _untouched(project: Project, learned: int, lane: str = Lane.POOL) -> QuerySet[Document]:
    known = (
        Document.objects.filter(project=project, lane=lane)
        .exclude(assignments__isnull=False)
        .exclude(split_key="")
    )
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
