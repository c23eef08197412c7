"""Whether the figure of the version that serves is true after many tries, and whether small losses add up.

    python bench/figures/judging.py --worlds 100 --json OUT

In each world sixty versions of one kind follow each other, all equally good, each half a point worse than
the one before, or each a third of a point better. The site's own code judges and publishes them, in a
database of its own; what a version says of a document is made up: documents differ in how hard they are,
and most of what one version gets wrong another one gets wrong too. The figure is that of the reporting
half; the truth is measured on many documents that nobody labelled. `by` is the half that chooses: the
tuning half, as the site does, or for comparison the one that reports. The bias is that of the version that
serves less that of the first version, which nothing chose: the same documents are easy for both, so that
fewer worlds are enough.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.figures import database

HOME = database.prepare("judging")

from django.core.management import call_command  # noqa: E402

from annotate.models import ModelVersion, Project, User  # noqa: E402
from annotate.services.projects import projects  # noqa: E402
from annotate.services.versions import comparison, publication  # noqa: E402
from training.figures.evaluate import macro_f1  # noqa: E402
from training.tasks import SINGLE  # noqa: E402
from training.types import Dataset, LabelSchema, LabelSpec  # noqa: E402

VERSIONS = 60
LABELS = 5
STEPS = {"equal": 0.0, "half a point worse": -0.005, "a third of a point better": 1 / 300}
FIRST = {"equal": 0.8, "half a point worse": 0.9, "a third of a point better": 0.6}
SHARED = 0.8  # of the documents are as hard for one version as for another
TRUTH = 5_000  # documents that tell how good a version really is


@dataclass(frozen=True, slots=True)
class Ended:
    """What the version that serves after the last try shows too much, what it lost, and how many served."""

    bias: float
    lost: float
    published: int


class World:
    """Documents with their answers, and what each version says of them; the halves come first."""

    def __init__(self, kind: str, half: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        documents = 2 * half + TRUTH
        self.answers = np.eye(LABELS, dtype=np.float32)[rng.integers(LABELS, size=documents)]
        self.tuning, self.reporting = slice(0, half), slice(half, 2 * half)
        self.others = slice(2 * half, None)
        hard, said = rng.random(documents), []
        for number in range(VERSIONS + 1):
            own = np.where(rng.random(documents) < SHARED, hard, rng.random(documents))
            wrong = own >= FIRST[kind] + STEPS[kind] * number
            moved = np.roll(self.answers, 1, axis=1)
            said.append(np.where(wrong[:, None], moved, self.answers) > 0)
        self.said = said

    def f1(self, number: int, documents: slice) -> float:
        return macro_f1(self.answers[documents], self.said[number][documents]) or 0.0

    def shown_too_much(self, number: int) -> float:
        return self.f1(number, self.reporting) - self.f1(number, self.others)


class Made(comparison.DocumentComparison):
    """The site's comparison, with made-up decisions in place of a bundle's."""

    def __init__(self, world: World, documents: slice, dataset: Dataset) -> None:
        super().__init__(dataset)
        self._world, self._rows = world, documents

    def said(self, version: ModelVersion) -> np.ndarray:
        found: np.ndarray = self._world.said[version.number - 1][self._rows]
        return found


def play(world: World, lead: User, by: str, name: str) -> Ended:
    """Let the site judge the versions of a world one after the other, and tell what serves at last."""
    schema = [(f"label {number}", "") for number in range(LABELS)]
    project = projects.create_project(by=lead, name=name, slug=name, task="single", labels=schema)
    keys = list(project.labels.order_by("pk").values_list("pk", flat=True))
    labels = LabelSchema(SINGLE, tuple(LabelSpec(str(key), str(key)) for key in keys))
    rows = getattr(world, by)
    answers = world.answers[rows]
    dataset = Dataset(labels, tuple(str(i) for i in range(len(answers))), answers)
    made = Made(world, rows, dataset)
    with (
        patch.object(publication.comparison, "on", lambda *_, **__: made),
        patch.object(publication, "_check_bundle", lambda *_, **__: None),
    ):
        for number in range(1, VERSIONS + 2):
            _try(project, number, keys, dataset)
    served = project.versions.published().get().number - 1
    count = project.versions.exclude(published_at=None).count()
    return Ended(
        bias=world.shown_too_much(served) - world.shown_too_much(0),
        lost=world.f1(0, world.others) - world.f1(served, world.others),
        published=count,
    )


def _try(project: Project, number: int, keys: list[int], dataset: Dataset) -> None:
    """Do with one version what a run does once it is made."""
    version = ModelVersion.objects.create(
        project=project, number=number, family="tfidf", bundle=str(number), label_ids=keys,
        labelled=50 * number, holdout_documents=len(dataset),
    )  # fmt: skip
    verdict = publication.judge(version=version, documents=dataset, were_tuned_on=True)
    version.verdict, version.is_refused, version.gain = verdict.reason, verdict.is_refused, verdict.gain
    version.save()
    if verdict.publish:
        publication.publish(version=version)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--halves", type=int, nargs="+", default=[50, 200], help="documents of a half")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    lead = User.objects.create_user("lead")
    content: list[dict[str, object]] = []
    for kind in STEPS:
        for half in arguments.halves:
            for by in ("tuning", "reporting"):
                seeds = range(arguments.first, arguments.first + arguments.worlds)
                ended = [play(World(kind, half, n), lead, by, f"{len(content)}-{n}") for n in seeds]
                bias, lost = (np.array([getattr(one, name) for one in ended]) for name in ("bias", "lost"))
                found = {
                    "versions": kind,
                    "half": half,
                    "by": by,
                    "bias": float(bias.mean()),
                    "bias_error": float(bias.std(ddof=1) / np.sqrt(len(bias))),
                    "lost": float(lost.mean()),
                    "lost_most": float(lost.max()),
                    "published": float(np.mean([one.published for one in ended])),
                }
                content.append(found)
                print(json.dumps(found), flush=True)
                if arguments.json:
                    told = {"command": sys.argv, "rows": content}
                    arguments.json.write_text(json.dumps(told, indent=1), "utf-8")


if __name__ == "__main__":
    main()
