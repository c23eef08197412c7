"""`manage.py up` as people run it: it answers, brings back what dies, ends without a trace, says why not."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import pytest
import redis

from annotate import environment
from annotate.embedded.site import _as_pipe
from annotate.queues import QUEUES
from bench.outages.disk import SmallDisk
from tests.deployment.compose import ROOT, free_port

pytestmark = [
    pytest.mark.loop,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="It looks for processes in /proc."),
]
PATIENCE = 120.0  # a loaded machine is slow, not broken
STOPPED_WITHIN = 15.0
OURS = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "WINNOW_HOME")
PROGRAMS = ["broker", "web", *QUEUES, "beat"]


@dataclass
class Up:
    home: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def log(self) -> str:
        path = self.home / "up.log"
        return path.read_text(errors="replace") if path.exists() else "It has no log."

    def processes(self) -> dict[int, str]:
        """Return the command line of each process of this site, orphans too: its folder's name is in them."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                inherited = (folder / "environ").read_bytes().split(b"\0")
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has just ended, or is not ours
                continue
            # NB: the broker writes its title over its environment, but the title names its socket.
            if f"WINNOW_HOME={self.home}".encode() in inherited or f"{self.home}/" in line:
                found[int(folder.name)] = line
        return found

    def child(self, name: str) -> int | None:
        """Return the process that the supervisor started under `name`, if it runs."""
        known_as = {"broker": "valkey-server"}.get(name, f"winnow-{name}"[:15])
        mine = [pid for pid in self.processes() if parent_of(pid) == self.process.pid]
        return next((pid for pid in mine if name_of(pid) == known_as), None)

    def has_another(self, name: str, before: int | None) -> bool:
        return self.child(name) not in (None, before)

    def is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def works(self, since: float) -> bool:
        """Tell whether the page answers, a tick goes its whole way and all queues were seen since then."""
        with sqlite3.connect(f"file:{self.home}/winnow.sqlite3?mode=ro", uri=True) as database:
            seen = "SELECT queue FROM annotate_workerpulse WHERE strftime('%s', seen_at) + 0 > ?"
            pulses = {queue for (queue,) in database.execute(seen, [since])}
        return self.is_healthy() and pulses >= {*QUEUES} and self.ticks()

    def ticks(self) -> bool:
        """Take away what the tick notes down once a minute, and see whether it comes back."""
        with redis.Redis(unix_socket_path=str(environment.embedded_socket(self.home))) as client:
            client.delete(":2:due-vectors")
            deadline = time.monotonic() + 6
            while time.monotonic() < deadline:
                if client.exists(":2:due-vectors"):
                    return True
                time.sleep(0.1)
        return False


def parent_of(pid: int) -> int | None:
    try:
        return int(re.findall(r"^PPid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[0])
    except OSError:
        return None


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def wait_for(what: str, is_so: Callable[[], bool], site: Up, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < deadline, f"Waited in vain for {what}: {site.log}"
        time.sleep(0.2)


def environ_of(home: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in OURS}
    return kept | {"WINNOW_HOME": str(home)} | more


def refused(home: Path, *, port: int | None = None, **more: str) -> str:
    """Run `up` where it cannot start, and return the last lines that it wrote: one sentence, no traceback."""
    command = [sys.executable, "manage.py", "up", "--port", str(port or free_port())]
    environ = environ_of(home, **more)
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def running(home: Path) -> Iterator[Up]:
    with (home / "up.log").open("wb") as log, started(home, log) as site:
        wait_for("the greeting", lambda: "Winnow answers at" in site.log or site.has_ended, site)
        assert not site.has_ended, site.log
        yield site


@contextmanager
def started(home: Path, log: IO[bytes] | None) -> Iterator[Up]:
    """Start a site that writes to a log; where there is none, its output and error are closed."""
    port = free_port()
    command = [sys.executable, "manage.py", "up", "--port", str(port)]
    if log is None:
        command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    process = subprocess.Popen(command, cwd=ROOT, env=environ_of(home), stdout=log, stderr=log)
    try:
        yield Up(home, port, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("home")) as site:
        yield site


def test_it_says_where_it_answers_and_answers_there(site: Up) -> None:
    assert f"Winnow answers at http://127.0.0.1:{site.port}/ and stops with Ctrl-C." in site.log
    assert site.is_healthy()
    wait_for("all workers and beat", lambda: site.works(since=0), site)


def test_nobody_else_can_read_what_it_makes(site: Up) -> None:
    wait_for("all workers and beat", lambda: site.works(since=0), site)
    made = [path for path in (site.home, *site.home.rglob("*")) if path.name != "up.log"]
    assert len(made) > 20
    assert [path for path in made if path.lstat().st_mode & 0o077] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_killed_comes_back_and_the_site_works_again(name: str, site: Up) -> None:
    before, killed_at = site.child(name), time.time()
    assert before is not None
    family = [pid for pid in site.processes() if os.getpgid(pid) == before]
    os.kill(before, signal.SIGKILL)
    wait_for(f"another {name}", partial(site.has_another, name, before), site)
    assert f"{name} ended with code -9; it starts again in 1 s." in site.log
    wait_for("a site that works", lambda: site.works(since=killed_at), site)
    assert set(family) & set(site.processes()) == set()


def test_its_programs_share_what_they_have_imported(site: Up) -> None:
    wait_for("all workers and beat", lambda: site.works(since=0), site)
    for name in PROGRAMS[1:]:
        sizes = Path(f"/proc/{site.child(name)}/smaps_rollup").read_text()
        found = {key: int(size) for key, size in re.findall(r"^(Rss|Pss): +(\d+) kB", sizes, re.MULTILINE)}
        assert found["Pss"] < found["Rss"] / 2, name


def test_the_supervisor_shows_no_password(tmp_path: Path) -> None:
    """The greeting of the demo holds one; a command line and an environment can be read by others."""
    pipe = _as_pipe("secret")
    with os.fdopen(pipe, encoding="utf-8") as read:
        assert os.get_inheritable(pipe)
        assert read.read() == "secret"


def test_a_second_one_on_the_same_folder_is_refused(site: Up) -> None:
    for port in (None, site.port):
        sentence = refused(site.home, port=port)
        assert f"Winnow already runs on {site.home}: process {site.process.pid}," in sentence
        assert "name another folder in WINNOW_HOME" in sentence
    assert site.is_healthy()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_ends_soon_and_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path) as site:
        assert len(site.processes()) > len(PROGRAMS)
        site.process.send_signal(number)
        ended = site.process.wait(timeout=STOPPED_WITHIN)
        assert ended == (-number if number == signal.SIGKILL else 0), site.log
        wait_for("an end of all", lambda: site.processes() == {}, site, patience=STOPPED_WITHIN)


def stays_up(site: Up) -> None:
    wait_for("an answer", site.is_healthy, site)
    for name in ("training", "web"):
        wait_for(name, partial(site.has_another, name, None), site)
        before = site.child(name)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        wait_for(f"another {name}", partial(site.has_another, name, before), site)
    wait_for("an answer", site.is_healthy, site)
    assert not site.has_ended


def test_a_site_whose_output_was_closed_stays_up_and_restarts_what_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, None) as site:
        stays_up(site)


def test_a_site_whose_output_takes_nothing_stays_up_and_restarts_what_is_killed(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as log, started(tmp_path, log) as site:
        stays_up(site)


def test_a_site_whose_logs_disk_is_full_stays_up_and_says_later_what_was_lost(tmp_path: Path) -> None:
    with SmallDisk(megabytes=1) as disk:
        if disk.folder is None:
            pytest.skip("This user may not mount a file system.")
        log, filler = disk.folder / "up.log", disk.folder / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
        with log.open("wb") as stream, started(tmp_path, stream) as site:
            stays_up(site)
            assert log.read_bytes() == b""
            filler.unlink()
            before = site.child("beat")
            assert before is not None
            os.kill(before, signal.SIGKILL)
            wait_for("a line", lambda: b"beat ended with code -9" in log.read_bytes(), site)
            assert b"lines could not be written here." in log.read_bytes()


def test_a_busy_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Winnow cannot listen on 127.0.0.1:{port}: Address already in use." in refused(
            tmp_path, port=port
        )
    assert "Choose another port with --port." in refused(tmp_path, port=99_999)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("WINNOW_HTTPS", "maybe", "WINNOW_HTTPS='maybe' is neither yes nor no"),
        ("WINNOW_RUN_LEASE_SECONDS", "soon", "WINNOW_RUN_LEASE_SECONDS='soon' is not a number"),
        ("DATABASE_URL", "mysql://someone@localhost/name", "DATABASE_URL has the scheme “mysql”"),
        ("DATABASE_URL", "somewhere", "use sqlite:///… or postgres://user:password@host/name"),
        ("DATABASE_URL", "postgres://x@127.0.0.1:1/x", "The database that DATABASE_URL names does not work"),
        ("REDIS_URL", "amqp://localhost", "REDIS_URL has the scheme “amqp”"),
        ("ALLOWED_HOSTS", ",", "ALLOWED_HOSTS is empty"),
        ("WINNOW_HOME", "/proc/winnow", "name another one in WINNOW_HOME"),
    ],
)
def test_a_setting_that_would_not_work_is_named(name: str, value: str, why: str, tmp_path: Path) -> None:
    assert why in refused(tmp_path, **{name: value})
    assert not (tmp_path / "broker").exists()
