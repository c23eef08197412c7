"""How figures, families and scores are written on the lead's pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import template
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate import access
from annotate.models import (
    ClassMetric,
    Document,
    ModelVersion,
    OutOfFoldScore,
    Prediction,
    Project,
    Shadow,
    TrainingRun,
    User,
)
from annotate.models.runs import family_title
from annotate.models.work import SILENT_AFTER, Work, WorkerPulse, WorkState
from annotate.queues import QUEUES
from annotate.services import sentences
from annotate.services.documents import filters, history
from annotate.services.documents.columns import OF_META
from annotate.services.documents.finding import search
from annotate.services.quality import saved_labels
from annotate.services.versions import guesses
from annotate.services.versions.record import VersionReport
from annotate.services.work import limits
from training.figures.evidence import Figure

register = template.Library()


@register.inclusion_tag("_errors.html")
def error_summary(*forms: Any) -> dict[str, Any]:
    """List what is wrong with forms, or with lists of forms, each with the id of its field if it has one."""
    flat = [form for given in forms for form in (given if isinstance(given, list) else [given])]
    found: list[tuple[str, Any, str]] = []
    for form in flat:
        found += [("", "", error) for error in form.non_field_errors()]
        for field in form:
            # A group of boxes has no id that a label would point at; its first box has one.
            target = field.id_for_label or f"{field.auto_id}_0"
            found += [(target, field.label, error) for error in field.errors]
    return {"errors": found}


@register.simple_tag
def leads(user: User, project: Project) -> bool:
    """Tell whether the page shows what only a lead may do; each address asks by itself as well."""
    return access.is_lead(user, project)


def rounded(value: float, digits: int) -> str:
    """Round a number and write it in the page's language. NB: Django's `number_format` cuts digits off."""
    return str(floatformat(value, digits))


register.filter(search.marked)
register.filter(search.excerpt)


@register.filter
def figure(value: float | None) -> str:
    """Write a share with two digits; a figure that is not there is told in words, not as a zero."""
    return _("not measurable yet") if value is None else rounded(value, 2)


@register.filter
def interval(row: Any) -> str:
    """Write the interval of a class's or a version's F1, or nothing where there is none."""
    low, high = row.f1_low, row.f1_high
    return "" if low is None or high is None else span((low, high))


@register.filter
def span(ends: tuple[float, float]) -> str:
    """Write an interval's ends."""
    low, high = ends
    return f"{rounded(low, 2)}–{rounded(high, 2)}"


@register.filter
def ends(measured: Figure) -> str:
    """Write the interval of a figure; nothing where it has none."""
    return "" if measured.low is None or measured.high is None else span((measured.low, measured.high))


@register.filter
def needed_labels(shadow: Shadow) -> str:
    """Write how many chosen labels give what the drawn ones do."""
    return saved_labels.counted(shadow.needed, shadow)


@register.filter
def needed_ends(shadow: Shadow) -> str:
    """Write the interval of that, as far as it is known."""
    if shadow.fewest is None:
        return ""
    if shadow.most is None:
        return _("%(fewest)s at least") % {"fewest": shadow.fewest}
    return f"{shadow.fewest}–{shadow.most}"


@register.filter
def signed(difference: float) -> str:
    """Write a difference of two figures with its sign."""
    sign = "−" if round(difference, 3) < 0 else "+"
    return f"{sign}{rounded(abs(difference), 3)}"


@register.filter
def recall(row: ClassMetric) -> str:
    """Write a label's recall, as a count where its documents are few."""
    return _shared(row, row.recall, row.support)


@register.filter
def precision(row: ClassMetric) -> str:
    """Write a label's precision, as a count where its documents are few."""
    return _shared(row, row.precision, row.decided)


def _shared(row: ClassMetric, share: float | None, documents: int | None) -> str:
    if share is None or documents is None or row.hits is None or not row.is_told_as_counts:
        return figure(share)
    return _("%(hits)s of %(documents)s") % {"hits": row.hits, "documents": documents}


@register.filter
def report(version: ModelVersion) -> VersionReport:
    """Return what is known of a version beside the figures that have a column."""
    return VersionReport.load(version.report)


@register.filter
def percent(share: float) -> int:
    return round(100 * share)


@register.filter
def fine_percent(share: float) -> str:
    """Write a share in percent with one decimal; 99.96 % is not rounded to 100, which stands for all."""
    return "100" if share == 1 else rounded(min(100 * share, 99.9), 1)


register.filter("family_name", family_title)


@register.filter
def full_name(row: ModelVersion | TrainingRun) -> str:
    """Write the family of a version or a run and, in brackets, how its variant differs from the usual one."""
    name = family_title(row.family)
    return f"{name} ({row.variant})" if row.variant else name


@register.filter
def silence(queue: str) -> str:
    """Say that no worker of a queue is alive."""
    return _("No worker of the queue “%(queue)s” has been seen for %(seconds)d seconds.") % {
        "queue": queue,
        "seconds": SILENT_AFTER.total_seconds(),
    }


@register.filter
def stillness(pulse: WorkerPulse) -> str:
    """Say that work of a queue waits and is not taken up, although its worker lives."""
    assert pulse.still_since is not None
    now = timezone.now()
    told = {"queue": pulse.queue, "n": pulse.waiting, "waits": _minutes(now - pulse.still_since)}
    if pulse.busy_since is None:
        sentence = ngettext(
            "The queue “%(queue)s” stands still: %(n)d piece of work has waited for %(waits)s, and the "
            "worker takes nothing up. Start the worker again; its log may say why. Labels are kept.",
            "The queue “%(queue)s” stands still: %(n)d pieces of work wait, the longest for %(waits)s, and "
            "the worker takes nothing up. Start the worker again; its log may say why. Labels are kept.",
            pulse.waiting,
        )
        return sentence % told
    sentence = ngettext(
        "In the queue “%(queue)s” %(n)d piece of work has waited for %(waits)s, behind work that has taken "
        "%(busy)s so far. Labels are kept.",
        "In the queue “%(queue)s” %(n)d pieces of work wait, the longest for %(waits)s, behind work that has "
        "taken %(busy)s so far. Labels are kept.",
        pulse.waiting,
    )
    return sentence % (told | {"busy": _minutes(now - pulse.busy_since)})


@register.filter
def hush(row: Work) -> str:
    """Say that running work has given no sign for more than half as long as it may; else nothing."""
    if row.state != WorkState.RUNNING or row.noted_at is None:
        return ""
    silent, allowed = timezone.now() - row.noted_at, timedelta(seconds=limits.silent_seconds(row))
    if silent <= allowed / 2:
        return ""
    told = {"silent": _minutes(silent), "allowed": _minutes(allowed)}
    return _("It has given no sign for %(silent)s; after %(allowed)s without one it is ended.") % told


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


@register.filter
def what_waits(queue: str) -> str:
    return str(QUEUES[queue])


@register.filter
def seconds_taken(run: Work) -> str:
    """Write how long work took, or has been running."""
    if run.started_at is None:
        return ""
    taken = (run.finished_at or timezone.now()) - run.started_at
    return _("%(seconds)s s") % {"seconds": rounded(taken.total_seconds(), 0)}


@register.filter
def median_seconds(seconds: float | None) -> str:
    return (
        _("not measurable yet") if seconds is None else _("%(seconds)s s") % {"seconds": rounded(seconds, 1)}
    )


register.filter("guess", guesses.called)


@register.filter
def told(sentence: str) -> str:
    """Write a stored sentence in the language of the page."""
    return sentences.translated(sentence)


@register.filter
def named_scores(
    prediction: Prediction | OutOfFoldScore, labels: Mapping[int, str]
) -> list[tuple[int, str, float | None]]:
    """Return (label id, name, score) of the whole text, without labels that are gone; None only ranks."""
    scores = prediction.answer.told(calibrated=prediction.version.calibrated).label_scores
    return [(int(pk), labels[int(pk)], score) for pk, score in scores if pk in labels]


@register.filter
def named(labels: Mapping[int, str], pk: int) -> str:
    """Return the name of a label, also of one that is gone."""
    return labels.get(pk) or _("a label that is not there")


@register.filter
def metadata(document: Document, column: str) -> str:
    """Write what stands in a column of the metadata; nothing where the document does not have that key."""
    found = document.meta if isinstance(document.meta, dict) else {}
    key = column.removeprefix(OF_META)
    return history.plain(found[key]) if key in found else ""


@register.simple_tag
def documents_url(project: Project, **wanted: Any) -> str:
    """Return the address of the documents that fit the filters named."""
    return f"{reverse('documents', args=[project.slug])}?{filters.query(**wanted)}"
