"""One embedded site: it is made ready, and then this process becomes its supervisor."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from annotate.embedded import claims, preparation, programs

Write = Callable[[str], object]
# Read by what the supervisor imports, so they are set before it starts; each program gets its own values.
ENVIRON = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": programs.ROOT_IS_FINE, **programs.SIGTERM_ENDS_TASKS}


def run(
    home: Path, host: str, port: int, *, prepare: Callable[[], str], beside: Sequence[str] = ()
) -> NoReturn:
    """Make the site ready and become its supervisor, which says what `prepare` returned once it answers.

    `beside` is a command of manage.py with its arguments, which is then run once beside the site.

    The supervisor is a program of its own, `annotate.embedded`, as its memory is shared by all programs that
    it starts: what a migration has left behind does not belong there.
    """
    preparation.close_to_others(home)
    lock = claims.FolderLock(home, url=programs.url_of(host, port))
    try:
        claims.check_port(host, port)
        preparation.migrate()
        preparation.collect_static()
        greeting = prepare()
        sys.stdout.flush()
        command = [*programs.MODULE, "annotate.embedded", "--host", host, "--port", str(port)]
        command += ["--greeting", str(_as_pipe(greeting))]
        command += ["--beside", *beside] if beside else []
        os.execve(command[0], command, {**os.environ, **ENVIRON})
    finally:
        lock.close()


def _as_pipe(text: str) -> int:
    """Return what the text can be read from. It may hold a password, which no command line may show."""
    read, write = os.pipe()
    os.set_inheritable(read, True)
    with os.fdopen(write, "w", encoding="utf-8") as pipe:
        pipe.write(text)
    return read
