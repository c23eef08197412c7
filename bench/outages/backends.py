"""A PostgreSQL and a Redis of a bench's own, so that they can be stopped without harm to anybody else."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 30.0
DATABASE = "winnow"


class Backends:
    """`with Backends() as backends:` both run in a temporary folder, and end with it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="winnow-backends-"))
        self.database_port, self.redis_port = free_port(), free_port()
        self.database_url = f"postgres://winnow@127.0.0.1:{self.database_port}/{DATABASE}"
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.log = self.folder / "postgres.log"
        self._data = self.folder / "data"
        self._redis: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Backends:
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._postgres("initdb", "-D", self._data, "-U", "winnow", "--auth", "trust", "--no-sync")
        self.start_database()
        self._postgres("createdb", "-h", "127.0.0.1", "-p", self.database_port, "-U", "winnow", DATABASE)
        self.start_redis()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop_redis()
        self._postgres("pg_ctl", "-D", self._data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_database(self) -> None:
        settings = f"-p {self.database_port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        self._postgres("pg_ctl", "-D", self._data, "-l", self.log, "-w", "-o", settings, "start")

    def restart_database(self) -> None:
        """End all its connections at once, as a crash does, and start it again."""
        self._postgres("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        time.sleep(1)
        self.start_database()

    def deadlocks(self) -> int:
        return self.log.read_text("utf-8", "replace").count("deadlock detected")

    def start_redis(self) -> None:
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), "--loglevel", "warning"]
        self._redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for_port(self.redis_port)

    def stop_redis(self) -> None:
        if self._redis is not None:
            self._redis.send_signal(signal.SIGKILL)
            self._redis.wait()

    @property
    def redis_pid(self) -> int:
        assert self._redis is not None
        return self._redis.pid

    def _postgres(self, program: str, *arguments: object, check: bool = True) -> None:
        command = [str(_binary(program)), *map(str, arguments)]
        user = "postgres" if os.geteuid() == 0 else None
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, user=user, cwd=self.folder)
        if check and done.returncode:
            raise SystemExit(f"{program} failed: {(self.folder / 'commands.log').read_text()[-2000:]}")


def are_installed() -> bool:
    try:
        _binary("initdb")
    except SystemExit:
        return False
    return shutil.which("redis-server") is not None


def _binary(name: str) -> Path:
    """Return a program of PostgreSQL. Debian keeps those of a server out of the path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (kept[-1] if kept else None)
    if found is None:
        raise SystemExit(f"{name} was not found: install a PostgreSQL server.")
    return Path(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"Nothing listens on port {port} after {PATIENCE:g} seconds.")
