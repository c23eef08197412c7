"""PostgreSQL goes away for some seconds in the middle of a run: the run waits and loses nothing."""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from tests.loop.killed.processes import driving, told_by
from tests.loop.started import environ_of, starting

pytestmark = pytest.mark.loop
FOUND = [*filter(None, [shutil.which("pg_ctl")]), *sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))]
# The server refuses to run as root, so its own account runs it then.
AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


class Server:
    """A PostgreSQL of the test's own, on a free port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        control = [*AS_POSTGRES, FOUND[-1], "-D", str(folder), "-l", str(folder / "log"), "-w"]
        self.start = [*control, "-o", f"-p {self.port} -c unix_socket_directories=", "start"]
        self.stop = [*control, "-m", "fast", "stop"]
        made = ["initdb", "-o", "-A trust -U postgres"]
        subprocess.run([*control, *made], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(self.start, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def server() -> Iterator[Server]:
    if not FOUND:
        pytest.skip("There is no pg_ctl on this machine.")
    # NB: not in the folder of the test, which other accounts may not enter.
    folder = Path(tempfile.gettempdir()) / f"winnow-postgres-{os.getpid()}"
    try:
        server = Server(folder)
        yield server
        subprocess.run(server.stop, check=True, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_run_outlives_a_restart_of_the_database_without_an_attempt(server: Server, tmp_path: Path) -> None:
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    environ = environ_of(tmp_path, "tests.loop.killed.kill_settings", DATABASE_URL=url)
    (tmp_path / "run").mkdir()
    workers = [programs.worker(queue, processes=1) for queue in ("interactive", "training")]
    with starting(environ) as start:
        for program in (programs.broker(tmp_path), *workers, programs.beat()):
            start(program)
        commands = [json.dumps(server.stop), json.dumps(server.start)]
        found = told_by(driving(["tests.loop.killed.restart_driver", *commands], environ))
    assert found == {"attempt": 1, "token": 1, "stages": ["published"]}
