"""Which functions a reader passes on one way through the house: `python -m bench.source.walk --what run`.

Counts the functions of `annotate` and `training` that one decision, one prediction through the API or one
TF-IDF run calls, and the files they stand in. Each is done once before it is traced, so that what happens
only at the first time in a process, as writing SQL that is kept, is not counted. Functions without a name of
their own (lambdas, comprehensions) and the bodies of modules and classes are left out.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

os.environ["WINNOW_HOME"] = tempfile.mkdtemp(prefix="winnow-walk-")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")  # nobody needs a broker for a walk
os.environ.setdefault("LOG_LEVEL", "CRITICAL")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from annotate import tasks  # noqa: E402
from annotate.models import ModelVersion, Project, TrainingRun, User  # noqa: E402
from annotate.services.imports.upsert import IncomingDocument, store_rows  # noqa: E402
from annotate.services.people import api_keys  # noqa: E402
from annotate.services.projects import projects  # noqa: E402
from annotate.services.runs import schedule  # noqa: E402
from annotate.services.versions.variants import RunConfig  # noqa: E402
from training.types import Answer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (f"{ROOT / 'annotate'}{os.sep}", f"{ROOT / 'training'}{os.sep}")
SLUG = "walk"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = {"red": "rose ruby blood brick wine", "green": "leaf moss lime grass fern", "blue": "sky sea ink ice"}


class Walk:
    """The project's functions that were called while it was open, in the order of their first calls."""

    def __init__(self) -> None:
        self.codes: dict[CodeType, None] = {}

    @property
    def files(self) -> dict[str, list[str]]:
        """The names of the functions, by the file they stand in."""
        found: dict[str, list[str]] = defaultdict(list)
        for code in self.codes:
            found[str(Path(code.co_filename).relative_to(ROOT))].append(code.co_qualname)
        return dict(found)

    def see(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code not in self.codes and code.co_filename.startswith(ROOMS):
            is_named = code.co_flags & CO_OPTIMIZED and not code.co_name.startswith("<")
            # NB: what dataclasses write has no file of its own, so it never comes here.
            if is_named:
                self.codes[code] = None


@contextmanager
def walking() -> Iterator[Walk]:
    """Note the functions that are called in this thread, and in those that it starts."""
    walk = Walk()
    threading.setprofile(walk.see)
    sys.setprofile(walk.see)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def make_project(lead: User) -> Project:
    """Make a project of three colours with 300 short texts, half of them labelled."""
    names = [(name, "") for name in WORDS]
    project = projects.create_project(by=lead, name="Walk", slug=SLUG, task="single", labels=names)
    rows = []
    for number in range(300):
        name = list(WORDS)[number % len(WORDS)]
        words = WORDS[name].split()
        digits = " ".join(DIGITS[int(digit)] for digit in str(number))
        text = f"{words[number % len(words)]} and {words[number // 3 % len(words)]}, {digits}"
        rows.append(
            IncomingDocument(text, str(number), Answer((name,)) if number % 2 else None, number=number)
        )
    store_rows(project=project, rows=rows)
    return project


def run(project: Project) -> Callable[[], None]:
    """Train TF-IDF as a worker does that was woken for the run."""

    def train() -> None:
        (opened,) = schedule.open_if_due(
            project=project, reason=schedule.RunReason.LEAD, family="tfidf", config=RunConfig()
        )
        tasks.work("train", opened.pk)
        state = TrainingRun.objects.get(pk=opened.pk)
        if state.error or ModelVersion.objects.get(run=opened).stage != "published":
            raise SystemExit(f"The run ended as {state.state}: {state.error or 'nothing was published'}.")

    return train


def prediction(project: Project, lead: User) -> Callable[[], None]:
    """Ask the API for the prediction of one text by a model that is loaded already."""
    run(project)()
    _key, secret = api_keys.issue(user=lead, name="walk", scopes=[scope.value for scope in api_keys.Scope])
    client = Client(headers={"authorization": f"Bearer {secret}"})

    def predict() -> None:
        answer = client.post(
            f"/api/v1/projects/{SLUG}/predict", {"text": "a rose"}, content_type="application/json"
        )
        if answer.status_code != 200:
            raise SystemExit(f"The API answered {answer.status_code}: {answer.content.decode()}")

    return predict


def decision(lead: User) -> Callable[[], None]:
    """Send one decision as the labelling page does; the answer is the next card."""
    client = Client(headers={"hx-request": "true"})
    client.force_login(lead)
    where = f"/projects/{SLUG}/label/"
    label = Project.objects.get(slug=SLUG).labels.get(name="red").pk
    shown = client.get(where)

    def decide() -> None:
        nonlocal shown
        (card,) = re.findall(r'data-card="([^"]+)"', shown.content.decode())
        shown = client.post(where, {"card": card, "outcome": "answered", "labels": label, "seconds": "1.5"})
        if shown.status_code != 200:
            raise SystemExit(f"The page answered {shown.status_code}: {shown.content.decode()}")

    return decide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("decision", "prediction", "run"), required=True)
    parser.add_argument("--list", action="store_true", help="name the functions, file by file")
    asked = parser.parse_args()
    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    lead = User.objects.create_user("lead", password="only for a walk")
    project = make_project(lead)
    made = {
        "decision": lambda: decision(lead),
        "prediction": lambda: prediction(project, lead),
        "run": lambda: run(project),
    }
    go = made[asked.what]()
    go()
    with walking() as walk:
        go()
    print(f"{asked.what}: {len(walk.codes)} functions in {len(walk.files)} files")
    if asked.list:
        for file, names in walk.files.items():
            print(f"{file} ({len(names)})\n    {', '.join(names)}")


if __name__ == "__main__":
    main()
