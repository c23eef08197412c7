"""Shadow models: what as many labels would have brought had their documents been drawn at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from django.db.models import Min

from annotate.models import Annotation, Job, ModelVersion, Project, Shadow
from annotate.models.documents import Lane
from annotate.models.jobs import JobKind
from annotate.models.queue import AssignmentState
from annotate.models.versions import Stage
from annotate.models.work import Work
from annotate.services.corpus import snapshots, vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.versions.rescore import embedder_of
from annotate.services.versions.variants import TUNED, RunConfig
from annotate.services.work import jobs
from annotate.services.work.progress import ProgressMeter
from training.figures.evidence import FEWEST_DRAWN, is_enough
from training.registry import FAMILIES
from training.runs.pipeline import rows_of
from training.runs.shadow import MOST_DRAWN, Estimate, even_draw, shadow
from training.types import Dataset, DocumentTask, Embedder, IntArray, Objective, RunSpec

GROWN = 1.2  # times the documents of the last comparison, so that another one says more


def due() -> Iterable[Work]:
    """Open a job for the newest model of each project where more was drawn at random since the last one."""
    for project in Project.objects.filter(training_enabled=True):
        version = _subject(project)
        if version is not None and _is_worth_it(version):
            yield from jobs.ask_if_rested(kind=JobKind.SHADOW, project=project, version=version)


def train(job: Job, meter: ProgressMeter) -> jobs.Turn:
    """Compare models of drawn and of chosen documents, as far as people have labelled both.

    What came with a file was neither drawn nor chosen, and stays out of both.
    """
    assert job.version is not None
    version, project = job.version, job.project
    meter("read", 0.0)
    snapshot: Snapshot[Dataset] = snapshots.take(project=project)
    rows, drawn = _in_order(project, snapshot)
    if len(drawn) < FEWEST_DRAWN or not is_enough(len(snapshot.reporting)):
        return jobs.Turn()
    found = shadow(
        RunSpec(
            family=version.family,
            params=_config(version).parameters,
            objective=Objective(project.objective),
            objective_value=project.objective_value,
        ),
        rows_of(snapshot.dataset, rows),
        drawn,
        tuning=snapshot.tuning,
        reporting=snapshot.reporting,
        embedder=_embedder(version),
        tell=partial(meter, "fit"),
    )
    columns = {name: value for name, value in asdict(found).items() if name not in ("drawn", "chosen")}
    figures = _ends("drawn", found.drawn) | _ends("chosen", found.chosen)
    Shadow.objects.update_or_create(version=version, defaults=columns | figures)
    return jobs.Turn()


def _ends(name: str, figure: Estimate) -> dict[str, float]:
    return {f"{name}_f1": figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _in_order(project: Project, snapshot: Snapshot[Any]) -> tuple[IntArray, IntArray]:
    """Return the snapshot's rows of documents that the queue handed out, in the order of their first answers.

    Beside them, an even draw of the pool as places among these rows.
    """
    handed_out = project.assignments.of_queue().filter(state=AssignmentState.DONE)
    is_random: dict[int, bool] = {}
    for document, drawn_so in handed_out.values_list("document", "is_random"):
        is_random[document] = is_random.get(document, False) or drawn_so
    of_pool = Annotation.objects.answered().filter(project=project, document__lane=Lane.POOL)
    first = dict(of_pool.order_by().values_list("document").annotate(first=Min("pk")))
    rows = [row for row, key in enumerate(snapshot.document_ids.tolist()) if key in is_random]
    rows.sort(key=lambda row: first[int(snapshot.document_ids[row])])
    random = [is_random[int(snapshot.document_ids[row])] for row in rows]
    imported = len(snapshot.document_ids) - len(rows)
    pool = project.documents.filter(lane=Lane.POOL).count() - imported
    drawn = even_draw(np.array(random, bool), pool, np.random.default_rng(project.pk))
    return np.array(rows, np.int64), drawn[:MOST_DRAWN]


def _subject(project: Project) -> ModelVersion | None:
    """Return the version whose family shadow models are of: the published one, else the newest cheap one."""
    task = project.task_type.task
    if not isinstance(task, DocumentTask):
        return None
    cheap = [key for key, one in FAMILIES.items() if one.learns and not one.is_slow and one.suits(task)]
    versions = project.versions.filter(family__in=cheap, revises=None).exclude(run=None).select_related("run")
    version = versions.filter(stage=Stage.PUBLISHED).first() or versions.order_by("-number").first()
    # A teacher knows what the drawn documents do not tell.
    return version if version is not None and not _config(version).teacher else None


def _embedder(version: ModelVersion) -> Embedder | None:
    """Return the encoder that shadow models read: the version's, but one that knows no labels."""
    if _config(version).encoder == TUNED and vector_store.any_for(project=version.project):
        return vector_store.embedder()
    return embedder_of(version)


def _config(version: ModelVersion) -> RunConfig:
    assert version.run is not None
    return RunConfig.load(version.run.config)


def _is_worth_it(version: ModelVersion) -> bool:
    """Tell whether a comparison would say more than the last one does. Each version is asked for it once."""
    if not is_enough(version.holdout_documents) or version.jobs.filter(kind=JobKind.SHADOW).exists():
        return False
    drawn = version.project.assignments.answered_draws()[:MOST_DRAWN].count()
    last = Shadow.objects.filter(version__project=version.project_id).select_related("version").first()
    if last is None or not version.follows(last.version):
        return drawn >= FEWEST_DRAWN
    return last.labels < MOST_DRAWN and drawn >= GROWN * last.labels
