"""The figures of the lead's overview, each by a few queries however many rows there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import Count, F, Max, Q, QuerySet

from annotate.models import (
    Annotation,
    ClassMetric,
    Job,
    Label,
    ModelVersion,
    Project,
    TrainingRun,
    WorkerPulse,
)
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.models.versions import Stage
from annotate.models.work import WorkState
from annotate.services.documents import kept
from annotate.services.labeling import handed_on
from annotate.services.pages.status_line import silent_queues, still_queues
from annotate.services.runs import schedule
from annotate.services.versions import publication
from annotate.services.versions.record import VersionReport
from annotate.services.work import jobs

# Medians are of the latest decisions only: they show the present, and reading all would take long.
RECENT_DECISIONS = 5000


@dataclass(frozen=True, slots=True)
class LaneProgress:
    lane: str
    name: str
    documents: int
    labelled: int

    @property
    def share(self) -> int:
        return round(100 * self.labelled / self.documents) if self.documents else 0


@dataclass(frozen=True, slots=True)
class LabellingProgress:
    lanes: tuple[LaneProgress, ...]
    skipped: int
    flagged: int
    late: int
    handed_on: int
    is_kept: bool  # so that the counts may be a minute old

    @property
    def documents(self) -> int:
        return sum(lane.documents for lane in self.lanes)

    @property
    def labelled(self) -> int:
        return sum(lane.labelled for lane in self.lanes)

    @property
    def share(self) -> int:
        return round(100 * self.labelled / self.documents) if self.documents else 0


def progress(project: Project) -> LabellingProgress:
    counts, is_kept = kept.counts("progress", project, lambda: _counts(project))

    def both(outcome: str) -> int:
        return sum(counts.get(f"{lane} {outcome}", 0) for lane in Lane.values)

    return LabellingProgress(
        lanes=tuple(
            LaneProgress(
                lane.value,
                str(lane.label),
                counts.get(lane.value, 0),
                counts.get(f"{lane.value} {Outcome.ANSWERED}", 0),
            )
            for lane in Lane
        ),
        skipped=both(Outcome.SKIPPED),
        flagged=both(Outcome.FLAGGED),
        late=late_doubles(project),
        handed_on=handed_on.waiting(project).count(),
        is_kept=is_kept,
    )


def _counts(project: Project) -> dict[str, int]:
    """Return how many documents there are, how many in each lane, and of each lane with each outcome."""
    documents = dict(project.documents.order_by().values_list("lane").annotate(n=Count("pk")))
    decisions = project.annotations.order_by().values_list("document__lane", "outcome")
    decided = decisions.annotate(n=Count("document", distinct=True))
    outcomes = decided.values_list("document__lane", "outcome", "n")
    return (
        {"documents": sum(documents.values())}
        | documents
        | {f"{lane} {outcome}": n for lane, outcome, n in outcomes}
    )


def late_doubles(project: Project) -> int:
    """Return how many documents have more answers than wanted because one of them came late."""
    return project.annotations.late_doubles().values("document").distinct().count()


@dataclass(frozen=True, slots=True)
class Learning:
    """What the models are doing: `missing` new labels until the next run, and the work alive or failed.

    `missing` is None where no number of labels opens a run.
    """

    missing: int | None
    live: tuple[TrainingRun, ...]
    failed: tuple[TrainingRun, ...]
    live_jobs: tuple[Job, ...]
    failed_jobs: tuple[Job, ...]
    silent_queues: tuple[str, ...]
    still_queues: tuple[WorkerPulse, ...]

    @property
    def is_waiting_for_labels(self) -> bool:
        """Tell whether the next model waits for labels: no quick run is alive, and slow ones do not count."""
        return all(run.is_slow for run in self.live)


def learning(project: Project) -> Learning:
    latest: dict[tuple[str, str], TrainingRun] = {}
    live = []
    for run in project.runs.select_related("requested_by").order_by("-pk")[:20]:
        if run.is_live:
            live.append(run)
        latest.setdefault((run.family, run.variant), run)
    return Learning(
        missing=schedule.labels_until_next(project=project),
        live=tuple(live),
        failed=tuple(run for run in latest.values() if run.state == WorkState.FAILED),
        live_jobs=tuple(project.jobs.live().select_related("version").order_by("pk")),
        failed_jobs=tuple(jobs.failed(project=project)),
        silent_queues=tuple(silent_queues()),
        still_queues=tuple(still_queues()),
    )


def published(project: Project) -> tuple[ModelVersion | None, ModelVersion | None]:
    """Return the published version and the one that a roll-back would publish again."""
    current = project.versions.published().select_related("run").first()
    return current, publication.served_before(project=project).first() if current else None


def class_metrics(version: ModelVersion) -> list[ClassMetric]:
    """Return each label's figures, the worst first and the ones that cannot be measured yet last."""
    rows = version.class_metrics.select_related("label")
    return list(rows.order_by(F("f1").asc(nulls_last=True), "-support", "label__position"))


def curve(project: Project) -> list[ModelVersion]:
    """Return every version with measured figures, by the number of labels that it learned from.

    Thresholds that somebody has set tell nothing of labels: such a version is there while it serves.
    """
    figures = [f"{kind}_f1{end}" for kind in ("macro", "micro") for end in ("", "_low", "_high")]
    rows = project.versions.filter(Q(revises=None) | Q(stage=Stage.PUBLISHED))
    rows = rows.only("number", "family", "variant", "stage", "labelled", "project", *figures)
    return [one for one in rows.order_by("labelled", "number") if one.f1 is not None]


@dataclass(frozen=True, slots=True)
class Confusion:
    label: Label
    decided: Label
    documents: int


def confusions(version: ModelVersion, *, top: int = 10) -> list[Confusion]:
    """Return the pairs of labels that the version mixes up most often on its reporting documents."""
    table = VersionReport.load(version.report).confusion
    if not table:
        return []
    keys = version.label_ids
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(table) for j, count in enumerate(row) if i != j and count),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )[:top]
    labels = Label.objects.in_bulk({keys[i] for _n, i, j in pairs} | {keys[j] for _n, i, j in pairs})
    return [
        Confusion(labels[keys[i]], labels[keys[j]], n)
        for n, i, j in pairs
        if keys[i] in labels and keys[j] in labels
    ]


@dataclass(frozen=True, slots=True)
class AnnotatorProgress:
    pk: int
    name: str
    is_machine: bool
    answered: int
    skipped: int
    flagged: int
    seconds: float | None
    latest: datetime


def annotators(project: Project) -> list[AnnotatorProgress]:
    rows = (
        Annotation.objects.filter(project=project)
        .order_by()
        .values("annotator", "annotator__username", "annotator__is_machine")
        .annotate(
            latest=Max("updated_at"),
            answered=_count(Outcome.ANSWERED),
            skipped=_count(Outcome.SKIPPED),
            flagged=_count(Outcome.FLAGGED),
        )
    )
    seconds = _median_seconds(project.annotations.exclude(seconds=None))
    found = [
        AnnotatorProgress(
            pk=row["annotator"],
            name=row["annotator__username"],
            is_machine=row["annotator__is_machine"],
            answered=row["answered"],
            skipped=row["skipped"],
            flagged=row["flagged"],
            seconds=seconds.get(row["annotator"]),
            latest=row["latest"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: (row.is_machine, -row.answered, row.name))


def _count(outcome: Outcome) -> Count:
    return Count("pk", filter=Q(outcome=outcome))


def _median_seconds(annotations: QuerySet[Annotation]) -> dict[int, float]:
    times: dict[int, list[float]] = defaultdict(list)
    for annotator, seconds in annotations.order_by("-pk").values_list("annotator_id", "seconds")[
        :RECENT_DECISIONS
    ]:
        times[annotator].append(seconds or 0.0)
    return {annotator: median(values) for annotator, values in times.items()}
