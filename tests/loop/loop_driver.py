"""Labels a project like people do, from known answers, and tells as JSON what the site made of it."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from annotate import tasks  # noqa: E402
from annotate.models import Assignment, Document, Label, ModelVersion, Prediction, Project, User  # noqa: E402
from annotate.models.documents import Half, Lane  # noqa: E402
from annotate.services.labeling import decisions, queue  # noqa: E402
from annotate.services.runs import schedule  # noqa: E402
from annotate.services.versions import predictions  # noqa: E402
from training.types import Answer  # noqa: E402

WORDS = {
    "red": ("rose", "ruby", "blood", "brick", "cherry", "rust", "wine", "ember"),
    "green": ("leaf", "moss", "lime", "grass", "fern", "jade", "pine", "olive"),
    "blue": ("sky", "sea", "ink", "ice", "steel", "navy", "jeans", "whale"),
}
FILLER = ["the", "a", "of", "with", "near", "under", "some", "old", "big", "new", "small", "every"]
PATIENCE = 60.0


def text_of(name: str, rng: random.Random) -> str:
    return " ".join([rng.choice(WORDS[name]), *rng.choices(FILLER, k=4), rng.choice(WORDS[name])])


def make_project(rng: random.Random) -> tuple[Project, dict[str, str]]:
    project = Project.objects.create(slug="colours", name="Colours", retrain_after=9, batch_size=20)
    for position, name in enumerate(WORDS):
        Label.objects.create(project=project, name=name, position=position)
    truth = {text_of(name, rng): name for name in WORDS for _ in range(100)}
    for i, text in enumerate(truth):
        half = ("", "", "", Half.TUNING, Half.REPORTING)[i % 5]
        digest = hashlib.sha256(text.encode()).hexdigest()
        lane = Lane.HOLDOUT if half else Lane.POOL
        Document.objects.create(project=project, text=text, sha256=digest, lane=lane, half=half)
    return project, truth


def answer(project: Project, person: User, truth: dict[str, str]) -> str:
    place = queue.claim(project=project, annotator=person)
    assert place is not None
    assert place.card is not None
    label = project.labels.get(name=truth[place.document.text])
    decisions.submit(
        project=project, annotator=person, card=place.card, outcome="answered", answer=Answer((label.pk,))
    )
    tasks.wake(schedule.open_if_due(project=project))
    return place.document.lane


def label(project: Project, person: User, truth: dict[str, str], pool_answers: int) -> None:
    left = pool_answers
    while left:
        left -= answer(project, person, truth) == Lane.POOL


def wait_for(what: str, is_so: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > PATIENCE:
            states = list(Project.objects.get().runs.values_list("state", "stage", "error", "log"))
            sys.exit(f"Waited in vain for {what}; the runs: {states}.")
        time.sleep(0.1)
    return time.monotonic() - started


def has_chosen(project: Project, number: int) -> bool:
    """Tell whether a version of at least `number` is published and fills the queue."""
    version = project.versions.published().filter(number__gte=number).first()
    return version is not None and Assignment.objects.waiting().filter(batch__version=version).exists()


def is_served(project: Project, number: int) -> bool:
    """Tell whether such a version has predicted as well; one of names alone is silent about strange texts."""
    predicted = Prediction.objects.filter(version__in=project.versions.published())
    return has_chosen(project, number) and predicted.count() == project.documents.count()


def accuracy(project: Project, rng: random.Random) -> float:
    truth = [(text_of(name, rng), name) for name in WORDS for _ in range(60)]
    found = predictions.predict(project=project, texts=[text for text, _ in truth])
    hits = [
        found.labels[int(row.answer.labels[0])] == name
        for row, (_, name) in zip(found.texts, truth, strict=True)
    ]
    return sum(hits) / len(hits)


def main() -> None:
    call_command("migrate", verbosity=0)
    rng = random.Random(0)
    project, truth = make_project(rng)
    person = User.objects.create_user("olga")
    label(project, person, truth, pool_answers=12)
    seconds = [wait_for("the first version", lambda: is_served(project, 1))]
    first = accuracy(project, random.Random(1))
    label(project, person, truth, pool_answers=60)
    newest = ModelVersion.objects.latest("number").number
    seconds.append(wait_for("a later version", lambda: is_served(project, newest + 1)))
    print(  # noqa: T201
        json.dumps(
            {
                "first": first,
                "last": accuracy(project, random.Random(1)),
                "versions": project.versions.count(),
                "failed": list(project.runs.filter(state="failed").values_list("error", flat=True)),
                "decided": project.annotations.count(),
                "documents_decided": project.annotations.values("document").distinct().count(),
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
