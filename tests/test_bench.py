"""The benches are described, can be called as described, and import only what exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.peers import measure
from bench.peers.measure import PROGRAMS

ROOT = Path(__file__).resolve().parent.parent
BENCHES = sorted(path for path in (ROOT / "bench").rglob("*.py") if path.name != "__init__.py")
README = ROOT / "bench" / "README.md"
CALL = re.compile(r"^\$ python (bench/[a-z_/]+\.py) (.+)$", re.MULTILINE)


def trees(path: Path) -> Iterator[ast.AST]:
    """Yield the tree of a file, and of each string in it that is a program for another process."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nimport " in node.value:
            yield ast.parse(node.value)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of all imports of the project's own, those inside functions and strings too."""
    for tree in trees(path):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
                "annotate",
                "training",
            ):
                yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("bench", BENCHES, ids=lambda path: path.name)
def test_it_imports_only_what_exists(bench: Path) -> None:
    missing = [
        f"{module}.{name}"
        for module, name in imported(bench)
        if find_spec(module) is None
        or not (hasattr(import_module(module), name) or find_spec(f"{module}.{name}"))
    ]
    assert missing == []


def test_the_readme_names_every_bench() -> None:
    text = README.read_text(encoding="utf-8")
    named = [path.relative_to(ROOT) for path in BENCHES if path.parent.name != "outages"]
    assert [str(path) for path in named if f"`{path}`" not in text] == []


def test_the_readme_calls_them_with_options_that_they_have() -> None:
    calls = CALL.findall(README.read_text(encoding="utf-8"))
    assert len(calls) > 5
    for bench, words in calls:
        source = (ROOT / bench).read_text(encoding="utf-8")
        for option in re.findall(r"--[a-z-]+", words):
            assert f'"{option}"' in source, f"{bench} has no {option}"


@pytest.mark.parametrize("peer", sorted(PROGRAMS))
def test_a_peer_has_a_program_and_pinned_packages(peer: str) -> None:
    folder = ROOT / "bench" / "peers"
    packages = (folder / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in packages if not re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line)] == []
    assert (folder / PROGRAMS[peer]).is_file()


def test_an_environment_of_a_peer_is_made_anew_when_its_packages_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    folder, packages = tmp_path / "env", tmp_path / "peer.txt"
    folder.mkdir()
    monkeypatch.setattr(measure.venv, "create", lambda folder, **how: made.append(folder))
    monkeypatch.setattr(measure.subprocess, "run", lambda command, check: None)
    packages.write_text("one==1")
    for _ in range(2):
        assert measure.prepare(folder, packages) == folder / "bin" / "python"
    assert len(made) == 1
    packages.write_text("one==2")
    measure.prepare(folder, packages)
    assert len(made) == 2
