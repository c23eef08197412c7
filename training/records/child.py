"""The process that `bounded.unpacked` starts: it reads a packed file and writes its rows as lines of JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO

from training.records import limits
from training.records.bounded import needs_memory
from training.records.detect import PACKED, packed_format
from training.records.reading import load_reader, opened
from training.records.rows import FileError, Findings, Options, ReadMeter, Row
from training.types import Json

BATCH_ROWS = 500
BATCH_CHARS = 256 * 1024

logger = logging.getLogger(__name__)


def main() -> None:
    """Read the file that is standard input; the second argument says how. Ends without a word if unwanted."""
    request = json.loads(sys.argv[2])
    name, options = request["name"], Options(**request["options"], meter=ReadMeter(), findings=Findings())
    try:
        for message in _messages(sys.stdin.buffer, name, options):
            _say(message)
        _say('{"end": true}')
    except FileError as error:
        _say(json.dumps({"error": str(error)}))
    except MemoryError:
        limits.release_memory()
        _say(json.dumps({"error": needs_memory(name, options)}))
    except BrokenPipeError:  # whoever asked has seen enough
        sys.stderr.close()
    except Exception as error:
        # A library that meets what it never expected fails in ways that nobody can list.
        limits.release_memory()
        logger.exception("The reader failed.")
        reason = f"{name} is damaged, or was written in an unusual way ({type(error).__name__}: {error})."
        _say(json.dumps({"error": f"{reason[:500]} Open it and save it again, or save it as CSV."}))


def _say(message: str) -> None:
    sys.stdout.buffer.write(message.encode("utf-8", "surrogatepass") + b"\n")
    sys.stdout.buffer.flush()


def _messages(file: BinaryIO, name: str, options: Options) -> Iterator[str]:
    """Yield the settled options, then the rows in batches, each within its limits."""
    limits.limit_seconds(options.max_seconds)
    kind = options.format if options.format in PACKED else packed_format(file)
    load_reader(kind)  # before memory is limited, as a library takes address space that it never uses
    limits.limit_memory(options.max_memory)
    settled, rows = opened(file, name, options)
    yield json.dumps({"options": {"format": settled.format, "encoding": settled.encoding}})
    batch: list[str] = []
    length = 0
    for row in rows:
        batch.append(_line(row))
        length += len(batch[-1])
        if len(batch) >= BATCH_ROWS or length >= BATCH_CHARS:
            yield _batch(batch, options)
            batch, length = [], 0
            limits.limit_seconds(options.max_seconds)
    yield _batch(batch, options)


def _line(row: Row) -> str:
    values: list[Json] = [row.number, row.cells, row.problem, row.faults]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _batch(lines: list[str], options: Options) -> str:
    assert options.meter is not None
    assert options.findings is not None
    findings = json.dumps(asdict(options.findings))
    read = options.meter.bytes_read()
    return f'{{"bytes_read": {read}, "findings": {findings}, "rows": [{",".join(lines)}]}}'
