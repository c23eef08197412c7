"""Reads a packed file in a process of its own, whose memory and time are limited.

A workbook or a Parquet file of a kilobyte may unpack to gigabytes, and no header tells the truth about it.
What happens to the reader then does not happen to the site.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, BinaryIO

from training.records.limits import NEEDS_MEMORY
from training.records.rows import FileError, Options, Row

# The reader looks for modules where this process does, without the files that a start of Python reads for it.
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from training.records.child import main; main()"
)
# It parses what strangers wrote, so it gets none of this process's environment, which holds passwords.
KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LC_ALL")
# Threads and pools of memory would reserve far more than they use.
SMALL = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
}
NOT_SENT = {"meter", "findings"}  # it tells these with its rows


@contextmanager
def unpacked(file: BinaryIO, name: str, options: Options) -> Iterator[tuple[Options, Iterator[Row]]]:
    """Give the options as the reader settled them, and the rows as it sends them; it ends with this block.

    Raises `FileError` for whatever the reader refuses, and where it needs more than it may use.
    """
    sent = asdict(replace(options, meter=None, findings=None))
    told = {key: value for key, value in sent.items() if key not in NOT_SENT}
    reader = subprocess.Popen(
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", START]
        + [
            json.dumps([path or os.getcwd() for path in sys.path]),
            json.dumps({"name": name, "options": told}),
        ],
        stdin=file,
        stdout=subprocess.PIPE,
        env={**{key: os.environ[key] for key in KEPT if key in os.environ}, **SMALL},
    )
    try:
        messages = _messages(reader, name, options)
        settled = next(messages)
        yield replace(options, **settled["options"]), _rows(messages, options)
    finally:
        reader.kill()
        assert reader.stdout is not None
        reader.stdout.close()
        reader.wait()


def _messages(reader: subprocess.Popen[bytes], name: str, options: Options) -> Iterator[dict[str, Any]]:
    """Yield what the reader says until it has finished; raises `FileError` where it could not."""
    assert reader.stdout is not None
    for line in reader.stdout:
        message = json.loads(line.decode("utf-8", "surrogatepass"))
        if "error" in message:
            raise FileError(message["error"])
        if "end" in message:
            return
        yield message
    status = reader.wait()
    if status == -signal.SIGXCPU:
        raise FileError(
            f"{name} takes more than {options.max_seconds} seconds to unpack. "
            "Save it as CSV or JSONL, which are read piece by piece."
        )
    if status == NEEDS_MEMORY:
        raise FileError(needs_memory(name, options))
    raise FileError(
        f"The reader of {name} broke down (status {status}), perhaps because the file needs more than "
        f"{options.max_memory // 1024**2:,} MB. Save it as CSV or JSONL."
    )


def needs_memory(name: str, options: Options) -> str:
    return (
        f"{name} needs more than {options.max_memory // 1024**2:,} MB of memory to be read. "
        "Save it as CSV or JSONL, which are read piece by piece."
    )


def _rows(messages: Iterator[dict[str, Any]], options: Options) -> Iterator[Row]:
    for message in messages:
        if options.meter:
            options.meter.last = message["bytes_read"]
        if options.findings:
            options.findings.sheets = message["findings"]["sheets"]
            options.findings.notes = message["findings"]["notes"]
        for values in message["rows"]:
            yield Row(*values)
