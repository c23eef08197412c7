"""How often a steady traffic raises a false alarm, and how soon a shift or a new topic is found.

    python bench/corridor.py --texts train.csv --text text --label category --json OUT

A traffic has a mix of classes of its own, a reference of 2,000 texts and ten windows of history. Its windows
are drawn from that mix, or from one around it that is drawn anew for each (a Dirichlet distribution of 300).
A shift moves that share of all texts to one class. Without `--texts` new topics are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.cli.embedders import add_encoder_arguments, open_embedder
from training.drift.corridor import Counts, MixCorridor, Values, g_of
from training.drift.means import Moments, Side, read_mean
from training.drift.topics import most_unlike, nearest_similarity

CLASSES = (2, 5, 77)
VARYING = (0, 300)  # of the Dirichlet distribution; 0 is a mix that never varies
SIZES = (100, 500, 2_000)
REFERENCE = 2_000
HISTORY = 10
STEADY = 200
SHIFTS = {100: 0.4, 500: 0.2}  # the share that moves, by texts a window
WITHIN = 3  # windows in which a shift should be found
TRIES = 40  # shifts a traffic

WITHHELD = 8  # classes
LABELLED = 1_000  # texts
WINDOW = 500
NEW = 0.2  # of the window
SENT = 50


def main() -> None:
    options = _arguments()
    rng = np.random.default_rng(options.seed)
    cells = [
        cell(classes, varying, size, options.traffics, rng)
        for classes in CLASSES
        for varying in VARYING
        for size in SIZES
    ]
    for one in cells:
        print(json.dumps(one))
    figures: dict[str, Any] = {
        "false_alarms_max": max(one["false_alarms"] for one in cells),
        "shift_02_at_500_min": min(one["found"] for one in cells if one["size"] == 500),
        "shift_04_at_100_min": min(one["found"] for one in cells if one["size"] == 100),
    }
    if options.texts:
        figures |= new_topics(options)
    else:
        print("New topics were left out: --texts names no file.", file=sys.stderr)
    print(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures | {"cells": cells}, indent=1), "utf-8")


def cell(classes: int, varying: int, size: int, traffics: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the share of steady windows that alarm, and of shifts that are found within three windows."""
    false, found = [], []
    for number in range(traffics):
        mix = rng.dirichlet(np.full(classes, 1.0 if number % 2 else 5.0))
        history = draw(mix, varying, size, HISTORY, rng)
        corridor = MixCorridor.fit(rng.multinomial(REFERENCE, mix), history, size, rng)
        steady = draw(mix, varying, size, STEADY, rng)
        false.append((g_of(steady, corridor.shares) > corridor.limit).mean())
        if size in SHIFTS:
            moved = draw(shifted(mix, SHIFTS[size], rng), varying, size, TRIES * WITHIN, rng)
            alarms = g_of(moved, corridor.shares) > corridor.limit
            found.append(alarms.reshape(TRIES, WITHIN).any(axis=1).mean())
    where = {"classes": classes, "varying": varying, "size": size}
    shares = {"false_alarms": float(np.mean(false))}
    return where | shares | ({"found": float(np.mean(found))} if found else {})


def draw(mix: Values, varying: int, size: int, windows: int, rng: np.random.Generator) -> Counts:
    """Return the counts (windows, classes) of windows of one traffic."""
    # No parameter of a Dirichlet distribution may be 0, which a very rare class comes to.
    mixes = rng.dirichlet(varying * mix + 1e-9, windows) if varying else np.tile(mix, (windows, 1))
    return rng.multinomial(size, mixes)


def shifted(mix: Values, share: float, rng: np.random.Generator) -> Values:
    """Return the mix after that share of all texts went to one class, from the others alike."""
    able = np.flatnonzero(mix <= 1 - share)
    j = rng.choice(able)
    moved = mix * (1 - mix[j] - share) / (1 - mix[j])
    moved[j] = mix[j] + share
    return np.asarray(np.maximum(moved, 0) / np.maximum(moved, 0).sum())


def new_topics(options: argparse.Namespace) -> dict[str, float]:
    """Return the share of windows with new topics that alarm, and of texts sent that have one.

    With them stands the share of false alarms of the same corridor, on windows without a new topic.
    """
    with options.texts.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    embedder, _root = open_embedder(options)
    vectors = embedder.embed([row[options.text] for row in rows])
    names, labels = np.unique([row[options.label] for row in rows], return_inverse=True)
    alarms, sent, false = [], [], []
    for seed in range(options.topics):
        rng = np.random.default_rng([options.seed, seed])
        is_new = np.isin(labels, rng.choice(len(names), WITHHELD, replace=False))
        old, new = (rng.permutation(np.flatnonzero(rows)) for rows in (~is_new, is_new))
        labelled = vectors[old[:LABELLED]]
        near = nearest_similarity(vectors, labelled)
        left = old[LABELLED:]
        reference, windows = left[:1_000], np.array_split(left[1_000:], len(left[1_000:]) // WINDOW)
        history = [Moments.of(near[rows]) for rows in windows[:HISTORY]]
        fresh = round(NEW * WINDOW)
        mixed = np.concatenate([windows[HISTORY][: WINDOW - fresh], new[:fresh]])
        for kept, rows_read in ((alarms, mixed), (false, windows[HISTORY + 1])):
            reading = read_mean(
                Moments.of(near[reference]), history, Moments.of(near[rows_read]), rng, side=Side.BELOW
            )
            kept.append(reading.is_alarm)
        chosen = most_unlike(vectors[mixed], labelled, SENT).indices
        sent.append(is_new[mixed[chosen]].mean())
    return {
        "new_topic_found": float(np.mean(alarms)),
        "new_topic_share": float(np.mean(sent)),
        "new_topic_share_min": float(np.min(sent)),
        "new_topic_false_alarms": float(np.mean(false)),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--traffics", type=int, default=60, help="of each cell")
    parser.add_argument("--texts", type=Path, metavar="F", help="labelled texts, CSV with a header")
    parser.add_argument("--text", default="text", metavar="COL")
    parser.add_argument("--label", default="category", metavar="COL")
    parser.add_argument("--topics", type=int, default=40, help="draws of withheld classes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
