"""A project's models side by side: scored on the same documents, timed on this machine, one recommended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Job, ModelVersion, Project, ReportCard, User
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.models.versions import Stage
from annotate.services import events
from annotate.services.corpus import snapshots, vector_store, word_vectors
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.versions import publication
from annotate.services.versions.record import VersionReport
from annotate.services.work import jobs
from training.bundles.bundle import read_manifest
from training.reportcard.card import Candidate, Comparison
from training.reportcard.measurement import Measured, machine, measure
from training.reportcard.recommend import (
    Compared,
    DecidedDocuments,
    FoundBoth,
    FoundSpans,
    caveats,
    quantised_pairs,
    recommend,
)
from training.reportcard.span_measurement import MeasuredSpans, measure_spans
from training.spans import SpanDataset
from training.types import TrainingError

Row: TypeAlias = Candidate | Measured | MeasuredSpans
KEPT = 10
ENOUGH = 100  # reporting documents: with fewer, large differences count as noise
SECONDS = 4.0  # each of the two speeds is measured for so long where a lead asks for it
SECONDS_ASIDE = 1.0  # and for so long where nobody asked and people label meanwhile


@transaction.atomic
def ask(*, project: Project, by: User) -> list[Job]:
    """Have everything measured anew, speeds as well; the caller wakes a worker for the job."""
    opened = jobs.ask(kind=JobKind.REPORTCARD, project=project, anew=True)
    events.record(EventKind.MEASURED, by=by, project=project)
    return opened


def newest(project: Project) -> list[ModelVersion]:
    """Return the newest version of each family and variant whose bundle is kept, by their names."""
    kept = project.versions.exclude(bundle="").order_by()
    latest = kept.values("family", "variant").annotate(number=Max("number")).values("number")
    return list(
        project.versions.filter(number__in=latest).select_related("run").order_by("family", "variant")
    )


def name_of(version: ModelVersion) -> str:
    return f"{version.family} v{version.number}"


def make(
    *, project: Project, anew: bool = False, tell: Callable[[float], None] = lambda done: None
) -> ReportCard | None:
    """Measure and store; speeds that are known already are kept unless `anew`. None without any version.

    `tell` hears before each version which share is done, and may raise to end it.
    """
    versions = newest(project)
    if not versions:
        return None
    snapshot = snapshots.take(project=project)
    rows = []
    for done, version in enumerate(versions):
        tell(done / len(versions))
        rows.append(_row(version, snapshot, anew=anew))
    tell(1.0)
    candidates = tuple(row if isinstance(row, Candidate) else row.candidate for row in rows)
    documents, asked = len(snapshot.reporting), project.asked
    too_few = _(
        "Only %(documents)s holdout documents report figures, so large differences count as noise. "
        "From %(enough)s on, the recommendation can be followed."
    ) % {"documents": documents, "enough": ENOUGH}
    comparison = Comparison(
        documents=documents,
        classes=len(snapshot.label_ids),
        machine=machine(),
        constraints=asked,
        candidates=candidates,
        recommendation=recommend(candidates, _compared(snapshot, rows), asked),
        quantised=quantised_pairs(candidates),
        caveats=(
            *([too_few] if documents < ENOUGH else []),
            *caveats(candidates, len(snapshot.label_ids), asked),
        ),
    )
    content = comparison.to_json()
    for candidate in content["candidates"]:
        if candidate["evaluation"]:
            candidate["evaluation"]["confusion"] = None  # labels x labels figures that nobody looks at here
    numbers = {name_of(version): version.number for version in versions}
    card = ReportCard.objects.create(project=project, content=content | {"versions": numbers})
    old = list(project.report_cards.values_list("pk", flat=True)[KEPT:])
    ReportCard.objects.filter(pk__in=old).delete()
    return card


def _compared(snapshot: Snapshot[Any], rows: Sequence[Row]) -> Compared:
    """Return what the versions said of the reporting documents."""
    if isinstance(snapshot.reporting, SpanDataset) and snapshot.reporting.labels is not None:
        said = {
            row.candidate.name: (row.found, row.decisions)
            for row in rows
            if isinstance(row, MeasuredSpans) and row.decisions is not None
        }
        return FoundBoth(snapshot.reporting, said)
    if isinstance(snapshot.reporting, SpanDataset):
        found = {row.candidate.name: row.found for row in rows if isinstance(row, MeasuredSpans)}
        return FoundSpans(snapshot.reporting.spans, found)
    decisions = {row.candidate.name: row.decisions for row in rows if isinstance(row, Measured)}
    return DecidedDocuments(snapshot.reporting.targets, decisions)


def _row(version: ModelVersion, snapshot: Snapshot[Any], *, anew: bool) -> Row:
    """Measure one version, or say what stands in the way; its speed is kept with the version."""
    report = VersionReport.load(version.report)
    start = Candidate(
        name=name_of(version),
        family=version.family,
        params=(version.run.config if version.run else {})
        | ({"checkpoint": report.checkpoint} if report.checkpoint else {}),
        speed=None if anew else report.speed,
        train_seconds=report.fit_seconds,
        labelled=version.labelled,
        notes=tuple(one.note for one in (report.parity, report.span_parity) if one and one.note),
        twin=report.parity.twin if report.parity else None,
    )
    try:
        if tuple(version.label_ids) != snapshot.label_ids:
            raise TrainingError(
                _("It learned other labels than the project has now; train this family again.")
            )
        if not len(snapshot.reporting):
            raise TrainingError(_("No holdout document that reports figures is labelled yet."))
        found = _measured(version, start, snapshot.reporting, SECONDS if anew else SECONDS_ASIDE)
    except (TrainingError, OSError) as error:
        return replace(start, problem=str(error))
    version.report = replace(report, speed=found.candidate.speed).dump()
    version.save(update_fields=["report"])
    return found


def _measured(
    version: ModelVersion, start: Candidate, reporting: Any, seconds: float
) -> Measured | MeasuredSpans:
    folder, root = version.checked_folder(), settings.ENCODER_ROOT
    encoder = read_manifest(version.bundle_folder).encoder
    if version.tags_words:
        words = word_vectors.of(version.project, encoder) if encoder else None
        return measure_spans(start, folder, reporting, encoder=words, encoder_root=root, seconds=seconds)
    reads_kept_vectors = encoder is not None and vector_store.any_for(project=version.project)
    embedder = vector_store.embedder(encoder or "") if reads_kept_vectors else None
    return measure(start, folder, reporting, embedder=embedder, encoder_root=root, seconds=seconds)


def latest(project: Project) -> ReportCard | None:
    return project.report_cards.first()


def outdated() -> QuerySet[Project]:
    """Return the projects with a version that was made after their last card."""
    times = Project.objects.standing().annotate(
        measured_at=Max("report_cards__created_at"), version_at=Max("versions__created_at")
    )
    return times.filter(Q(measured_at=None) | Q(measured_at__lt=F("version_at")), version_at__isnull=False)


def recommended(card: ReportCard) -> ModelVersion | None:
    """Return the version that the card recommends, while its bundle is kept."""
    number = card.content["versions"].get(card.content["recommendation"]["name"])
    return ModelVersion.objects.filter(project=card.project_id, number=number).exclude(bundle="").first()


def publish_recommended(*, card: ReportCard) -> ModelVersion | None:
    """Publish what the card recommends where the project wants that; return the version if it was done.

    On few documents noise hides what a model is worth, so then the published one stays.
    Versions of the published family and variant follow each other by `publishing.judge`, which compares
    them at once.
    """
    version = recommended(card)
    if version is None or not card.project.publish_recommended or version.stage == Stage.PUBLISHED:
        return None
    published = card.project.versions.published().first()
    if published and (published.follows(version) or card.content["documents"] < ENOUGH):
        return None
    version.verdict = card.content["recommendation"]["reason"]
    try:
        return publication.publish(version=version)
    except publication.NotPublished as refusal:
        version.verdict = str(refusal)
        version.save(update_fields=["verdict"])
        return None
