"""`python -m training drift`: does each window of traffic still have the mix of classes that it had?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from training.cli.inputs import output_file
from training.drift.corridor import Counts, MixCorridor, MixReading
from training.records import read
from training.types import Json, TrainingError

_LABELS = ("label", "class", "category", "text")  # a line of a plain file is called "text"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("drift", help="judge windows of predicted classes against a reference")
    parser.add_argument("--reference", type=Path, required=True, metavar="F", help="a class a line")
    parser.add_argument(
        "--windows", type=Path, required=True, metavar="F", help="a class a line, windows by a column"
    )
    parser.add_argument("--label", metavar="COL", help="column of the class (default: the likely one)")
    parser.add_argument("--window", default="window", metavar="COL", help="column of the window")
    parser.add_argument("--size", type=int, default=500, help="texts a window, where no column tells")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file, metavar="OUT")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Read the windows in their order; one that raises no alarm is history for those after it.

    A reference with a column of windows is such history as well, another one is counted as a whole.
    """
    if arguments.size < 1:
        raise TrainingError("--size has to be 1 or more.")
    past, has_history = _read(arguments.reference, arguments)
    windows, _ = _read(arguments.windows, arguments)
    classes = sorted({name for texts in (*past.values(), *windows.values()) for name in texts})
    if not classes:
        raise TrainingError(f"{arguments.reference} and {arguments.windows} have no classes.")
    earlier = np.array([_counts(texts, classes) for texts in past.values()]).reshape(-1, len(classes))
    reference = np.zeros(len(classes), np.int64) if has_history else earlier.sum(axis=0)
    history = list(earlier) if has_history else []
    rng = np.random.default_rng(arguments.seed)
    found = []
    for name, texts in windows.items():
        counts = _counts(texts, classes)
        known = np.array(history, np.int64).reshape(-1, len(classes))
        reading = MixCorridor.fit(reference, known, len(texts), rng).read(counts)
        if not reading.is_alarm:
            history.append(counts)
        found.append(_told(name, reading, classes))
        print(_line(found[-1]))
    if arguments.json:
        arguments.json.write_text(json.dumps({"windows": found}, indent=1, ensure_ascii=False), "utf-8")


def _read(path: Path, arguments: argparse.Namespace) -> tuple[dict[str, list[str]], bool]:
    """Return the classes of each window in the order of the file, and whether a column told windows apart."""
    windows: dict[str, list[str]] = {}
    is_told = False
    for number, row in enumerate(read(path)):
        if row.problem:
            raise TrainingError(f"{path}, row {row.number}: {row.problem}")
        columns = [column for column in row.cells if column != arguments.window]
        likely = [column for column in columns if column.lower() in _LABELS] or columns
        label = arguments.label or likely[0]
        if label not in row.cells or (len(likely) > 1 and not arguments.label):
            named = ", ".join(row.cells)
            raise TrainingError(f"{path} has the columns {named}: name that of the class with --label.")
        is_told = arguments.window in row.cells
        window = row.cells[arguments.window] if is_told else number // arguments.size + 1
        windows.setdefault(str(window), []).append(str(row.cells[label]))
    return windows, is_told


def _counts(texts: list[str], classes: list[str]) -> Counts:
    places = {name: j for j, name in enumerate(classes)}
    return np.bincount([places[name] for name in texts], minlength=len(classes)).astype(np.int64)


def _told(name: str, reading: MixReading, classes: list[str]) -> dict[str, Json]:
    return {
        "window": name,
        "texts": reading.size,
        "kl": reading.kl,
        "js": reading.js,
        "psi": reading.psi,
        "g": reading.g,
        "limit": reading.limit,
        "alarm": reading.is_alarm,
        "moved": [
            {"class": classes[moved.column], "before": moved.before, "now": moved.now}
            for moved in reading.moved
        ],
    }


def _line(told: dict[str, Json]) -> str:
    """Return one line on a window; an alarm is explained by the classes that moved most."""
    figures = f"{told['window']}: {told['texts']} texts, G {told['g']:.1f} of at most {told['limit']:.1f}"
    if not told["alarm"]:
        return figures
    moved = "; ".join(f"{one['class']} {one['before']:.1%} -> {one['now']:.1%}" for one in told["moved"][:3])
    return f"{figures}, alarm: {moved}"
