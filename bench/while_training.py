"""How much slower predictions are while a transformer is fine-tuned on the same machine.

    python bench/while_training.py --train F --text COL --label COL [--rows 2000] --json OUT

One prediction over HTTP at a time, on a site of its own: idle, during the fine-tuning, and idle again.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.predict import measure
from bench.site import Site

PATIENCE = 900.0
WELL_BEGUN = 0.01  # share of the fine-tuning


def main() -> None:
    options = _arguments()
    with options.train.open(encoding="utf-8", newline="") as file:
        rows = [(row[options.text], row[options.label]) for row in csv.DictReader(file)][: options.rows]
    with Site() as site:
        token = _first_model(site, rows, options.family)
        texts = [text for text, _label in rows]

        def ask() -> dict[str, Any]:
            return dict(measure(site.url, "bench", token, texts, options.requests))

        report: dict[str, Any] = {"idle": ask()}
        site.shell("train", family="transformer", config={"epochs": 30})
        _wait(site, lambda run: run["state"] == "running" and run["progress"] > WELL_BEGUN)
        report["training"] = ask()
        report["progress"] = site.shell("latest_run")["progress"]
        site.shell("cancel")
        time.sleep(5)
        report["idle_again"] = ask()
    report |= {f"{p}_ratio": _ratio(report, f"{p}_ms") for p in ("p50", "p95", "p99")}
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="a CSV file of labelled texts")
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--family", default="embedding", help="what predicts")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _first_model(site: Site, rows: list[tuple[str, str]], family: str) -> str:
    """Label all rows, train the family that predicts, publish it, and return a token."""
    labels = sorted({label for _text, label in rows})
    texts = [text for text, _label in rows]
    seeded = site.shell("seed", texts=texts, labels=labels, multi=False, people=0, training=False, fields={})
    site.shell("answer", rows=rows)
    site.shell("train", family=family, config={})
    run = _wait(site, lambda run: run["state"] not in ("queued", "running"))
    if run["state"] != "succeeded":
        raise SystemExit(f"The first model failed: {run['error']}")
    return str(seeded["token"])


def _wait(site: Site, is_so: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not is_so(run := site.shell("latest_run")):
        if time.monotonic() > deadline or run["state"] == "failed":
            raise SystemExit(f"Waited in vain: {run}")
        time.sleep(1)
    return dict(run)


def _ratio(report: dict[str, Any], figure: str) -> float:
    idle = (report["idle"][figure] + report["idle_again"][figure]) / 2
    return round(float(report["training"][figure] / idle), 2)


if __name__ == "__main__":
    main()
