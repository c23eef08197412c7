"""What to do about the model that serves: an alarm, a better one, too little to measure it on."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Assignment
from annotate.models.queue import AssignmentState
from annotate.models.runs import family_title
from annotate.services.documents import filters
from annotate.services.pages.next_steps.step import NextStep, Situation
from annotate.services.versions import reportcards
from training.figures.evidence import FEWEST

CLEARLY_FASTER = 1.2  # times; less may come from a busy machine


def drift_alarm(at: Situation) -> NextStep | None:
    """Programs ask about other texts than usual: what is queued wants answers, or a lead's word."""
    alarm = at.project.drift_alarms.open()
    if alarm is None:
        return None
    places = Assignment.objects.filter(batch=alarm.batch_id).exclude(state=AssignmentState.DONE)
    waiting = places.count() if alarm.batch_id else 0
    since = formats.date_format(timezone.localtime(alarm.raised_at), "SHORT_DATETIME_FORMAT")
    sentence = _("Since %(at)s programs ask about other texts than usual.") % {"at": since}
    if waiting:
        queued = ngettext(
            "%(n)d unusual text waits in front of the queue.",
            "%(n)d unusual texts wait in front of the queue.",
            waiting,
        )
        sentence = f"{sentence} {queued % {'n': waiting}}"
    address = reverse("drift", args=[at.project.slug])
    return NextStep("drift-alarm", sentence, _("What has moved"), f"{address}#alarm")


def recommended_version(at: Situation) -> NextStep | None:
    """The report card recommends another version than the one that serves, on documents enough to say so."""
    card = reportcards.latest(at.project)
    if at.published is None or card is None or card.content["documents"] < reportcards.ENOUGH:
        return None
    version = reportcards.recommended(card)
    if version is None or version.pk == at.published.pk or version.follows(at.published):
        return None
    told = {
        "family": family_title(version.family),
        "n": version.number,
        "published": family_title(at.published.family),
        "times": _times(card.content, version.number, at.published.number),
    }
    sentence = _("%(family)s (version %(n)s) is recommended in place of %(published)s.") % told
    if told["times"]:
        sentence = _(
            "%(family)s (version %(n)s) is within noise of the best model, and %(times)s times faster than "
            "%(published)s, which serves."
        )
        sentence %= told
    return NextStep(
        "recommended-version",
        sentence,
        _("Publish it"),
        reverse("version-publish", args=[at.project.slug, version.number]),
        posts=True,
        look=reverse("reportcard", args=[at.project.slug]),
        for_leads=True,
    )


def _times(content: dict[str, Any], fast: int, slow: int) -> str:
    """Write how many times faster a version answers than another; "" where that is not clear or not known."""
    numbers = content["versions"]
    speeds = {
        numbers.get(one["name"]): one["speed"]["p50_ms"] for one in content["candidates"] if one["speed"]
    }
    if fast not in speeds or slow not in speeds:
        return ""
    times = speeds[slow] / max(speeds[fast], 1e-6)
    if times < CLEARLY_FASTER:
        return ""
    return formats.number_format(times, 1 if times < 10 else 0)


def silenced_webhook(at: Situation) -> NextStep | None:
    """Programs that wait for news of this project hear nothing any more."""
    webhook = at.project.webhooks.exclude(off_at=None).order_by("off_at").first()
    if webhook is None:
        return None
    return NextStep(
        "silenced-webhook",
        _("The webhook to %(host)s took nothing for long and was switched off.") % {"host": webhook.host},
        _("Webhooks"),
        reverse("webhooks", args=[at.project.slug]),
        for_leads=True,
    )


def unmeasured_version(at: Situation) -> NextStep | None:
    """A model serves of which nobody knows how good it is, because too little of the holdout is answered."""
    if at.published is None or at.published.holdout_documents >= FEWEST:
        return None
    open_ones = filters.query(lane="holdout", outcome=filters.NOT_DECIDED)
    return NextStep(
        "unmeasured-version",
        _(
            "Version %(n)s serves, and nobody knows how good it is: %(there)s holdout documents report "
            "figures, and %(fewest)s are needed."
        )
        % {"n": at.published.number, "there": at.published.holdout_documents, "fewest": FEWEST},
        _("Open holdout documents"),
        f"{reverse('documents', args=[at.project.slug])}?{open_ones}",
    )
