"""Whether it was worth it to choose documents: how many labels that has saved, and how long they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from annotate.models import Annotation, Project, Shadow
from annotate.services.pages import suggestions
from annotate.services.versions.holdout import NotScored
from training.figures.evidence import FEWEST_DRAWN
from training.types import DocumentTask

HOUR = 3_600  # seconds
COLUMNS = (
    "version", "labels", "holdout_documents", "drawn_f1", "drawn_low", "drawn_high",
    "chosen_f1", "chosen_low", "chosen_high", "needed", "fewest", "most", "tried",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimeTaken:
    """Hours that people have taken over `decisions` whose time is known, and the median seconds of one."""

    hours: float
    decisions: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class SavedLabels:
    """The comparisons of a project, the newest first, and the time of its people."""

    rows: tuple[Shadow, ...]
    taken: TimeTaken

    @property
    def sentence(self) -> str:
        return sentence(self.rows[0])

    @property
    def hours(self) -> tuple[float, float, float] | None:
        """Hours saved with the least and the most of the interval; None where those are not known."""
        newest, seconds = self.rows[0], self.taken.median_seconds
        if not newest.is_sure or seconds is None:
            return None
        saved, least, most = newest.saved or 0, newest.least_saved or 0, newest.most_saved or 0
        return saved * seconds / HOUR, least * seconds / HOUR, most * seconds / HOUR


def of_project(project: Project) -> SavedLabels:
    """Return what choosing has saved; raises `NotScored` where it cannot be told."""
    if not isinstance(project.task_type.task, DocumentTask):
        raise NotScored(_("What choosing saves is told of labels of whole documents alone."))
    rows = tuple(newest(project))
    if not rows:
        raise NotScored(
            _(
                "It is told from %(fewest)s answered documents on that were drawn at random; there are "
                "%(n)s. Each batch holds some: %(share)s %% in this project."
            )
            % {
                "fewest": FEWEST_DRAWN,
                "n": project.assignments.answered_draws().count(),
                "share": f"{100 * project.random_share:.0f}",
            }
        )
    return SavedLabels(rows, time_taken(project))


def newest(project: Project) -> QuerySet[Shadow]:
    """Return the comparisons of the project, the newest first."""
    return Shadow.objects.filter(version__project=project).select_related("version")


def told(project: Project) -> str:
    """Return the sentence of the newest comparison; "" where there is none."""
    one = newest(project).first()
    return sentence(one) if one is not None else ""


def time_taken(project: Project) -> TimeTaken:
    timed = Annotation.objects.filter(project=project, annotator__is_machine=False, seconds__isnull=False)
    found = timed.aggregate(seconds=Sum("seconds"), decisions=Count("pk"))
    worth = suggestions.worth(project)
    median = worth.seconds_without if worth.seconds_with is None else worth.seconds_with
    return TimeTaken((found["seconds"] or 0.0) / HOUR, found["decisions"], median)


def sentence(one: Shadow) -> str:
    """Tell what a comparison says, with its interval."""
    told = {
        "n": one.labels,
        "needed": counted(one.needed, one),
        "fewest": counted(one.fewest, one),
        "most": counted(one.most, one),
        "saved": one.saved,
        "least": one.least_saved,
        "at_most": one.most_saved,
    }
    if one.is_sure:
        return (
            _(
                "%(needed)s labels of chosen documents give what %(n)s of drawn ones give: about %(saved)s "
                "labels saved, between %(least)s and %(at_most)s."
            )
            % told
        )
    return (
        _(
            "It is not sure that choosing has saved labels: what %(n)s labels of drawn documents give takes "
            "%(needed)s of chosen ones, between %(fewest)s and %(most)s."
        )
        % told
    )


def counted(labels: int | None, one: Shadow) -> str:
    """Write a number of chosen labels, where it is known."""
    return _("more than %(n)s") % {"n": one.tried} if labels is None else str(labels)


def csv_rows(rows: Iterable[Shadow]) -> Iterator[Sequence[Any]]:
    """Yield the comparisons, the heads first; an empty cell is more than was tried."""
    yield COLUMNS
    for one in rows:
        figures = (getattr(one, name) for name in COLUMNS[3:])
        yield one.version.number, one.labels, one.documents, *("" if at is None else at for at in figures)
