"""What a bench does inside its site, in its own process: `python -m bench.inside ACTION`, JSON in and out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.db.models import Count  # noqa: E402 (after setup)
from django.utils import timezone  # noqa: E402

from annotate import kinds, tasks  # noqa: E402
from annotate.models import (  # noqa: E402
    Annotation,
    Card,
    Corridor,
    Document,
    ModelVersion,
    Project,
    TrainingRun,
    User,
)
from annotate.services.imports.upsert import IncomingDocument, store_rows  # noqa: E402
from annotate.services.labeling.queue import NEW_TOPICS  # noqa: E402
from annotate.services.people import api_keys  # noqa: E402
from annotate.services.projects import members, projects  # noqa: E402
from annotate.services.runs import schedule  # noqa: E402
from annotate.services.versions.variants import RunConfig  # noqa: E402
from annotate.services.work import lease  # noqa: E402
from training.types import Answer  # noqa: E402

SLUG = "bench"
PASSWORD = "only for a bench in a temporary folder"


def seed(
    *,
    texts: list[str],
    labels: list[str],
    multi: bool,
    people: int,
    training: bool,
    fields: dict[str, Any],
    task: str = "",
    span_labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the project, its documents and its people; tell label keys, the lane of each document, a token."""
    lead = User.objects.create_user("lead", password=PASSWORD)
    project = projects.create_project(
        by=lead,
        name="Bench",
        slug=SLUG,
        task=task or ("multi" if multi else "single"),
        labels=[(x, "") for x in labels],
        span_labels=[(x, "") for x in span_labels],
    )
    projects.change_settings(project=project, changes={"training_enabled": training, **fields})
    rows = (
        IncomingDocument(text, external_id=str(number), number=number) for number, text in enumerate(texts)
    )
    store_rows(project=project, rows=rows)
    for number in range(people):
        User.objects.create_user(_name(number), password=PASSWORD)
        members.add_member(project=project, username=_name(number), role="annotator")
    _key, secret = api_keys.issue(user=lead, name="bench", scopes=[scope.value for scope in api_keys.Scope])
    documents = Document.objects.filter(project=project).values_list("pk", "external_id", "lane")
    return {
        "slug": SLUG,
        "password": PASSWORD,
        "people": [_name(number) for number in range(people)],
        "labels": {label.name: label.pk for label in project.labels.live()},
        "documents": {pk: [int(number), lane] for pk, number, lane in documents},
        "token": secret,
    }


def _name(number: int) -> str:
    return f"annotator{number}"


def answer(*, rows: list[list[str]]) -> int:
    """Label every document of `seed`, given as (text, label), as an import does."""
    known = (
        IncomingDocument(text, str(number), Answer((label,)), number=number)
        for number, (text, label) in enumerate(rows)
    )
    return store_rows(project=Project.objects.get(slug=SLUG), rows=known).rows


def train(*, family: str, config: dict[str, Any]) -> int:
    """Have one family trained as a lead does, with parameters."""
    project = Project.objects.get(slug=SLUG)
    (run,) = schedule.open_if_due(
        project=project, reason=schedule.RunReason.LEAD, family=family, config=RunConfig.load(config)
    )
    tasks.wake([run])
    return run.pk


def latest_run() -> dict[str, Any]:
    run = TrainingRun.objects.filter(project__slug=SLUG)[0]
    return {name: getattr(run, name) for name in ("family", "state", "stage", "progress", "error")}


def cancel() -> bool:
    return lease.cancel(row=TrainingRun.objects.filter(project__slug=SLUG)[0])


def live_work() -> list[str]:
    """Tell which rows of any kind of work are open, and what is known of them."""
    rows = [row for model in kinds.MODELS for row in model._default_manager.live()]
    return [f"{kinds.kind_of(row).name} {row.pk}: {row.state}, attempt {row.attempt}" for row in rows]


def tally() -> dict[str, Any]:
    """Tell what the database holds after the bench."""
    annotations = Annotation.objects.filter(project__slug=SLUG)
    shown = Card.objects.values("document").annotate(people=Count("annotator", distinct=True))
    versions = ModelVersion.objects.filter(project__slug=SLUG).select_related("run").order_by("number")
    return {
        "annotations": list(annotations.values_list("document_id", "annotator__username")),
        "doubled": annotations.values("document").annotate(n=Count("pk")).filter(n__gt=1).count(),
        "shown_to_two": shown.filter(people__gt=1).count(),
        "live_runs": Project.objects.get(slug=SLUG).runs.live().count(),
        "versions": [_version(version) for version in versions],
    }


def answers() -> list[tuple[int, str, list[int]]]:
    """Tell what each person answered to each document, by the ids of the labels."""
    kept = Annotation.objects.filter(project__slug=SLUG).prefetch_related("choices")
    return [
        (one.document_id, one.annotator.username, sorted(choice.label_id for choice in one.choices.all()))
        for one in kept.select_related("annotator")
    ]


def _version(version: ModelVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "family": version.family,
        "labelled": version.labelled,
        "triggered_at": version.run.created_at.timestamp() if version.run else None,
        "published_at": version.published_at.timestamp() if version.published_at else None,
    }


def watch(*, window: int) -> None:
    """Let the project close windows of that size and keep texts, as a lead may set it."""
    until = timezone.localdate() + timedelta(days=1)
    Corridor.objects.create(
        project=Project.objects.get(slug=SLUG), window=window, texts_kept_until=until, outside=2
    )


def drift_state() -> dict[str, Any]:
    """Tell what is known of drift, and what an open alarm has put in front of the queue."""
    project = Project.objects.get(slug=SLUG)
    windows = project.prediction_windows.all()
    places = project.assignments.filter(batch__strategy=NEW_TOPICS, document__lane="pool")
    published = project.versions.published().first()
    return {
        "windows": windows.count(),
        "outside": windows.filter(is_outside=True).count(),
        "alarms": project.drift_alarms.count(),
        "open": project.drift_alarms.filter(ended_at=None).exists(),
        "front": list(places.order_by("rank").values_list("document__text", flat=True)),
        "left": project.assignments.filter(batch__strategy=NEW_TOPICS).exclude(state="done").count(),
        "version": published.number if published else None,
    }


def texts() -> dict[int, str]:
    return dict(Document.objects.filter(project__slug=SLUG).values_list("pk", "text"))


if __name__ == "__main__":
    actions = (seed, answer, train, latest_run, cancel, live_work, tally, answers, watch, drift_state, texts)
    action = {function.__name__: function for function in actions}[sys.argv[1]]
    json.dump(action(**json.load(sys.stdin)), sys.stdout)
