"""Moves documents to the holdout where labels come with a file, so that each label has enough there."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, F, QuerySet

from annotate.models import AnnotationLabel, Document, Label, Project
from annotate.models.documents import Lane
from annotate.services.corpus.snapshots import SnapshotSummary
from training import splits

ENOUGH = 20


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
    known = AnnotationLabel.objects.filter(
        annotation__project=project, annotation__annotator__is_machine=True
    )
    lanes = known.values("label_id", lane=F("annotation__document__lane"))
    for label, lane, count in lanes.annotate(count=Count("pk")).values_list("label_id", "lane", "count"):
        counts.setdefault(label, {})[lane] = count
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
    of_label = _untouched(project, learned).filter(annotations__choices__label=label)
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


def _untouched(project: Project, learned: int) -> QuerySet[Document]:
    pool = Document.objects.pool().filter(project=project, assignments=None).exclude(split_key="")
    return pool.exclude(annotations__annotator__is_machine=False).exclude(annotations__pk__lte=learned)


def _newest_learned(project: Project) -> int | None:
    """Return the key of the newest annotation that any run has read; None while one may be reading."""
    known = [SnapshotSummary.load(run.snapshot) for run in project.runs.live().only("snapshot")]
    if not all(summary.is_taken for summary in known):
        return None
    ended = project.runs.only("snapshot").iterator()
    return max((SnapshotSummary.load(run.snapshot).annotation for run in ended), default=0)
