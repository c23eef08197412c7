"""An embedded site in a temporary folder, for as long as a bench needs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300.0  # a loaded machine is slow, not broken


class Site:
    """`with Site() as site:` the site answers at `site.url`; afterwards nothing of it is left."""

    def __init__(self, *, database: str = "", redis: str = "", parent: Path | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="winnow-bench-", dir=parent))
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = {
            **os.environ,
            "WINNOW_HOME": str(self.home),
            "LOG_LEVEL": "WARNING",
            # What is measured is the site, not its limits.
            "WINNOW_API_REQUESTS_PER_MINUTE": "1000000",
            "WINNOW_API_TEXTS_PER_MINUTE": "100000000",
            **({"DATABASE_URL": database} if database else {}),
            **({"REDIS_URL": redis} if redis else {}),
        }
        self._log = self.home / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start_s = 0.0

    def __enter__(self) -> Site:
        began = time.monotonic()
        command = [sys.executable, "-u", "manage.py", "up", "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environ, stdout=log, stderr=subprocess.STDOUT
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began > PATIENCE:
                self.__exit__()
                raise SystemExit("The site did not start.")
            time.sleep(0.1)
        self.start_s = time.monotonic() - began
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
        if any(exception) or not self.start_s:
            sys.stderr.write("".join(self._log.read_text(errors="replace").splitlines(keepends=True)[-40:]))
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def shell(self, action: str, *, module: str = "bench.inside", **arguments: Any) -> Any:
        """Do one action of a module in the site's own environment; JSON in, JSON out."""
        command = [sys.executable, "-m", module, action]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environ, input=json.dumps(arguments).encode(), stdout=subprocess.PIPE
        )
        if done.returncode:
            raise SystemExit(f"{module} {action} failed; its error is above.")
        return json.loads(done.stdout)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def percentiles(seconds: list[float], prefix: str = "") -> Mapping[str, float | None]:
    """Return p50, p95 and p99 in milliseconds."""
    ordered = sorted(seconds)
    return {f"{prefix}p{p}_ms": _at(ordered, p / 100) for p in (50, 95, 99)}


def _at(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)
