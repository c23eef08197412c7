"""Nobody but the site's own user looks into its home."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotate import checks
from annotate.embedded import preparation

pytestmark = pytest.mark.one_database

ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """Return a home as an earlier version left it, with something of the user's beside."""
    home = tmp_path / "home"
    (home / "bundles" / "colours" / "1").mkdir(parents=True)
    for name in ("bundles/colours/1/graph.onnx", "winnow.sqlite3", "winnow.sqlite3-wal", "mine.txt"):
        (home / name).write_text("x")
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return home


def test_a_home_of_an_earlier_version_is_closed(old_home: Path) -> None:
    preparation.close_to_others(old_home)
    ours = [path for path in (old_home, *old_home.rglob("*")) if path.name != "mine.txt"]
    assert {(path.is_dir(), mode(path)) for path in ours} == {(True, 0o700), (False, 0o600)}
    assert mode(old_home / "mine.txt") == 0o666


def test_what_a_link_leads_to_stays_as_it_is(old_home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    outside.chmod(0o755)
    (outside / "file").chmod(0o644)
    (old_home / "encoders").symlink_to(outside)
    (old_home / "bundles" / "link").symlink_to(outside / "file")
    preparation.close_to_others(old_home)
    assert (mode(outside), mode(outside / "file")) == (0o755, 0o644)


def test_a_folder_for_everybody_is_not_closed(old_home: Path) -> None:
    old_home.chmod(0o1777)
    preparation.close_to_others(old_home)
    assert mode(old_home) == 0o1777
    assert mode(old_home / "winnow.sqlite3") == 0o600


def test_a_home_that_others_can_enter_is_told(old_home: Path, settings: Any) -> None:
    settings.HOME = old_home
    assert [found.id for found in checks.home_is_private(None)] == ["annotate.W012"]
    old_home.chmod(0o700)
    assert checks.home_is_private(None) == []


@pytest.mark.parametrize(
    "program",
    [
        ["manage.py", "migrate", "--verbosity", "0"],
        ["-c", "import annotate.wsgi; open('made', 'w').close()"],
        ["-c", "import annotate.celery; open('made', 'w').close()"],
    ],
)
def test_every_program_of_the_site_makes_private_files(program: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {**os.environ, "WINNOW_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environ = {key: value for key, value in environ.items() if key not in {"SECRET_KEY", "DATABASE_URL"}}
    command = [sys.executable, *([str(ROOT / program[0]), *program[1:]] if program[0] != "-c" else program)]
    subprocess.run(
        command,
        cwd=tmp_path,
        env=environ | {"DJANGO_SETTINGS_MODULE": "annotate.settings"},
        check=True,
        umask=0,
    )
    made = [path for path in tmp_path.rglob("*") if path.name != "__pycache__"]
    assert made
    assert {mode(path) & 0o077 for path in made} == {0}


@pytest.mark.parametrize("is_a_file", [False, True])
def test_the_web_process_keeps_uploads_in_the_home_where_it_can(tmp_path: Path, is_a_file: bool) -> None:
    """What lies elsewhere after a kill is found by no sweeper."""
    if is_a_file:
        (tmp_path / "tmp").write_text("")
    code = "import annotate.wsgi, tempfile; print(tempfile.gettempdir())"
    served = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "WINNOW_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "annotate.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (served.stdout.strip() == str(tmp_path / "tmp")) is not is_a_file
    assert ("cannot be made: " in served.stderr) is is_a_file
