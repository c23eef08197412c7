"""Files that unpack to far more than they are: what their reader may use, and what is said of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from training.records import FileError, Options, bounded, read, reading, sample
from training.records.limits import NEEDS_MEMORY

LINUX = Path("/proc/self/status")
MEGABYTE = 1024**2


def one_text(path: Path, characters: int, rows: int = 1000) -> Path:
    """Write a Parquet file in which all rows share one text, which is stored once."""
    texts = pyarrow.array(["x" * characters])
    shared = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), texts)
    pyarrow.parquet.write_table(pyarrow.table({"text": shared}), path, compression="zstd")
    return path


def in_a_process(tmp_path: Path, code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    return done.stdout.split("\n")


@pytest.mark.skipif(not LINUX.exists(), reason="asks Linux how much memory a program has held")
@pytest.mark.parametrize(
    ("characters", "outcome"), [(1_200_000, "20 rows"), (32_000_000, "more than 512 MB")]
)
def test_a_text_that_all_rows_share_leaves_the_memory_of_whoever_asked_as_it_is(
    tmp_path: Path, characters: int, outcome: str
) -> None:
    assert one_text(tmp_path / "a.parquet", characters).stat().st_size < 2000
    # NB: `ru_maxrss` would count what the parent of a process held when it was started as well.
    code = (
        "import json; from pathlib import Path; from training.records import FileError, sample, read\n"
        "held = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024\n"
        "before = held()\n"
        "try: print(len(sample('a.parquet', 20)[0]), 'rows'); print(sum(1 for row in read('a.parquet')))\n"
        "except FileError as error: print(error)\n"
        "print(held() - before)"
    )
    said = in_a_process(tmp_path, code)
    assert outcome in said[0]
    assert int(said[-2]) < 50


def test_a_row_that_is_too_long_costs_itself_only_where_a_kilobyte_holds_a_thousand(tmp_path: Path) -> None:
    found = list(read(one_text(tmp_path / "a.parquet", 1200), Options(max_cell=1000)))
    assert [row.number for row in found if "has 1,200 characters" in row.faults.get("text", "")] == list(
        range(1, 1001)
    )


def test_the_memory_that_a_reader_may_use_can_be_set(tmp_path: Path) -> None:
    path = one_text(tmp_path / "a.parquet", 400_000)
    with pytest.raises(FileError, match="a.parquet needs more than 40 MB of memory.*CSV or JSONL"):
        list(read(path, Options(max_memory=40 * MEGABYTE)))
    assert len(list(read(path, Options(max_memory=400 * MEGABYTE)))) == 1000


BREAKDOWNS: list[tuple[str, str]] = [
    ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "takes more than 20 seconds to unpack"),
    (f"import os; os._exit({NEEDS_MEMORY})", "needs more than 512 MB"),
    ("import os; os.abort()", f"broke down \\(status -{int(signal.SIGABRT)}\\)"),
]


@pytest.mark.parametrize(("code", "reason"), BREAKDOWNS)
def test_a_reader_that_breaks_down_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr(bounded, "START", code)
    with pytest.raises(FileError, match=reason):
        sample(one_text(tmp_path / "a.parquet", 10), 1)


def test_a_reader_that_computes_for_too_long_is_ended() -> None:
    code = "from training.records import limits\nlimits.limit_seconds(0)\nwhile True: pass"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"], check=False
    )
    assert done.returncode == -signal.SIGXCPU


def test_where_the_system_limits_no_memory_the_reader_is_watched() -> None:
    code = (
        "import threading, time; from training.records import limits\n"
        "threading.Thread(target=limits.watch, args=(200_000_000,), daemon=True).start()\n"
        "held = bytearray(b'x' * 300_000_000)\n"
        "time.sleep(30)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"], check=False
    )
    assert done.returncode == NEEDS_MEMORY


def test_a_reader_knows_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "secret")
    monkeypatch.setattr(
        bounded, "START", "import json, os; print(json.dumps({'error': ' '.join(sorted(os.environ))}))"
    )
    with pytest.raises(FileError) as caught:
        sample(one_text(tmp_path / "a.parquet", 10), 1)
    assert set(str(caught.value).split()) <= {*bounded.KEPT, *bounded.SMALL, "LC_CTYPE"}


def test_a_reader_whose_rows_nobody_wants_any_more_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    original: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(original(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    rows = read(one_text(tmp_path / "a.parquet", 100, rows=100_000))
    next(rows)
    assert started[0].poll() is None
    rows.close()  # type: ignore[attr-defined]
    assert started[0].poll() is not None


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl", "a.json"])
def test_a_sample_of_long_rows_has_fewer_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reading, "SAMPLE_CHARS", 250)
    row = '{"text": "' + "x" * 100 + '"}\n' if "json" in name else "x" * 100 + "\n"
    (tmp_path / name).write_text(row * 10)
    assert len(sample(tmp_path / name, 10)[0]) == 3


def test_a_row_of_too_many_characters_costs_itself_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text,b,c,d,e\n{','.join(['x' * 90] * 5)}\n1,2,3,4,5\n")
    found = list(read(tmp_path / "a.csv", Options(max_cell=100)))
    assert "longer than is read" in found[0].problem
    assert found[1].cells["text"] == "1"
