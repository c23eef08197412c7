"""Why an annotator got a text, as a sentence; where their project wants them to know."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from annotate.models import Assignment, Card, Document, Project
from annotate.models.documents import Lane
from annotate.models.projects import WhyChosen
from annotate.services.labeling.queue import NEW_TOPICS
from training.registry import STRATEGIES
from training.types import ScoreKind

CLOSE = 0.2  # between the scores of two labels that the model is said to waver between


def sentence(*, project: Project, card: Card, document: Document, near: Sequence[str]) -> str:
    """Return the sentence for a card that is leased; "" where none may be told.

    `near` are the names of two labels whose scores are close, where the card shows what the model says.
    """
    if project.why_chosen == WhyChosen.NEVER:
        return ""
    if document.lane == Lane.HOLDOUT:
        is_named = project.why_chosen == WhyChosen.ALL
        return _("It was drawn at random, to measure the models.") if is_named else _at_random()
    place = Assignment.objects.filter(card=card.key)
    found = place.values_list("batch__strategy", "work_list", "is_random", "is_novel").first()
    if found is None:
        return ""
    key, work_list, is_random, is_novel = found
    if work_list is not None:
        return _("A lead chose it for this list.")
    if key is None or is_random:
        return _at_random()
    return _of_strategy(NEW_TOPICS if is_novel else key, near)


def _of_strategy(key: str, near: Sequence[str]) -> str:
    if key == NEW_TOPICS:
        return _("It is unlike the texts that have a label.")
    strategy = STRATEGIES.get(key)
    if strategy is None:
        return ""
    if strategy.reads_scores and near and ScoreKind.EXCLUSIVE in strategy.score_kinds:
        return _("The model wavers between %(one)s and %(other)s.") % {"one": near[0], "other": near[1]}
    if strategy.expects_spans:
        return _("The model expects something to mark in it.")
    if strategy.reads_scores and ScoreKind.WORDS in strategy.score_kinds:
        return _("The model was unsure of a word in it.")
    if strategy.reads_scores:
        return _("The model was unsure of it.")
    return _("It was chosen to cover all kinds of texts.") if strategy.reads_vectors else _at_random()


def _at_random() -> str:
    return _("It was drawn at random.")
