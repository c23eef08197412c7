"""How often the gate of publication refuses a model that is no worse, and how often it lets a slide pass.

    python bench/figures/gate.py --set NAME FILE TEXT LABEL [--set …] --first 100 --seeds 20 --json OUT
    python bench/figures/gate.py --set NAME FILE TEXT LABEL [--set …] --seeds 20 --sweep

A file is CSV with a header, or TSV without one, whose columns are numbers from 1; rows with no label
or with several, joined by "|", are left out. For each seed TF-IDF models learn from more and more labels, as
a project does; half of every fifth labelled text reports figures, and other texts of the file tell which
model is really better. A slide is the last model, of whose answers a growing share is made wrong until its
macro-F1 is 0.05 lower in ten steps. `--sweep` prints what other rules would have done; what is chosen by it
is to be reported by other seeds.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.figures import gate
from training.figures.evaluate import macro_f1, paired_bootstrap
from training.figures.evidence import is_enough
from training.figures.thresholds import Decisions
from training.types import FloatArray

LABELLED = (30, 50, 70, 100, 130, 170, 220, 280, 350, 430, 520, 620, 740, 880, 1_000)
STEPS = 10
REST = 3_000  # texts that tell which model is really better
SLIDE = 0.05


@dataclass(frozen=True, slots=True)
class Judged:
    """One version that came to the gate."""

    reporting: int
    gain: float  # of the true macro-F1 against the best so far
    published: bool
    was_published_before: bool  # by the rule of before: the interval of the resamples reaches 0


def read(path: Path, text: str, label: str) -> tuple[list[str], np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        if text.isdigit():
            rows = [line.rstrip("\n").split("\t") for line in file]
            pairs = [(row[int(text) - 1], row[int(label) - 1]) for row in rows if len(row) > 1]
        else:
            pairs = [(row[text], row[label]) for row in csv.DictReader(file)]
    pairs = [(words, name) for words, name in pairs if name and "|" not in name]
    names = sorted({name for _, name in pairs})
    return [words for words, _ in pairs], np.array([names.index(name) for _, name in pairs])


def decisions(texts: list[str], answers: np.ndarray, learn: np.ndarray, labels: int) -> Decisions:
    """Return what a model that learned from some rows says of all, (documents, labels)."""
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    model = LogisticRegression(C=10, class_weight="balanced", max_iter=300)
    model.fit(vectors.fit_transform([texts[i] for i in learn]), answers[learn])
    return np.eye(labels, dtype=bool)[model.predict(vectors.transform(texts))]


class Project:
    """The versions of one project, each compared with another at most once, whatever rule asks for it."""

    def __init__(self, texts: list[str], answers: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        labels = int(answers.max()) + 1
        order = rng.permutation(len(texts))[: max(LABELLED) + REST]
        texts, answers = [texts[i] for i in order], answers[order]
        self.seed = seed
        self.truth = np.eye(labels, dtype=np.float32)[answers]
        self.rest = np.arange(max(LABELLED), len(texts))
        self.said: list[Decisions] = []
        self.reporting: list[np.ndarray] = []
        for labelled in LABELLED:
            seen = np.arange(labelled)
            held = seen % 5 == 0
            self.reporting.append(seen[held][::2])
            self.said.append(decisions(texts, answers, seen[~held], labels))
        self.f1 = [_f1(self.truth[self.rest], said[self.rest]) for said in self.said]
        self.compared: dict[tuple[int, int], tuple[float, float]] = {}
        self.steps = list(self._slide(rng))

    def compare(self, new: int, old: int) -> tuple[float, float]:
        if (new, old) not in self.compared:
            rows = self.reporting[new]
            found = _compare(self.truth[rows], self.said[new][rows], self.said[old][rows], self.seed)
            self.compared[new, old] = found
        return self.compared[new, old]

    def _slide(self, rng: np.random.Generator) -> Iterator[tuple[float, float, bool]]:
        """Yield for each step down its difference and error, and whether the rule of before published it."""
        rows, rest, said = self.reporting[-1], self.rest, self.said[-1]
        turn = rng.random(len(said))
        share, sliding, served = 0.0, said, said
        for step in range(1, STEPS + 1):
            while self.f1[-1] - _f1(self.truth[rest], sliding[rest]) < SLIDE * step / STEPS:
                share += 0.002
                wrong = np.roll(self.truth > 0, 1, axis=1)
                sliding = np.where((turn < share)[:, None], wrong, said)
            last = _compare(self.truth[rows], sliding[rows], served[rows], step)
            passes_before = last[0] + 1.96 * last[1] >= 0
            served = sliding if passes_before else served
            yield *_compare(self.truth[rows], sliding[rows], said[rows], step), passes_before


def judge(project: Project, rule: gate.Rule) -> tuple[list[Judged], bool]:
    """Return each judgement of one project by a rule, and whether it lets the slide pass."""
    judged: list[Judged] = []
    best, tries = 0, 0
    for new, reporting in enumerate(project.reporting):
        if not is_enough(len(reporting)):
            best = new
            continue
        if new == best:
            continue
        found = project.compare(new, best)
        publish = passes(rule, found, tries)
        gain = project.f1[new] - project.f1[best]
        judged.append(Judged(len(reporting), gain, publish, found[0] + 1.96 * found[1] >= 0))
        tries += found[0] < 0
        if publish and found[0] > 0:
            best, tries = new, 0
    tries, published = 0, False
    for difference, error, _before in project.steps:
        published = passes(rule, (difference, error), tries)
        tries += difference < 0
    return judged, published


def passes(rule: gate.Rule, found: tuple[float, float], tries: int) -> bool:
    return rule.risk_of_loss(*found, has_learned_as_much=True) <= rule.allowed_risk(tries)


def figures(projects: list[Project], rule: gate.Rule) -> dict[str, int]:
    """Return how many were judged, refused and published in all projects."""
    found = [judge(project, rule) for project in projects]
    judged = [one for row, _ in found for one in row]
    no_worse = [one for one in judged if one.gain >= 0]
    worse = [one for one in judged if one.gain < -gate.MARGIN]
    return {
        "judged": len(judged),
        "no_worse": len(no_worse),
        "no_worse_refused": sum(not one.published for one in no_worse),
        "worse_than_margin": len(worse),
        "worse_published": sum(one.published for one in worse),
        "worse_published_before": sum(one.was_published_before for one in worse),
        "slides": len(projects),
        "slides_passed": sum(passed for _, passed in found),
        "slides_passed_before": sum(project.steps[-1][2] for project in projects),
    }


def _compare(truth: FloatArray, ours: Decisions, theirs: Decisions, seed: int) -> tuple[float, float]:
    found = paired_bootstrap(truth, ours, theirs, np.random.default_rng(seed), resamples=300)
    return found.difference, found.error


def _f1(truth: FloatArray, said: Decisions) -> float:
    return macro_f1(truth, said) or 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--set", nargs=4, action="append", required=True, metavar=("NAME", "FILE", "TEXT", "LABEL")
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--sweep", action="store_true", help="print what other rules would have done")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    content: dict[str, object] = {}
    every: list[Project] = []
    for name, file, text, label in arguments.set:
        texts, answers = read(Path(file), text, label)
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        projects = [Project(texts, answers, seed) for seed in seeds]
        every += projects
        content[name] = figures(projects, gate.RULE)
        print(json.dumps({name: content[name]}), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps({"command": sys.argv, **content}, indent=1), "utf-8")
    if arguments.sweep:
        risks, gains, spreads, alone = (
            (0.02, 0.03, 0.04, 0.05),
            (0.005, 0.01, 0.02),
            (0.015, 0.02, 0.03),
            (0.6, 0.7, 0.8, 1.0),
        )
        for values in itertools.product(risks, gains, spreads, alone):
            rule = gate.Rule(*values)
            print(json.dumps(asdict(rule) | figures(every, rule)), flush=True)


if __name__ == "__main__":
    main()
