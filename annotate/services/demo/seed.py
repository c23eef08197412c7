"""The demo's projects."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import transaction
from django.utils.text import slugify

from annotate.models import Project, User
from annotate.services.demo.texts import Rated
from annotate.services.imports.columns import guess
from annotate.services.imports.upsert import Counts, IncomingDocument, recorded, store_rows
from annotate.services.projects import projects
from training import records
from training.tasks import MULTI, SINGLE
from training.types import Task

LEAD = "demo"
KIND = "kind-of-text"
SENTIMENT = "sentiment"
TOPICS = "source-and-tone"
# With a fifth, figures would come late: ten documents have to report before there are any. With a half, 300
# answers give about 50 that do.
HOLDOUT_QUEUE_SHARE = 0.5

SOURCE_LABELS = [
    ("tweet", "A short message to followers."),
    ("film", "A sentence of a film review."),
    ("product", "A sentence of a product review."),
    ("news", "A sentence of a newspaper editorial."),
]
SENTIMENT_LABELS = [
    ("negative", "The writer dislikes it, is sad or angry."),
    ("neutral", "No feeling either way, or both in balance."),
    ("positive", "The writer likes it, is happy or hopeful."),
]
TONE_LABELS = [
    ("positive", "A good feeling."),
    ("negative", "A bad feeling."),
    ("strong", "The feeling, good or bad, is strong."),
]


@dataclass(frozen=True, slots=True)
class DemoProject:
    name: str
    task: Task
    labels: list[tuple[str, str]]
    guidelines: str


# The first is one that a model learns soon: on 2,000 held-out texts, with the embedding family and the query
# strategy "margin", macro-F1 0.84 at 50 and 100 labels and 0.87 at 300; sentiment has 0.51 at 100, as many of
# its sentences lie between two labels (mean of seeds 0-2).
PROJECTS = {
    KIND: DemoProject(
        "Kind of text", SINGLE, SOURCE_LABELS, "Where is the sentence from? Its words and its style tell."
    ),
    TOPICS: DemoProject(
        "Source and tone",
        MULTI,
        [*SOURCE_LABELS, *TONE_LABELS],
        "Where is the sentence from, and what is its tone? Choose all that apply.",
    ),
    SENTIMENT: DemoProject(
        "Sentiment",
        SINGLE,
        SENTIMENT_LABELS,
        "What does the writer feel? Judge the sentence alone; neutral if it shows no feeling.",
    ),
}


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
    made = PROJECTS[slug]
    project = projects.create_project(
        by=by,
        name=made.name,
        slug=slug,
        task=made.task.key,
        labels=made.labels,
        guidelines=made.guidelines,
    )
    changes = {"holdout_queue_share": HOLDOUT_QUEUE_SHARE}
    project = projects.change_settings(project=project, changes=changes, by=by)
    rows = (
        IncomingDocument(
            sentence.text,
            external_id=sentence.key,
            meta={"source": sentence.source, "rating": round(sentence.rating, 2)},
            number=number,
        )
        for number, sentence in enumerate(rated, start=1)
    )
    store_rows(project=project, rows=rows, on_chunk=recorded(project=project, by=by))
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
    note = recorded(project=project, by=by)
    return project, store_rows(project=project, rows=rows, create_labels=mapping.create_labels, on_chunk=note)
