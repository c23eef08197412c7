"""How long a person waits for the next card, in a real Chromium in front of a real site, over a slow network.

    python bench/person_in_browser.py --latency-ms 0,200,500 --labels 3,77 --json OUT

For each number of labels a site of its own; for each latency, which is that of a round trip, a person who
decides on `--decisions` cards. In the middle of each, the site's web process is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.faults import comm, name_of
from bench.labelling.browser import Decided, KeyOrFinder, Person
from bench.labelling.slow_way import SlowWay
from bench.site import Site, percentiles
from bench.weight import below

COLOURS = ("red", "green", "blue", "amber", "violet", "grey", "ivory", "ochre", "teal", "pink", "brown")
THINGS = ("river", "garden", "ticket", "engine", "letter", "window", "harbour")
NAMES = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    runs = []
    path = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        for labels in options.labels:
            runs += _label(browser, labels, options)
        browser.close()
    return _report(runs)


def _label(browser: Browser, size: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one run for each latency, all on one site."""
    names = NAMES[:size] + [f"{NAMES[i % len(NAMES)]} {i}" for i in range(len(NAMES), size)]
    rows = (2 * options.decisions + 60) * len(options.latency_ms)
    texts = [f"A text of some words, with the number {i}, about: {names[i % size]}" for i in range(rows)]
    runs = []
    with Site() as site:
        seeded = site.shell(
            "seed",
            texts=texts,
            labels=names,
            multi=False,
            people=len(options.latency_ms),
            training=False,
            fields={},
        )
        ids = seeded["labels"]
        for name, latency in zip(seeded["people"], options.latency_ms, strict=True):
            with SlowWay(site.port, latency / 1000) as url:
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                person = Person(
                    context.new_page(),
                    lambda text: int(ids[text.partition(": ")[2]]),
                    KeyOrFinder({pk: name for name, pk in ids.items()}),
                    options.think,
                    seed=latency,
                )
                person.log_in(url, name, seeded["password"], f"/projects/{seeded['slug']}/label/")
                kill = {options.decisions // 2: lambda: _kill_web(site)}
                person.label(options.decisions, {} if options.no_kill else kill)
                context.close()
            frame = percentiles([ms / 1000 for ms in person.frames_ms], "frame_")
            run = {"labels": size, "latency_ms": latency, "person": name, "decided": person.decided}
            runs.append({**run, "frame": frame})
            print(f"{size} labels, {latency} ms: {_waits(person.decided)} {frame}", flush=True)
        kept = {(document, who): labels for document, who, labels in site.shell("answers")}
        doubled = site.shell("tally")["doubled"]
    for run in runs:
        said = {(decision.document, run["person"]): [decision.label] for decision in run["decided"]}
        mine = {key: labels for key, labels in kept.items() if key[1] == run["person"]}
        run["lost"] = sum(kept.get(key) != labels for key, labels in said.items())
        # A document that the person saw twice, or that another has as well, or that nobody decided on.
        run["doubled"] = len(run["decided"]) - len(said) + len(mine.keys() - said.keys())
    runs[0]["doubled"] += doubled
    return runs


def _kill_web(site: Site) -> None:
    """Kill the web server as it stands: its main process and those that it has started."""
    tree = below()
    for main in tree.get(site.pid, []):
        if name_of(main) == comm("web"):
            for pid in (*tree.get(main, []), main):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _waits(decided: list[Decided]) -> dict[str, Any]:
    seconds = [x.next_card_ms / 1000 for x in decided if x.next_card_ms is not None]
    return {
        "decisions": len(decided),
        **percentiles(seconds, "next_card_"),
        "next_card_max_ms": round(max(seconds, default=0) * 1000, 1),
        "without_a_measure": len(decided) - len(seconds),
        # Which decision, and how long: a wait in the middle is that for the killed web process.
        "slowest": sorted(((x.next_card_ms or 0, n) for n, x in enumerate(decided, 1)), reverse=True)[:6],
    }


def _report(runs: list[dict[str, Any]]) -> dict[str, Any]:
    def of(name: str, value: int) -> list[Decided]:
        return [decision for run in runs if run[name] == value for decision in run["decided"]]

    return {
        "next_card_p95_ms": {
            str(latency): _waits(of("latency_ms", latency))["next_card_p95_ms"]
            for latency in dict.fromkeys(run["latency_ms"] for run in runs)
        },
        "keys_per_decision": {
            str(labels): round(sum(x.keys for x in of("labels", labels)) / len(of("labels", labels)), 2)
            for labels in dict.fromkeys(run["labels"] for run in runs)
        },
        "lost": sum(run["lost"] for run in runs),
        "doubled": sum(run["doubled"] for run in runs),
        "runs": [
            {name: run[name] for name in ("labels", "latency_ms", "lost", "doubled", "frame")}
            | _waits(run["decided"])
            for run in runs
        ],
    }


def _numbers(value: str) -> list[int]:
    return [int(part) for part in value.split(",")]


def _range(value: str) -> tuple[float, float]:
    low, _comma, high = value.partition(",")
    return float(low), float(high or low)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency-ms", type=_numbers, default=[0, 200, 500], metavar="N,N")
    parser.add_argument("--labels", type=_numbers, default=[3, 77], metavar="N,N")
    parser.add_argument("--decisions", type=int, default=100)
    parser.add_argument("--think", type=_range, default=(0.6, 1.2), metavar="LOW,HIGH")
    parser.add_argument("--no-kill", action="store_true", help="leave the web process alone")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    report = measure(options)
    options.json.write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
