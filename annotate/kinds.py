"""The kinds of work in the background: what a worker does with a row, and when the tick opens one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef

from annotate.models import (
    BulkChange,
    Document,
    Export,
    Import,
    Job,
    Mail,
    ModelVersion,
    OutOfFoldScore,
    Project,
    Removal,
    Restoration,
    Sweep,
    TrainingRun,
    WebhookDelivery,
)
from annotate.models.jobs import JobKind, MailKind
from annotate.models.versions import Stage
from annotate.models.work import Work, WorkQuerySet, WorkState
from annotate.queues import FINETUNING, INTERACTIVE, TRAINING
from annotate.services.archives import job as archives
from annotate.services.bulk import job as bulk
from annotate.services.corpus import neighbourhoods, signs, vector_store
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.deletion import imports as removed_imports
from annotate.services.deletion import project as deletion
from annotate.services.documents.finding import search_index
from annotate.services.drift import alarms, counting, windows
from annotate.services.exports import job as exports
from annotate.services.imports import job as imports
from annotate.services.llm import answers
from annotate.services.mail import outbox
from annotate.services.projects import merging
from annotate.services.runs import (
    encoders,
    execution,
    first_batch,
    rechoice,
    schedule,
    shadows,
    tagging,
    tuning,
)
from annotate.services.upkeep import sweep
from annotate.services.versions import holdout, reportcards, rescore
from annotate.services.webhooks import outbox as webhooks
from annotate.services.work import jobs, lease
from annotate.services.work.jobs import Turn, TurnWork
from annotate.services.work.progress import ProgressMeter

MINUTE = 60


def nothing() -> Sequence[Work]:
    return ()


@dataclass(frozen=True, slots=True)
class WorkKind:
    """One kind: its rows are those of `model` with the values of `where`.

    `work` does the row of a key if it is free. `due` opens rows that nobody asked for; the tick asks it every
    `every` seconds, 0 for each time. Both return the rows to wake a worker for.
    """

    name: str
    queue: str
    model: type[Work]
    work: Callable[[int], Iterable[Work]]
    where: Mapping[str, object] = field(default_factory=dict)
    due: Callable[[], Iterable[Work]] = nothing
    every: int = 0


def train(run_id: int) -> Iterable[Work]:
    """Train; then predict by what was published, and open the runs that became due meanwhile."""
    version = execution.execute(run_id=run_id)
    if version is not None:
        yield from jobs.ask(kind=JobKind.RESCORE, project=version.project, version=version)
    for project in Project.objects.filter(runs=run_id):
        yield from schedule.open_if_due(project=project)


def due_after_a_pause() -> Iterable[Work]:
    for project in Project.objects.filter(training_enabled=True):
        yield from schedule.open_if_due(project=project, reason=schedule.RunReason.IDLE)


def import_file(import_id: int) -> Iterable[Work]:
    """Store the rows of a file, or take back what was stored of it."""
    if Import.objects.filter(pk=import_id).exclude(removal="").exists():
        removed_imports.run(import_id)
        return
    upload = imports.run(import_id=import_id)
    if upload is not None and not upload.dry_run and upload.created + upload.updated:
        yield from jobs.ask(kind=JobKind.SEARCH, project=upload.project)
        yield from jobs.ask(kind=JobKind.VECTORS, project=upload.project)
        for version in ModelVersion.objects.published().filter(project=upload.project):
            yield from jobs.ask(kind=JobKind.PREDICT_NEW, project=upload.project, version=version)


def index_texts(job: Job, meter: ProgressMeter) -> Turn:
    """Index words for a while, then what is searched by meaning; forget what was deleted if that is asked."""
    meter("index", 0.0)
    is_last = search_index.index(project=job.project, tell=meter)
    if is_last and job.is_anew:
        search_index.forget_deleted(tell=meter)
    if is_last and (fingerprint := vector_store.site_fingerprint()):
        is_last = signs.update(project=job.project, fingerprint=fingerprint, tell=meter)
    return Turn(is_last)


def texts_to_index_due() -> Iterable[Work]:
    for project in search_index.waiting():
        yield from jobs.ask_if_rested(kind=JobKind.SEARCH, project=project)


def change_in_bulk(bulk_id: int) -> Iterable[Work]:
    """Change documents; then open the runs that became due by their labels."""
    change = bulk.run(bulk_id)
    if change is not None:
        yield from schedule.open_if_due(project=change.project)


def make_vectors(job: Job, meter: ProgressMeter) -> Turn:
    """Embed for a while, by the site's own encoder first; with enough vectors choose the first batch."""
    meter("vectors", 0.0)
    site = vector_store.embedder()
    is_complete = _embed_for_a_while(job.project, site, meter)
    opened = first_batch.begin(project=job.project, encoder=site, is_complete=is_complete)
    for fingerprint in encoders.in_use(project=job.project):
        encoder = vector_store.embedder(fingerprint)
        is_complete = is_complete and _embed_for_a_while(job.project, encoder, meter)
    is_complete = is_complete and tagging.prepare_ahead(job.project, partial(meter, "vectors"))
    indexed = jobs.ask(kind=JobKind.SEARCH, project=job.project) if is_complete else []
    return Turn(is_complete, [*opened, *indexed])


def _embed_for_a_while(project: Project, encoder: SiteEmbedder, meter: ProgressMeter) -> bool:
    """Embed for a while; once all texts have their vectors, find their neighbours and return True."""
    vector_store.embed(project=project, encoder=encoder, tell=partial(meter, "vectors"))
    is_complete = vector_store.is_complete(project=project, encoder=encoder)
    if is_complete:
        meter("neighbours", 0.9)
        neighbourhoods.find(project=project, encoder=encoder)
    return is_complete


def vectors_due() -> Iterable[Work]:
    for project in Project.objects.filter(training_enabled=True):
        if first_batch.is_waiting(project=project):
            yield from jobs.ask_if_rested(kind=JobKind.VECTORS, project=project)


def predict_all(job: Job, meter: ProgressMeter) -> Turn:
    assert job.version is not None
    is_new = job.kind == JobKind.PREDICT_NEW
    tell = partial(meter, "predict")
    rescore.prelabel(version=job.version, tell=tell, hear=counting.count_imported, only_new=is_new)
    return Turn()


def predictions_due() -> Iterable[Work]:
    """Predict by the published versions of projects with documents that have no prediction at all.

    A version that only guesses may be silent about every document; then it has been asked, and that is all.
    """
    documents = Document.objects.filter(project=OuterRef("project"))
    asked = Job.objects.filter(
        version=OuterRef("pk"),
        kind=JobKind.RESCORE,
        state=WorkState.SUCCEEDED,
        finished_at__gte=OuterRef("published_at"),
    )
    published = ModelVersion.objects.filter(stage=Stage.PUBLISHED, predictions=None, project__deleted_at=None)
    silent = published.filter(Exists(documents), ~Exists(asked))
    for version in silent.select_related("project"):
        yield from jobs.ask_if_rested(kind=JobKind.RESCORE, project=version.project, version=version)


def ask_llm(job: Job, meter: ProgressMeter) -> Turn:
    meter("ask", 0.0)
    encoder = vector_store.embedder() if vector_store.any_for(project=job.project) else None
    done = answers.suggest(project=job.project, embedder=encoder, tell=partial(meter, "ask"))
    return Turn(is_last=not (done and answers.is_wanted(project=job.project)))


def answers_due() -> Iterable[Work]:
    for project in Project.objects.filter(llm_budget__gt=0) if answers.is_configured() else ():
        if answers.is_wanted(project=project):
            yield from jobs.ask_if_rested(kind=JobKind.ASK_LLM, project=project)


def measure(job: Job, meter: ProgressMeter) -> Turn:
    """Measure the project's models; where it publishes what is recommended, predict by that."""
    card = reportcards.make(project=job.project, anew=job.is_anew, tell=partial(meter, "measure"))
    version = reportcards.publish_recommended(card=card) if card else None
    if version is None:
        return Turn()
    return Turn(opened=jobs.ask(kind=JobKind.RESCORE, project=job.project, version=version))


def choose_anew(job: Job, meter: ProgressMeter) -> Turn:
    rechoice.choose_anew(project=job.project, tell=partial(meter, "choose"))
    return Turn()


def merge_labels(job: Job, meter: ProgressMeter) -> Turn:
    """Change answers with merged labels for a while; then predict anew what is published, and train."""
    meter("merge", 0.0)
    if not merging.move(project=job.project, tell=partial(meter, "merge")):
        return Turn(is_last=False)
    # What a label and the one that it became are told apart by says nothing any more.
    encoders.delete(OutOfFoldScore.objects.filter(project=job.project))
    opened: list[Work] = []
    for version in ModelVersion.objects.published().filter(project=job.project):
        opened += jobs.ask(kind=JobKind.RESCORE, project=job.project, version=version)
    return Turn(opened=[*opened, *schedule.open_at_once(project=job.project)])


def merging_due() -> Iterable[Work]:
    for project in merging.waiting():
        yield from jobs.ask_if_rested(kind=JobKind.MERGE, project=project)


def watch(job: Job, meter: ProgressMeter) -> Turn:
    """Close the next window of what was predicted; an alarm may open a run."""
    meter("watch", 0.0)
    opened = windows.close_next(job.project)
    return Turn() if opened is None else Turn(is_last=False, opened=opened)


def windows_due() -> Iterable[Work]:
    alarms.end_answered()
    for project in windows.due():
        yield from jobs.ask_if_rested(kind=JobKind.WATCH, project=project)


def deliver(delivery_id: int) -> Iterable[Work]:
    """Send a message to a webhook; have leads told where that switched it off."""
    webhook = webhooks.run(delivery_id)
    return () if webhook is None else outbox.tell_leads(webhook.project, MailKind.WEBHOOK_OFF)


def measuring_due() -> Iterable[Work]:
    for project in reportcards.outdated():
        yield from jobs.ask_if_rested(kind=JobKind.REPORTCARD, project=project)


def of_jobs(kind: JobKind, queue: str, turn: TurnWork, due: Callable[[], Iterable[Work]]) -> WorkKind:
    return WorkKind(kind.value, queue, Job, partial(jobs.do, work=turn), {"kind": kind.value}, due, MINUTE)


KINDS = (
    WorkKind("train", TRAINING, TrainingRun, train, {"is_slow": False}, due_after_a_pause),
    WorkKind("fine_tune", FINETUNING, TrainingRun, train, {"is_slow": True}, tuning.due, MINUTE),
    WorkKind("import_file", INTERACTIVE, Import, import_file),
    WorkKind("bulk", INTERACTIVE, BulkChange, change_in_bulk),
    WorkKind("export", INTERACTIVE, Export, exports.run),
    WorkKind("restore", INTERACTIVE, Restoration, archives.run),
    WorkKind("mail", INTERACTIVE, Mail, outbox.run),
    WorkKind("webhook", INTERACTIVE, WebhookDelivery, deliver),
    WorkKind("sweep", INTERACTIVE, Sweep, sweep.run, due=sweep.due, every=MINUTE),
    WorkKind("remove", INTERACTIVE, Removal, deletion.run, due=deletion.due, every=MINUTE),
    of_jobs(JobKind.VECTORS, TRAINING, make_vectors, vectors_due),
    of_jobs(JobKind.RESCORE, INTERACTIVE, predict_all, predictions_due),
    of_jobs(JobKind.PREDICT_NEW, INTERACTIVE, predict_all, nothing),
    of_jobs(JobKind.ASK_LLM, INTERACTIVE, ask_llm, answers_due),
    of_jobs(JobKind.REPORTCARD, INTERACTIVE, measure, measuring_due),
    of_jobs(JobKind.RECHOOSE, TRAINING, choose_anew, nothing),
    of_jobs(JobKind.SEARCH, INTERACTIVE, index_texts, texts_to_index_due),
    of_jobs(JobKind.MERGE, INTERACTIVE, merge_labels, merging_due),
    of_jobs(JobKind.WATCH, INTERACTIVE, watch, windows_due),
    of_jobs(JobKind.HOLDOUT, INTERACTIVE, holdout.score, holdout.due),
    # Where slow work has its workers, of low priority, so that no model is published later for it.
    of_jobs(JobKind.SHADOW, FINETUNING, shadows.train, shadows.due),
)
BY_NAME = {kind.name: kind for kind in KINDS}
MODELS: tuple[type[Work], ...] = tuple(dict.fromkeys(kind.model for kind in KINDS))


def kind_of(row: Any) -> WorkKind:
    """Return the kind whose work a row is."""
    return next(
        kind
        for kind in KINDS
        if isinstance(row, kind.model) and all(getattr(row, name) == kind.where[name] for name in kind.where)
    )


def rows_of(queue: str) -> Iterator[WorkQuerySet[Any]]:
    """Yield the rows of each kind whose workers serve this queue."""
    return (lease.rows_of(kind.model).filter(**kind.where) for kind in KINDS if kind.queue == queue)
