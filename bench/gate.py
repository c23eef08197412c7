"""How often the gate of publication refuses a model that is no worse, and how often it lets a slide pass.

    python bench/gate.py --set NAME FILE TEXT LABEL [--set …] --seeds 20 --json OUT

A file is CSV with a header, or TSV without one, whose columns are numbers from 1. For each seed TF-IDF
models learn from more and more labels, as a project does; half of every fifth labelled text reports figures,
and what is left of the file tells which model is really better. A slide is the last model, of whose answers a
growing share is made wrong until its macro-F1 is 0.05 lower in ten steps.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.figures import gate, intervals
from training.figures.evaluate import macro_f1, paired_bootstrap
from training.figures.evidence import is_enough
from training.figures.thresholds import Decisions
from training.types import FloatArray

LABELLED = (30, 50, 70, 100, 130, 170, 220, 280, 350, 430, 520, 620, 740, 880, 1_000)
STEPS = 10
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
    names = sorted({name for _, name in pairs})
    return [words for words, _ in pairs], np.array([names.index(name) for _, name in pairs])


def decisions(texts: list[str], answers: np.ndarray, learn: np.ndarray, labels: int) -> Decisions:
    """Return what a model that learned from some rows says of all, (documents, labels)."""
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    model = LogisticRegression(C=10, class_weight="balanced", max_iter=300)
    model.fit(vectors.fit_transform([texts[i] for i in learn]), answers[learn])
    return np.eye(labels, dtype=bool)[model.predict(vectors.transform(texts))]


def loop(texts: list[str], answers: np.ndarray, seed: int) -> tuple[list[Judged], bool, bool]:
    """Return each judgement of one project, and whether the slide passed the gate and the old rule."""
    rng = np.random.default_rng(seed)
    labels = int(answers.max()) + 1
    order = rng.permutation(len(texts))
    truth = np.eye(labels, dtype=np.float32)[answers]
    rest = order[2_000:]
    judged: list[Judged] = []
    best: Decisions | None = None
    best_low, refused = -1.0, 0
    said = reporting = None
    for labelled in LABELLED:
        seen = order[:labelled]
        held = np.arange(labelled) % 5 == 0
        reporting = seen[held][::2]
        said = decisions(texts, answers, seen[~held], labels)
        if best is None or not is_enough(len(reporting)):
            best, best_low, refused = said, -1.0, 0
            continue
        found = _compare(truth[reporting], said[reporting], best[reporting], seed)
        publish = gate.risk_of_loss(*found, has_learned_as_much=True) <= gate.allowed_risk(refused)
        gain = _f1(truth[rest], said[rest]) - _f1(truth[rest], best[rest])
        judged.append(Judged(len(reporting), gain, publish, found[0] + 1.96 * found[1] >= 0))
        refused = 0 if publish else refused + 1
        low = _low(truth[reporting], said[reporting], rng)
        if publish and low >= best_low:
            best, best_low = said, low
    assert said is not None
    assert reporting is not None
    return judged, *slides(truth, said, reporting, rest, rng)


def slides(
    truth: FloatArray, said: Decisions, reporting: np.ndarray, rest: np.ndarray, rng: np.random.Generator
) -> tuple[bool, bool]:
    """Tell whether the last of ten steps down was published, by the gate and by the rule of before."""
    start = _f1(truth[rest], said[rest])
    turn = rng.random(len(said))
    share, sliding = 0.0, said
    refused, served = 0, said
    by_gate = by_rule = False
    for step in range(1, STEPS + 1):
        while start - _f1(truth[rest], sliding[rest]) < SLIDE * step / STEPS:
            share += 0.002
            sliding = np.where((turn < share)[:, None], np.roll(truth > 0, 1, axis=1), said)
        ours, before = sliding[reporting], served[reporting]
        found = _compare(truth[reporting], ours, said[reporting], step)
        by_gate = gate.risk_of_loss(*found, has_learned_as_much=True) <= gate.allowed_risk(refused)
        refused = 0 if by_gate else refused + 1
        last = _compare(truth[reporting], ours, before, step)
        by_rule = last[0] + 1.96 * last[1] >= 0
        served = sliding if by_rule else served
    return by_gate, by_rule


def _compare(truth: FloatArray, ours: Decisions, theirs: Decisions, seed: int) -> tuple[float, float]:
    found = paired_bootstrap(truth, ours, theirs, np.random.default_rng(seed), resamples=300)
    return found.difference, found.error


def _low(truth: FloatArray, said: Decisions, rng: np.random.Generator) -> float:
    true = truth > 0
    counts = [rows.sum(axis=0).astype(np.float64) for rows in (true & said, said, true)]
    ends = intervals.of_macro(*counts, rng, exclusive=True, resamples=300)
    return ends[0] if ends else -1.0


def _f1(truth: FloatArray, said: Decisions) -> float:
    return macro_f1(truth, said) or 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--set", nargs=4, action="append", required=True, metavar=("NAME", "FILE", "TEXT", "LABEL")
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    content = {}
    for name, file, text, label in arguments.set:
        texts, answers = read(Path(file), text, label)
        judged: list[Judged] = []
        passed = []
        for seed in range(arguments.seeds):
            found, *slide = loop(texts, answers, seed)
            judged += found
            passed.append(slide)
        no_worse = [one for one in judged if one.gain >= 0]
        worse = [one for one in judged if one.gain < -gate.MARGIN]
        content[name] = {
            "judged": len(judged),
            "no_worse": len(no_worse),
            "no_worse_refused": sum(not one.published for one in no_worse),
            "worse_than_margin": len(worse),
            "worse_published": sum(one.published for one in worse),
            "worse_published_before": sum(one.was_published_before for one in worse),
            "slides": len(passed),
            "slides_passed": sum(by_gate for by_gate, _ in passed),
            "slides_passed_before": sum(by_rule for _, by_rule in passed),
        }
        print(json.dumps({name: content[name]}), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    main()
