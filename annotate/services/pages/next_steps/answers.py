"""What to do about answers: probable errors, people who differ, and what people could not decide."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Annotation, Label
from annotate.models.annotations import Outcome
from annotate.services.among import among
from annotate.services.documents import disagreements, filters, kept
from annotate.services.labeling import handed_on
from annotate.services.pages.next_steps.step import NextStep, Situation

FEWEST_SPLIT = 3  # documents on which people differ in the same way; fewer are slips


def likely_errors(at: Situation) -> NextStep | None:
    number = len(disagreements.likely_errors(at.project))
    if not number:
        return None
    sentence = ngettext("%(n)d answer is probably wrong.", "%(n)d answers are probably wrong.", number)
    address = f"{reverse('documents', args=[at.project.slug])}?{filters.query(label_error=1)}"
    return NextStep("likely-errors", sentence % {"n": number}, _("Look through them"), address)


def handed_on_answers(at: Situation) -> NextStep | None:
    number = handed_on.waiting(at.project).count()
    if not number:
        return None
    sentence = ngettext(
        "%(n)d answer of somebody who was removed waits for a lead.",
        "%(n)d answers of people who were removed wait for a lead.",
        number,
    )
    address = reverse("handed-on", args=[at.project.slug])
    return NextStep("handed-on", sentence % {"n": number}, _("Settle them"), address, for_leads=True)


def open_flags(at: Situation) -> NextStep | None:
    """Somebody could not decide on a document, and nobody else has answered it since."""
    answered = Annotation.objects.answered().filter(document=OuterRef("document"))
    flagged = at.project.annotations.filter(~Exists(answered), outcome=Outcome.FLAGGED)

    def find(keys: Collection[int] | None) -> set[int]:
        found = flagged if keys is None else flagged.filter(document__in=among(keys))
        return set(found.values_list("document", flat=True))

    number = len(kept.by_decisions("open_flags", at.project, find))
    if not number:
        return None
    sentence = ngettext(
        "%(n)d document is flagged, and nobody has answered it.",
        "%(n)d documents are flagged, and nobody has answered them.",
        number,
    )
    address = f"{reverse('documents', args=[at.project.slug])}?{filters.query(outcome=Outcome.FLAGGED.value)}"
    return NextStep("open-flags", sentence % {"n": number}, _("Answer them"), address)


def split_labels(at: Situation) -> NextStep | None:
    """People who follow the present guidelines take two labels for each other, so that these want a word."""

    def find() -> tuple[Sequence[int], int]:
        found = disagreements.most_confused(at.project)
        return ((), 0) if found is None else (found.labels, found.documents)

    name = f"most_confused:{at.project.guidelines_version}"
    labels, documents = kept.by_state(name, at.project, find)
    if documents < FEWEST_SPLIT:
        return None
    names = dict(Label.objects.filter(pk__in=labels).values_list("pk", "name"))
    told = {"n": documents, "a": names[labels[0]]}
    if len(labels) == 2:
        sentence = _(
            "People disagree on %(n)s documents whether they are “%(a)s” or “%(b)s”: the guidelines should "
            "tell these apart."
        ) % (told | {"b": names[labels[1]]})
    else:
        sentence = (
            _("People disagree on %(n)s documents about “%(a)s”: the guidelines should say when it applies.")
            % told
        )
    look = filters.query(split=1, label=labels[0])
    return NextStep(
        "split-labels",
        sentence,
        _("Guidelines"),
        reverse("guidelines", args=[at.project.slug]),
        look=f"{reverse('documents', args=[at.project.slug])}?{look}",
        for_leads=True,
    )
