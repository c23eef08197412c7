"""What a version says of the holdout, and what people answered: what every page that judges it reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from annotate.models import Annotation, Document, Job, KeptScores, Label, ModelVersion, User
from annotate.models.documents import Half, Lane
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.models.versions import Sample, Stage
from annotate.models.work import Work, WorkState
from annotate.services import events
from annotate.services.corpus import snapshots
from annotate.services.versions import rescore, samples
from annotate.services.versions.loaded_bundles import suited
from annotate.services.versions.samples import ScoredDocuments
from annotate.services.work import jobs
from annotate.services.work.progress import ProgressMeter
from training.bundles.cascade import open_predictor
from training.bundles.predictor import Predictor
from training.types import DocumentTask, FloatArray, IntArray

CHUNK = 250  # texts between two signs of life
FEWEST_NEW, NEW_SHARE = 20, 0.1  # of the holdout, answered since, so that it is scored again
NEWEST = 3  # versions of a project whose holdout is scored without being asked


class NotScored(Exception):
    """A version of which nothing is kept that could be shown; the message is a sentence for its reader."""


@dataclass(frozen=True, slots=True)
class Unscored:
    """How many holdout documents were answered since a version has scored the holdout.

    The published one scores it again by itself from `enough` of them on.
    """

    version: ModelVersion
    documents: int
    enough: int

    @property
    def sentence(self) -> str:
        since = ngettext(
            "%(documents)s holdout document was answered since version %(n)s scored the holdout, and counts "
            "in none of these figures.",
            "%(documents)s holdout documents were answered since version %(n)s scored the holdout, and count "
            "in none of these figures.",
            self.documents,
        )
        if self.version.stage == Stage.PUBLISHED:
            then = _("With %(enough)s of them it scores the holdout again by itself.")
        else:
            then = _("They do once a lead has it score the holdout again.")
        told = {"documents": self.documents, "n": self.version.number, "enough": self.enough}
        return f"{since} {then}" % told


@dataclass(frozen=True, slots=True)
class HoldoutScores:
    """Holdout documents by their keys (documents,), with scores and answers (documents, labels).

    Columns are those of the version's `label_ids`. `unscored` documents are in none of the arrays.
    """

    task: DocumentTask
    keys: IntArray
    is_tuning: NDArray[np.bool_]
    scores: FloatArray
    raw: FloatArray | None
    targets: FloatArray
    thresholds: FloatArray
    unscored: Unscored

    @property
    def decisions(self) -> NDArray[np.bool_]:
        return self.task.decide(self.scores, self.thresholds)

    def half(self, half: Half) -> Self:
        return self.only(self.is_tuning if half == Half.TUNING else ~self.is_tuning)

    def only(self, rows: NDArray[np.bool_] | IntArray) -> Self:
        """Return it with these rows alone."""
        arrays = {name: getattr(self, name)[rows] for name in ("keys", "is_tuning", "scores", "targets")}
        return replace(self, **arrays, raw=None if self.raw is None else self.raw[rows])


def of_version(version: ModelVersion) -> HoldoutScores:
    """Return what a version says of the holdout as it is answered today; raises `NotScored`."""
    task = _task(version)
    kept = samples.read(version=version, sample=Sample.HOLDOUT)
    if kept is None:
        raise NotScored(_why_none(version))
    answers = snapshots.holdout(version.project)
    became = Label.objects.successors(version.project_id)
    columns: dict[int, int] = {}
    for column, pk in enumerate(version.label_ids):
        columns.setdefault(became.get(pk, pk), column)
    place = {int(key): row for row, key in enumerate(kept.keys)}
    known = [key for key in sorted(answers) if key in place]
    targets = np.zeros((len(known), len(version.label_ids)), np.float32)
    for row, key in enumerate(known):
        targets[row, [columns[int(pk)] for pk in answers[key][1].labels if int(pk) in columns]] = 1.0
    rows = np.array([place[key] for key in known], np.int64)
    return HoldoutScores(
        task=task,
        keys=np.array(known, np.int64),
        is_tuning=np.array([answers[key][0] == Half.TUNING for key in known], bool),
        scores=kept.scores[rows],
        raw=None if kept.raw is None else kept.raw[rows],
        targets=targets,
        thresholds=kept.thresholds,
        unscored=Unscored(version, len(answers) - len(known), _enough(kept.population)),
    )


def _task(version: ModelVersion) -> DocumentTask:
    task = version.project.task_type.task
    if not isinstance(task, DocumentTask):
        raise NotScored(_("Versions that mark pieces of texts are not compared document by document."))
    return task


def _why_none(version: ModelVersion) -> str:
    told = {"n": version.number}
    if not version.bundle:
        return _("The bundle of version %(n)s was removed to save space, and its scores with it.") % told
    live = version.jobs.live().filter(kind=JobKind.HOLDOUT)
    if live.exists():
        return _("Version %(n)s is scoring the holdout now; look again in a moment.") % told
    return _("Version %(n)s has not scored the holdout yet.") % told


@transaction.atomic
def ask(*, version: ModelVersion, by: User) -> list[Job]:
    """Open the job that scores the holdout by a version; raises `NotScored` where it cannot."""
    _task(version)
    if not version.bundle:
        raise NotScored(_why_none(version))
    events.record(EventKind.HOLDOUT_SCORED, by=by, project=version.project, subject=str(version.number))
    return jobs.ask(kind=JobKind.HOLDOUT, project=version.project, version=version)


def score(job: Job, meter: ProgressMeter) -> jobs.Turn:
    """Keep what the job's version says of the answered holdout documents; raises `TrainingError`."""
    assert job.version is not None
    version = job.version
    answered = sorted(snapshots.holdout(version.project))
    texts = dict(Document.objects.filter(pk__in=answered).order_by("pk").values_list("pk", "text"))
    predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    fitting = suited(predictor, rescore.embedder_of(version))
    keys, nothing = list(texts), np.zeros((0, len(version.label_ids)), np.float32)
    raw, scores = [nothing], [nothing]
    for start in range(0, len(keys), CHUNK):
        meter("predict", start / len(keys))
        some = [texts[key] for key in keys[start : start + CHUNK]]
        if isinstance(predictor, Predictor):
            raw.append(predictor.predict_raw(some, embedder=fitting))
            scores.append(predictor.calibrated(raw[-1]))
        else:
            scores.append(predictor.predict_proba(some, embedder=fitting))
    samples.keep(
        version=version,
        sample=Sample.HOLDOUT,
        scored=ScoredDocuments(
            keys=np.array(keys, np.int64),
            scores=np.concatenate(scores),
            raw=np.concatenate(raw) if isinstance(predictor, Predictor) else None,
            thresholds=predictor.thresholds,
            population=len(keys),
        ),
    )
    return jobs.Turn()


def due() -> Iterable[Work]:
    """Open jobs for the newest versions and the published ones that have not scored the holdout yet.

    Published ones do so again once enough of it has been answered since. One that failed once is left to
    people: its bundle or its encoder is broken.
    """
    failed = Job.objects.filter(version=OuterRef("pk"), kind=JobKind.HOLDOUT, state=WorkState.FAILED)
    kept = KeptScores.objects.filter(version=OuterRef("pk"), sample=Sample.HOLDOUT)
    alike = ModelVersion.objects.filter(project=OuterRef("project")).exclude(bundle="")
    newest = Q(pk__in=alike.order_by("-number").values("pk")[:NEWEST])
    bundles = ModelVersion.objects.filter(project__deleted_at=None).exclude(bundle="")
    waiting = bundles.filter(newest | Q(stage=Stage.PUBLISHED), ~Exists(failed), ~Exists(kept))
    for version in waiting.select_related("project"):
        if isinstance(version.project.task_type.task, DocumentTask):
            yield from jobs.ask_if_rested(kind=JobKind.HOLDOUT, project=version.project, version=version)
    served = bundles.filter(~Exists(failed), stage=Stage.PUBLISHED).select_related("project")
    for version in served:
        if _has_grown(version):
            yield from jobs.ask_if_rested(kind=JobKind.HOLDOUT, project=version.project, version=version)


def _enough(scored: int) -> int:
    return max(FEWEST_NEW, round(NEW_SHARE * scored))


def _has_grown(version: ModelVersion) -> bool:
    """Tell whether people have answered a share of the holdout since the version's scores of it were kept."""
    rows = version.kept_scores.filter(sample=Sample.HOLDOUT).values_list("population", "scored_at")
    for scored, scored_at in rows:
        enough = _enough(scored)
        answered = Annotation.objects.answered().filter(project=version.project, created_at__gt=scored_at)
        return answered.filter(document__lane=Lane.HOLDOUT)[:enough].count() == enough
    return False
