"""What to do about labels and texts: labels without evidence or use, a file that nobody has read in."""

from __future__ import annotations

from functools import partial

from django.db.models import Count, Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import AnnotationLabel, AnnotationSpan, Project
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.models.imports import UPLOADED
from annotate.services.documents import filters, kept
from annotate.services.pages.next_steps.step import NextStep, Situation, enumerated
from training.figures.evidence import FEWEST_OF_A_LABEL

# Half of the lane sets thresholds, so that a label needs twice as many as report its figures.
HOLDOUT_OF_A_LABEL = 2 * FEWEST_OF_A_LABEL
USED_BY_NOW = 200  # answers, after which a label that nobody gave is a question


def small_holdout_labels(at: Situation) -> NextStep | None:
    """Figures of a label say little while few holdout documents have it.

    NB: the way there is to answer more of the holdout, whatever it holds: to pick those that the model takes
    for this label would leave out what it misses, and make its recall look better than it is.
    """
    if at.published is None:
        return None
    found = dict(kept.by_state("holdout_of_labels", at.project, partial(_holdout_of_labels, at.project)))
    small = [
        (documents, name)
        for pk, name in at.project.labels.live().values_list("pk", "name")
        if 0 < (documents := found.get(pk, 0)) < HOLDOUT_OF_A_LABEL
    ]
    if not small:
        return None
    documents, name = min(small)
    told = {"name": name, "n": documents, "more": HOLDOUT_OF_A_LABEL - documents, "others": len(small) - 1}
    sentence = ngettext(
        "“%(name)s” has %(n)d holdout document: %(more)s more make its figures worth something.",
        "“%(name)s” has %(n)d holdout documents: %(more)s more make its figures worth something.",
        documents,
    )
    if told["others"]:
        rest = ngettext(
            "%(others)d other label has few as well.",
            "%(others)d other labels have few as well.",
            len(small) - 1,
        )
        sentence = f"{sentence} {rest}"
    open_ones = filters.query(lane=Lane.HOLDOUT.value, outcome=filters.NOT_DECIDED)
    return NextStep(
        "small-holdout",
        sentence % told,
        _("Open holdout documents"),
        f"{reverse('documents', args=[at.project.slug])}?{open_ones}",
    )


def _holdout_of_labels(project: Project) -> list[tuple[int, int]]:
    """Return how many answered holdout documents have each label, on the whole or on a piece."""
    found: dict[int, int] = {}
    for name in project.task_type.answer_rows:
        rows = AnnotationSpan if name == "spans" else AnnotationLabel
        counted = rows.objects.filter(
            annotation__project=project,
            annotation__outcome=Outcome.ANSWERED,
            annotation__document__lane=Lane.HOLDOUT,
        ).order_by()
        found |= dict(counted.values_list("label").annotate(n=Count("annotation__document", distinct=True)))
    return list(found.items())


def unused_labels(at: Situation) -> NextStep | None:
    """Nobody has given these labels in many answers: they are too narrow, or their names say too little."""
    if not at.project.annotations.answered()[USED_BY_NOW - 1 : USED_BY_NOW].exists():
        return None
    chosen = AnnotationLabel.objects.filter(label=OuterRef("pk"))
    marked = AnnotationSpan.objects.filter(label=OuterRef("pk"))
    unused = at.project.labels.live().filter(~Exists(chosen), ~Exists(marked))
    names = list(unused.order_by("position", "pk").values_list("name", flat=True))
    if not names:
        return None
    sentence = ngettext(
        "Nobody has given the label %(names)s.", "Nobody has given the labels %(names)s.", len(names)
    )
    address = reverse("project-labels", args=[at.project.slug])
    return NextStep(
        "unused-labels", sentence % {"names": enumerated(names)}, _("Labels"), address, for_leads=True
    )


def waiting_import(at: Situation) -> NextStep | None:
    """A file was uploaded, and nobody has said which of its columns is what."""
    upload = at.project.imports.filter(state=UPLOADED).order_by("pk").first()
    if upload is None:
        return None
    return NextStep(
        "waiting-import",
        _("The file “%(name)s” is uploaded, and nothing of it is imported yet.") % {"name": upload.name},
        _("Say which column is what"),
        reverse("import", args=[at.project.slug, upload.pk]),
        for_leads=True,
    )
