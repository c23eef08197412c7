"""Whether the figures of the holdout are those of the whole project where labels came with a file.

    python bench/figures/held_out.py --worlds 40 --json OUT

In each world a file of labelled texts is imported by the site's own code, in a database of its own: eight
labels, the rarest a tenth as frequent as the most common one, and a tenth of the labels in the file is
wrong. A made-up model mixes labels up. Its figures on the holdout, as people would answer it, are compared
with those on all texts; the bias of precision and recall is the mean over labels of how far the mean over
worlds is off.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.figures import database

HOME = database.prepare("held-out")

from django.core.management import call_command  # noqa: E402

from annotate.models import User  # noqa: E402
from annotate.services.imports.upsert import IncomingDocument, store_rows  # noqa: E402
from annotate.services.projects import projects  # noqa: E402
from training.figures.evaluate import macro_f1  # noqa: E402
from training.types import Answer  # noqa: E402

LABELS = 8
WRONG = 0.1  # of the labels in the file
FIRST, LAST = 0.95, 0.5  # how often the model is right about the most common and the rarest label


def words(number: int) -> str:
    """Return a number as letters, as texts that differ in digits alone are near duplicates."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:06}")


def world(lead: User, documents: int, seed: int) -> dict[str, np.ndarray]:
    """Import the texts, and return the figures on the holdout and on all of them, by name."""
    rng = np.random.default_rng(seed)
    shares = np.geomspace(10, 1, LABELS)
    truth = rng.choice(LABELS, size=documents, p=shares / shares.sum())
    given = np.where(rng.random(documents) < WRONG, rng.integers(LABELS, size=documents), truth)
    right = rng.random(documents) < np.linspace(FIRST, LAST, LABELS)[truth]
    said = np.where(right, truth, rng.permutation(truth))
    names = [f"label {number}" for number in range(LABELS)]
    slug = f"world-{seed}"
    project = projects.create_project(
        by=lead, name=slug, slug=slug, task="single", labels=[(name, "") for name in names]
    )
    first = seed * documents
    texts = [words(first + row) for row in range(documents)]
    rows = [IncomingDocument(text, answer=Answer((names[g],))) for text, g in zip(texts, given, strict=True)]
    store_rows(project=project, rows=rows)
    held = set(project.documents.holdout().values_list("text", flat=True))
    mask = np.array([text in held for text in texts])
    everything = figures(truth, said)
    return {name: figures(truth[mask], said[mask])[name] - found for name, found in everything.items()} | {
        "share held out": np.array(mask.mean()),
        "share of the rarest": np.array((truth[mask] == LABELS - 1).mean() - (truth == LABELS - 1).mean()),
    }


def figures(truth: np.ndarray, said: np.ndarray) -> dict[str, np.ndarray]:
    """Return macro-F1, and precision and recall of each label; what has no document has no figure."""
    true, decided = (np.eye(LABELS, dtype=bool)[rows] for rows in (truth, said))
    hits = (true & decided).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = hits / decided.sum(axis=0), hits / true.sum(axis=0)
    macro = macro_f1(true.astype(np.float32), decided)
    return {"macro_f1": np.array(macro), "precision": precision, "recall": recall}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--documents", type=int, default=1_500)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    lead = User.objects.create_user("lead")
    worlds = [world(lead, arguments.documents, seed) for seed in range(arguments.worlds)]
    content: dict[str, object] = {"command": sys.argv}
    for name in worlds[0]:
        values = np.array([one[name] for one in worlds])
        content[name] = np.nanmean(values, axis=0).tolist()
        content[f"{name}, error"] = (np.nanstd(values, axis=0, ddof=1) / np.sqrt(len(values))).tolist()
    print(json.dumps(content))
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    main()
