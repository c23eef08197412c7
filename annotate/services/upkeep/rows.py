"""Sweepers of rows that only grow. Annotations, decisions, versions and their figures always stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from annotate.models import (
    AskedText,
    Assignment,
    Batch,
    BulkChange,
    Card,
    Corridor,
    Embedding,
    Mail,
    ModelVersion,
    Neighbourhood,
    OpenSession,
    Publication,
    Sweep,
    TrainingRun,
    WebhookDelivery,
)
from annotate.models.bulk import PREVIEWED
from annotate.models.jobs import MailKind
from annotate.models.queue import AssignmentState
from annotate.models.work import LIVE_STATES
from annotate.services.corpus import vector_store
from annotate.services.runs import encoders

GUESSES_KEPT = timedelta(days=30)
MAILS_KEPT = timedelta(days=31)
FORGOTTEN_KEPT = timedelta(days=1)
CARDS_KEPT = timedelta(days=90)  # so long may a browser without a network keep its answers
PUBLICATIONS_KEPT = timedelta(days=90)
RUNS_KEPT = timedelta(days=90)
BATCHES_KEPT = timedelta(days=30)
ADMIN_LOG_KEPT = timedelta(days=365)
PREVIEWS_KEPT = timedelta(days=1)
SWEEPS_KEPT = timedelta(days=7)
ASKED_KEPT = timedelta(days=7)


def sessions(untouched: float) -> int:
    """Remove sessions that have run out, and what was noted of sessions that are gone."""
    ended = encoders.delete(Session.objects.filter(expire_date__lt=timezone.now()))
    standing = Session.objects.filter(pk=OuterRef("session_key"))
    encoders.delete(OpenSession.objects.filter(~Exists(standing)))
    return ended


def guesses(untouched: float) -> int:
    """Remove wrong passwords that no longer count."""
    before = timezone.now() - max(GUESSES_KEPT, settings.AXES_COOLOFF_TIME)
    old = [
        model.objects.filter(attempt_time__lt=before)
        for model in (AccessAttempt, AccessFailureLog, AccessLog)
    ]
    return sum(map(encoders.delete, old))


def mails(untouched: float) -> int:
    """Remove mails that are over; those of open invitations say meanwhile what became of them.

    What somebody typed who had forgotten a password, maybe the password itself, goes after a day.
    """
    over = Mail.objects.exclude(state__in=LIVE_STATES)
    forgotten = Q(kind=MailKind.PASSWORD, created_at__lt=timezone.now() - FORGOTTEN_KEPT)
    return encoders.delete(over.filter(forgotten | Q(created_at__lt=timezone.now() - MAILS_KEPT)))


def webhook_messages(untouched: float) -> int:
    """Remove messages to webhooks that are over."""
    over = WebhookDelivery.objects.exclude(state__in=LIVE_STATES)
    return encoders.delete(over.filter(created_at__lt=timezone.now() - MAILS_KEPT))


def cards(untouched: float) -> int:
    """Remove cards that nobody has before them; what was shown is kept with the decision."""
    leased = Assignment.objects.filter(card=OuterRef("pk"), state=AssignmentState.LEASED)
    old = Card.objects.filter(created_at__lt=timezone.now() - CARDS_KEPT)
    return encoders.delete(old.filter(~Exists(leased)))


def publications(untouched: float) -> int:
    """Remove what was withdrawn, and what cannot serve again as its bundle is gone."""
    newest = (
        Publication.objects.standing().filter(project=OuterRef("project")).order_by("-pk").values("pk")[:1]
    )
    old = Publication.objects.filter(published_at__lt=timezone.now() - PUBLICATIONS_KEPT)
    over = old.filter(~Q(withdrawn_at=None) | Q(version__bundle=""))
    return encoders.delete(over.exclude(pk=Subquery(newest)))


def runs(untouched: float) -> int:
    """Remove runs that left no version; the newest of each variant says which labels are learned."""
    alike = TrainingRun.objects.filter(
        project=OuterRef("project"), family=OuterRef("family"), variant=OuterRef("variant")
    )
    newest = alike.order_by("-pk").values("pk")[:1]
    made = ModelVersion.objects.filter(run=OuterRef("pk"))
    over = TrainingRun.objects.exclude(state__in=LIVE_STATES).filter(
        ~Exists(made), finished_at__lt=timezone.now() - RUNS_KEPT
    )
    return encoders.delete(over.exclude(pk=Subquery(newest)))


def batches(untouched: float) -> int:
    """Remove batches whose places are all gone; a project keeps its newest one."""
    newest = Batch.objects.filter(project=OuterRef("project")).order_by("-pk").values("pk")[:1]
    places = Assignment.objects.filter(batch=OuterRef("pk"))
    old = Batch.objects.filter(~Exists(places), created_at__lt=timezone.now() - BATCHES_KEPT)
    return encoders.delete(old.exclude(pk=Subquery(newest)))


def vectors(untouched: float) -> int:
    """Remove the vectors of encoders that are gone."""
    if not (site := vector_store.site_fingerprint()):
        return 0  # the site's own encoder has still to be made, or its folder is not to be seen
    stored = {*_encoders(Embedding.objects.all()), *_encoders(Neighbourhood.objects.all())}
    gone = [one for one in stored - {site} if not (Path(settings.ENCODER_ROOT) / one).is_dir()]
    lost = (model.objects.filter(encoder__in=gone) for model in (Neighbourhood, Embedding))
    return sum(map(encoders.delete, lost)) if gone else 0


def _encoders(rows: QuerySet[Embedding] | QuerySet[Neighbourhood]) -> QuerySet[Embedding, str]:
    return rows.order_by().values_list("encoder", flat=True).distinct()  # type: ignore[return-value]


def admin_log(untouched: float) -> int:
    return encoders.delete(LogEntry.objects.filter(action_time__lt=timezone.now() - ADMIN_LOG_KEPT))


def asked_texts(untouched: float) -> int:
    """Remove the texts of programs after a week, and at once where a project keeps none any more."""
    keeping = Corridor.objects.filter(texts_kept_until__gte=timezone.localdate()).values("project")
    old = Q(created_at__lt=timezone.now() - ASKED_KEPT)
    return encoders.delete(AskedText.objects.filter(old | ~Q(project__in=keeping)))


def previews(untouched: float) -> int:
    """Remove bulk changes that a lead has looked at and never confirmed."""
    old = BulkChange.objects.filter(state=PREVIEWED, created_at__lt=timezone.now() - PREVIEWS_KEPT)
    return encoders.delete(old)


def sweeps(untouched: float) -> int:
    over = Sweep.objects.exclude(state__in=LIVE_STATES)
    return encoders.delete(over.filter(created_at__lt=timezone.now() - SWEEPS_KEPT))
