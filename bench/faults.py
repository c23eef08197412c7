"""People label and a program asks for predictions while one part of the site after the other is broken.

    python bench/faults.py --set-up embedded --minutes 2 --seed 0 --json OUT
    python bench/faults.py --set-up grown --minutes 2 --seed 0 --json OUT

`embedded` is the site of one command, `grown` the same with a PostgreSQL and a Redis of its own. It runs on
Linux. Filling the disk needs the right to mount a file system; without it, that fault is left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.outages.backends import Backends, are_installed
from bench.outages.clients import Annotator, Log, Program
from bench.outages.disk import SmallDisk
from bench.site import Site, percentiles
from bench.weight import below

LABELS = ["red", "green", "blue"]
PEOPLE = 5
TEXTS = 4_000
AWAY_SECONDS = 6.0
RECOVERS_WITHIN = 60.0
SETTLES_WITHIN = 180.0
LINES_TOLD = 200
HAVE_TO_BE_ZERO = ("lost", "doubled", "stuck", "errors_while_broker_away", "deadlocks")
FORKED = ("web", "interactive", "training", "finetuning", "beat")


@dataclass
class Breaker:
    """The faults of a set-up, and what each of them does; those of the broker note how long it was away."""

    site: Site
    backends: Backends | None
    disk: Path | None
    rng: random.Random
    away_seconds: float = AWAY_SECONDS
    away: list[tuple[float, float]] = field(default_factory=list)

    def faults(self) -> dict[str, Callable[[], None]]:
        found: dict[str, Callable[[], None]] = {}
        for name in FORKED:
            found[f"kill {name}"] = lambda name=name: self._kill(name, of_supervisor=True)  # type: ignore[misc]
        for name in ("web", "interactive", "training"):
            found[f"kill a child of {name}"] = lambda name=name: self._kill(name, of_supervisor=False)  # type: ignore[misc]
        if self.backends is None:
            found["kill the broker"] = self._kill_broker
        else:
            found["restart PostgreSQL"] = self.backends.restart_database
            found["Redis away"] = self._redis_away
            found["Redis stands still"] = self._redis_stands_still
        if self.disk is not None:
            found["disk full"] = self._fill_disk
        return found

    def running(self) -> set[str]:
        """Return the names of the programs that the supervisor has running."""
        return {name_of(pid) for pid in self._mains()}

    def _mains(self) -> list[int]:
        return below().get(self.site.pid, [])

    def _kill(self, name: str, *, of_supervisor: bool) -> None:
        mains = [pid for pid in self._mains() if name_of(pid) == comm(name)]
        victims = mains if of_supervisor else [pid for main in mains for pid in below().get(main, [])]
        if victims:
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(victims), signal.SIGKILL)

    def _kill_broker(self) -> None:
        for pid in self._mains():
            if name_of(pid) == "valkey-server":
                began = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                time.sleep(3)  # the supervisor starts it again after a second
                self.away.append((began, time.monotonic()))

    def _redis_away(self) -> None:
        assert self.backends is not None
        began = time.monotonic()
        self.backends.stop_redis()
        time.sleep(self.away_seconds)
        self.away.append((began, time.monotonic()))
        self.backends.start_redis()

    def _redis_stands_still(self) -> None:
        assert self.backends is not None
        began = time.monotonic()
        os.kill(self.backends.redis_pid, signal.SIGSTOP)
        time.sleep(self.away_seconds)
        self.away.append((began, time.monotonic()))
        os.kill(self.backends.redis_pid, signal.SIGCONT)

    def _fill_disk(self) -> None:
        assert self.disk is not None
        filler = self.disk / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        time.sleep(AWAY_SECONDS)
        filler.unlink(missing_ok=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        backends = stack.enter_context(Backends()) if options.set_up == "grown" else None
        disk = stack.enter_context(SmallDisk())
        urls = {"database": backends.database_url, "redis": backends.redis_url} if backends else {}
        site = stack.enter_context(Site(parent=disk.folder, **urls))
        texts = [f"Document {n} is about something {LABELS[n % 3]}, number {n * 7919}." for n in range(TEXTS)]
        seeded = site.shell(
            "seed", texts=texts, labels=LABELS, multi=False, people=PEOPLE, training=True, fields={}
        )
        log = Log()
        keys = list(seeded["labels"].values())
        people = [
            Annotator(log, site, seeded["slug"], name, seeded["password"], keys) for name in seeded["people"]
        ]
        program = Program(log, site, seeded["slug"], seeded["token"])
        for thread in (*people, program):
            thread.start()
        breaker = Breaker(site, backends, disk.folder, random.Random(options.seed), options.away)
        try:
            done, recoveries = break_it(breaker, log, seeded["people"], options.minutes * 60, options.only)
        finally:
            log.going = False
        for thread in (*people, program):
            thread.join()
        unsettled = settle(site)
        said = told(site) if unsettled or None in recoveries else []
        tally = site.shell("tally")
        kept = {(document, name) for document, name in tally["annotations"]}
        acknowledged = {key for key in log.acknowledged if key[0] >= 0}
        locked = (site.home / "up.log").read_text("utf-8", "replace").count("database is locked")
        return {
            "set_up": options.set_up,
            "minutes": options.minutes,
            "seed": options.seed,
            "faults": sum(done.values()),
            "faults_by_kind": done,
            "left_out": [] if disk.folder else ["disk full: this user may not mount a file system"],
            "acknowledged": len(acknowledged),
            "lost": len(acknowledged - kept),
            "doubled": tally["doubled"],
            "stuck": sum(seconds is None for seconds in recoveries) + len(unsettled),
            "never_ended": unsettled,
            "said": said,
            "recover_max_s": round(max((s for s in recoveries if s is not None), default=0.0), 1),
            "errors": len(log.errors),
            "errors_while_broker_away": log.errors_between(breaker.away),
            **latencies(log, breaker.away),
            "broker_away_s": round(sum(end - begin for begin, end in breaker.away), 1),
            "deadlocks": backends.deadlocks() if backends else locked,
            "refused": len(log.refused),
            "predictions": program.answered,
            "versions": len(tally["versions"]),
        }


def break_it(
    breaker: Breaker, log: Log, people: list[str], seconds: float, in_order: Sequence[str] = ()
) -> tuple[dict[str, int], list[float | None]]:
    """Cause one fault after another, each kind once a round; return their numbers and the recoveries.

    Those of `in_order` are all of a round where it names some.

    A recovery is the seconds from the end of a fault until every annotator had a decision acknowledged and
    every program ran; None where that took too long.
    """
    until = time.monotonic() + seconds
    done: Counter[str] = Counter()
    recoveries: list[float | None] = []
    round_: list[str] = []
    faults = breaker.faults()
    if missing := set(in_order) - set(faults):
        raise SystemExit(f"Here is no fault {', '.join(missing)}; there are {', '.join(faults)}.")
    wait_until_all_label(log, people, since=time.monotonic())
    expected = breaker.running()
    while time.monotonic() < until:
        if not round_:
            round_ = [*reversed(in_order)] or breaker.rng.sample(list(faults), len(faults))
        name = round_.pop()
        faults[name]()
        done[name] += 1
        ended = time.monotonic()
        while not breaker.running() >= expected and time.monotonic() < ended + RECOVERS_WITHIN:
            time.sleep(0.1)
        recoveries.append(wait_until_all_label(log, people, since=ended))
        print(f"{name}: {recoveries[-1]} s", file=sys.stderr)
        time.sleep(breaker.rng.uniform(0.5, 2))
    return dict(done), recoveries


def wait_until_all_label(log: Log, people: list[str], since: float) -> float | None:
    while time.monotonic() < since + RECOVERS_WITHIN:
        if all(log.latest.get(name, 0.0) > since for name in people):
            return round(time.monotonic() - since, 2)
        time.sleep(0.05)
    return None


def settle(site: Site) -> list[str]:
    """Wait until no work is open; return what still is."""
    until = time.monotonic() + SETTLES_WITHIN
    while (left := site.shell("live_work")) and time.monotonic() < until:
        time.sleep(2)
    return list(left)


def latencies(log: Log, away: list[tuple[float, float]]) -> dict[str, float | None]:
    """Tell the p95 of decisions and of page views with the broker and while it was away, and the slowest."""
    found: dict[str, float | None] = {}
    for what in log.took:
        for where, inside in (("", False), ("_while_broker_away", True)):
            seconds = log.seconds(what, away, inside=inside)
            found[f"{what}{where}_p95_ms"] = percentiles(seconds)["p95_ms"]
            found[f"{what}{where}_max_ms"] = round(1000 * max(seconds, default=0.0), 1)
    return found


def told(site: Site) -> list[str]:
    """Return the last lines that the site wrote, for whoever looks for the cause."""
    return (site.home / "up.log").read_text("utf-8", "replace").splitlines()[-LINES_TOLD:]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has just ended
        return ""


def comm(program: str) -> str:
    return f"winnow-{program}"[:15]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Break a site in use, part by part, and count what it costs."
    )
    parser.add_argument("--set-up", choices=["embedded", "grown"], required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--away", type=float, default=AWAY_SECONDS, metavar="SECONDS", help="how long Redis is away each time"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="FAULT", help="these, in this order, again and again"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.set_up == "grown" and not are_installed():
        sys.exit("This set-up needs the programs of a PostgreSQL server and redis-server.")
    report = measure(options)
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    wrong = [name for name in HAVE_TO_BE_ZERO if report[name]]
    if wrong or not report["acknowledged"]:
        sys.exit(f"Not all is as it has to be: {', '.join(wrong) or 'nothing was acknowledged'}.")


if __name__ == "__main__":
    main()
