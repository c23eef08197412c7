"""An annotator of the demo that knows the answers: it labels as a person would, a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db import transaction

from annotate.models import Document, Label, Membership, Project, User
from annotate.models.annotations import Outcome
from annotate.models.members import Role
from annotate.services.demo.seed import KIND, SENTIMENT
from annotate.services.labeling import decisions, queue
from training.types import Answer

ORACLE = "oracle"
CLEAR = 0.5
STRONG = 2.0
STEP = 25  # answers between two models, so that the curve gets a point for each


class Unanswerable(Exception):
    """The oracle does not know an answer; the message is a sentence."""


def truth(project: Project, meta: Mapping[str, object]) -> list[str]:
    """Return the label names of a demo document, by where it is from and by people's ratings."""
    if not isinstance(rating := meta.get("rating"), int | float):
        raise Unanswerable("The oracle knows the answers of the demo's own texts only.")
    source = str(meta["source"])
    if project.slug == KIND:
        return [source]
    tone = "positive" if rating >= CLEAR else "negative" if rating <= -CLEAR else "neutral"
    if project.slug == SENTIMENT:
        return [tone]
    strong = ["strong"] if abs(rating) >= STRONG else []
    return [source, *([tone] if tone != "neutral" else []), *strong]


@transaction.atomic
def ensure(*, project: Project) -> User:
    oracle, created = User.objects.get_or_create(username=ORACLE, defaults={"is_machine": True})
    if created:
        oracle.set_unusable_password()
        oracle.save(update_fields=["password"])
    Membership.objects.get_or_create(project=project, user=oracle, defaults={"role": Role.ANNOTATOR})
    return oracle


def answer_in_steps(*, project: Project, oracle: User, wanted: int, learn: Callable[[int], None]) -> int:
    """Give `wanted` answers, or as many as there are texts; return how many.

    `learn` hears after each step how many were given so far, and returns when the models know them: what the
    next step answers is what they chose.
    """
    given = 0
    while given < wanted:
        size = min(STEP, wanted - given)
        answered = 0
        while answered < size and answer_next(project=project, oracle=oracle):
            answered += 1
        given += answered
        if answered:
            learn(given)
        if answered < size:
            break
    return given


def answer_next(*, project: Project, oracle: User) -> bool:
    """Let the oracle take and answer one card as a person would; False where none is left."""
    place = queue.claim(project=project, annotator=oracle)
    if place is None or place.card is None:
        return False
    names = truth(project, Document.objects.get(pk=place.document_id).meta)
    chosen = Label.objects.live().filter(project=project, name__in=names).values_list("pk", flat=True)
    decisions.submit(
        project=project,
        annotator=oracle,
        card=place.card,
        outcome=Outcome.ANSWERED,
        answer=Answer(tuple(chosen)),
        seconds=0.0,
    )
    return True
