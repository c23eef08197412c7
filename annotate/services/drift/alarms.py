"""Alarms: what the model says of new texts has left its corridor, and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from annotate.models import Assignment, Corridor, DriftAlarm, PredictionWindow, Project, User
from annotate.models.events import EventKind
from annotate.models.jobs import MailKind, WebhookEvent
from annotate.models.queue import AssignmentState
from annotate.models.work import Work
from annotate.services import events
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.drift import strange_texts
from annotate.services.mail import outbox
from annotate.services.runs import schedule
from annotate.services.webhooks import outbox as webhooks
from training.types import Json

SNOOZED_FOR = timedelta(days=7)
MOST_LEARNED = 0.8  # of the answers to an alarm's texts


def bring_to_today(project: Project) -> None:
    """Let times that a clock which went back has left in the future be no later than they can be now.

    What is usual would else begin on that day, and until then no window would be compared with anything.
    """
    now, latest = timezone.now(), timezone.now() + SNOOZED_FOR
    Corridor.objects.filter(project=project, began_at__gt=now).update(began_at=now)
    Corridor.objects.filter(project=project, snoozed_until__gt=latest).update(snoozed_until=latest)


def is_due(corridor: Corridor) -> bool:
    """Tell whether the newest windows in a row are outside, and nothing keeps an alarm from being raised."""
    now, project = timezone.now(), corridor.project
    if corridor.snoozed_until is not None and now < corridor.snoozed_until:
        return False
    since = now - timedelta(hours=corridor.rest_hours)
    raised = project.drift_alarms.all()
    if (
        raised.filter(ended_at=None).exists()
        or raised.filter(raised_at__gt=since, raised_at__lte=now).exists()
    ):
        return False
    windows = project.prediction_windows.all()
    if corridor.began_at is not None:
        windows = windows.filter(began_at__gte=corridor.began_at)
    newest = list(windows.order_by("-pk").values_list("is_outside", flat=True)[: corridor.outside])
    return len(newest) == corridor.outside and all(newest)


def raise_alarm(window: PredictionWindow) -> Sequence[Work]:
    """Raise an alarm by a window, once; return the rows to wake a worker for.

    What is unlike all that has a label goes to people first; a model is trained where the project says so,
    and leads get a mail where the site sends any.
    """
    project, corridor = window.project, Corridor.of(window.project)
    try:
        with transaction.atomic():
            alarm = DriftAlarm.objects.create(project=project, window=window, version=window.version)
    except IntegrityError:
        return ()  # another worker has raised it
    alarm.batch, alarm.queued = strange_texts.queue_strangest(window)
    opened = schedule.open_at_once(project=project) if corridor.retrains else []
    alarm.run = opened[0] if opened else None
    with transaction.atomic():
        alarm.save(update_fields=["batch", "queued", "run"])
        webhooks.announce(project, WebhookEvent.ALARM_OPENED, **_announced(alarm), queued=alarm.queued)
    return [*opened, *outbox.tell_leads(project, MailKind.DRIFT)]


def end_answered() -> int:
    """End the alarms whose texts have answers that a version published since has learned; return how many.

    Most of them are enough: the last few may be in a model that the gate has refused. What is usual begins
    anew with that version.
    """
    ended = 0
    for alarm in DriftAlarm.objects.filter(ended_at=None).exclude(batch=None).select_related("project"):
        places = Assignment.objects.filter(batch=alarm.batch_id)
        if places.exclude(state=AssignmentState.DONE).exists():
            continue
        answers = alarm.project.annotations.filter(document__assignments__batch=alarm.batch_id)
        current = alarm.project.versions.published().select_related("run").first()
        if current is None or current.run is None or current.run.started_at is None:
            continue
        number = answers.count()
        # Of answers that a clock has dated ahead of today their order tells whether the run has read them.
        newest = SnapshotSummary.load(current.run.snapshot).annotation
        dated_ahead = Q(updated_at__gt=timezone.now(), pk__lte=newest)
        learned = answers.filter(Q(updated_at__lt=current.run.started_at) | dated_ahead).count()
        if number and learned >= MOST_LEARNED * number:
            _end(alarm, by=None)
            ended += 1
    return ended


@transaction.atomic
def change_corridor(*, corridor: Corridor, fields: Sequence[str], by: User) -> None:
    """Store how a project is watched from now on."""
    before = Corridor.of(corridor.project)
    changed = {
        name: {"old": _told(getattr(before, name)), "new": _told(getattr(corridor, name))} for name in fields
    }
    corridor.save()
    if changed:
        events.record(EventKind.WATCH_CHANGED, by=by, project=corridor.project, changed=changed)


def _told(value: int | date | None) -> Json:
    return value.isoformat() if isinstance(value, date) else value


@transaction.atomic
def note_seen(*, alarm: DriftAlarm, by: User) -> None:
    if DriftAlarm.objects.filter(pk=alarm.pk, seen_at=None).update(seen_at=timezone.now(), seen_by=by):
        events.record(EventKind.ALARM_SEEN, by=by, project=alarm.project, alarm=alarm.pk)


@transaction.atomic
def take_as_usual(*, alarm: DriftAlarm, by: User) -> None:
    """End an alarm: what the model says of texts from now on is what later windows are compared with."""
    if _end(alarm, by=by):
        events.record(EventKind.ALARM_USUAL, by=by, project=alarm.project, alarm=alarm.pk)


@transaction.atomic
def snooze(*, project: Project, by: User) -> None:
    """Raise no alarm for a week; windows are closed and judged as before."""
    until = timezone.now() + SNOOZED_FOR
    Corridor.objects.update_or_create(project=project, defaults={"snoozed_until": until})
    events.record(EventKind.ALARMS_SNOOZED, by=by, project=project, until=until.isoformat())


@transaction.atomic
def _end(alarm: DriftAlarm, *, by: User | None) -> bool:
    now = timezone.now()
    if not DriftAlarm.objects.filter(pk=alarm.pk, ended_at=None).update(ended_at=now, ended_by=by):
        return False
    Corridor.objects.update_or_create(project=alarm.project, defaults={"began_at": now})
    said_by = by.get_username() if by else None
    webhooks.announce(alarm.project, WebhookEvent.ALARM_CLOSED, **_announced(alarm), usual_says=said_by)
    return True


def _announced(alarm: DriftAlarm) -> dict[str, Json]:
    number = alarm.version.number if alarm.version else None
    return {"alarm": alarm.pk, "raised_at": alarm.raised_at.isoformat(), "version": number}
