"""The demo's projects, and an annotator that knows their answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from django.db import transaction
from django.utils.text import slugify

from annotate.models import Document, Label, Membership, Project, User
from annotate.models.annotations import Outcome
from annotate.models.projects import Role
from annotate.services.demo.texts import Rated
from annotate.services.imports.columns import guess
from annotate.services.imports.upsert import Counts, IncomingDocument, store_rows
from annotate.services.labeling import decisions, queue
from annotate.services.projects import projects
from training import records
from training.tasks import MULTI, SINGLE
from training.types import Answer

LEAD = "demo"
ORACLE = "oracle"
SENTIMENT = "sentiment"
TOPICS = "source-and-tone"
CLEAR = 0.5
STRONG = 2.0

SENTIMENT_LABELS = [
    ("negative", "The writer dislikes it, is sad or angry."),
    ("neutral", "No feeling either way, or both in balance."),
    ("positive", "The writer likes it, is happy or hopeful."),
]
TOPIC_LABELS = [
    ("tweet", "A short message to followers."),
    ("film", "A sentence of a film review."),
    ("product", "A sentence of a product review."),
    ("news", "A sentence of a newspaper editorial."),
    ("positive", "A good feeling."),
    ("negative", "A bad feeling."),
    ("strong", "The feeling, good or bad, is strong."),
]
KINDS = {
    SENTIMENT: ("Sentiment", SINGLE, SENTIMENT_LABELS),
    TOPICS: ("Source and tone", MULTI, TOPIC_LABELS),
}
GUIDELINES = {
    SENTIMENT: "What does the writer feel? Judge the sentence alone; neutral if it shows no feeling.",
    TOPICS: "Where is the sentence from, and what is its tone? Choose all that apply.",
}


class Unanswerable(Exception):
    """The oracle does not know an answer; the message is a sentence."""


@transaction.atomic
def ensure_lead() -> tuple[User, str]:
    """Return the demo's user and, where it was made just now, its password."""
    existing = User.objects.filter(username=LEAD).first()
    if existing is not None:
        return existing, ""
    password = secrets.token_urlsafe(9)
    return User.objects.create_user(LEAD, password=password), password


@transaction.atomic
def ensure_project(*, slug: str, by: User, rated: Iterable[Rated]) -> Project:
    """Return a demo project as it stands, or make it with all its texts or not at all."""
    existing = Project.objects.filter(slug=slug).first()
    if existing is not None:
        return existing
    name, task, labels = KINDS[slug]
    project = projects.create_project(
        by=by, name=name, slug=slug, task=task.key, labels=labels, guidelines=GUIDELINES[slug]
    )
    rows = (
        IncomingDocument(
            sentence.text,
            external_id=sentence.key,
            meta={"source": sentence.source, "rating": round(sentence.rating, 2)},
            number=number,
        )
        for number, sentence in enumerate(rated, start=1)
    )
    store_rows(project=project, rows=rows)
    return project


@transaction.atomic
def ensure_file_project(*, path: Path, by: User) -> tuple[Project, Counts]:
    """Make a project of a newcomer's file with guessed columns; a second time, update it from the file."""
    sample, settled = records.sample(path, 20)
    slug = slugify(path.stem)[:50] or "mine"
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        project = projects.create_project(by=by, name=path.stem[:200], slug=slug, task=SINGLE.key, labels=[])
    mapping = guess(sample, project.task_type, has_labels=False)
    options = replace(mapping, found_encoding=settled.encoding).options()
    rows = mapping.rows(records.read(path, options), project.task_type)
    return project, store_rows(project=project, rows=rows, create_labels=mapping.create_labels)


def truth(project: Project, meta: Mapping[str, object]) -> list[str]:
    """Return the label names that people's ratings give a demo document."""
    if not isinstance(rating := meta.get("rating"), int | float):
        raise Unanswerable("The oracle knows the answers of the demo's own texts only.")
    tone = "positive" if rating >= CLEAR else "negative" if rating <= -CLEAR else "neutral"
    if project.slug == SENTIMENT:
        return [tone]
    strong = ["strong"] if abs(rating) >= STRONG else []
    return [str(meta["source"]), *([tone] if tone != "neutral" else []), *strong]


@transaction.atomic
def ensure_oracle(*, project: Project) -> User:
    oracle, created = User.objects.get_or_create(username=ORACLE, defaults={"is_machine": True})
    if created:
        oracle.set_unusable_password()
        oracle.save(update_fields=["password"])
    Membership.objects.get_or_create(project=project, user=oracle, defaults={"role": Role.ANNOTATOR})
    return oracle


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
