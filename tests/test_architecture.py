"""What holds for all files at once: layers, sizes, forbidden calls, clean templates, a light web process."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.registry import FAMILIES
from training.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 600
MOST_FILES = 15
# A package of fewer modules is read whole in a minute.
FEWEST_ORDERED = 4
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "mark_safe", "SafeString", "torch.load"}
HEAVY = {
    "faiss",
    "fasttext",
    "imblearn",
    "lightgbm",
    "modAL",
    "onnx",
    "optimum",
    "pandas",
    "safetensors",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "transformers",
}
IN_SCRIPTS = re.compile(
    r"\b(innerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b|\.outerHTML\s*="
)
IN_TEMPLATES = {
    "marks text as safe": re.compile(r"\|\s*safe(seq)?\b|{%\s*autoescape\s+off"),
    "has a script inside": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "has a style inside": re.compile(r"<style\b|<[^>]*\sstyle\s*=", re.IGNORECASE),
    "has an event attribute": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "loads from elsewhere": re.compile(
        r"<(script|link|img)\b[^>]*(src|href)\s*=\s*[\"']?(https?:)?//", re.IGNORECASE
    ),
}


def python_files(*folders: str) -> list[Path]:
    """Return the project's Python files, all of them or those under folders; migrations are left out."""
    starts = [ROOT / folder for folder in folders or ("annotate", "training", "tests", "bench")]
    found = sorted(path for start in starts for path in start.rglob("*.py"))
    assert found
    return [path for path in found if "migrations" not in path.parts]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls_and_imports(path: Path) -> Iterator[str]:
    """Yield the names that a file imports, as `import X`, and those that it calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name.partition('.')[0]}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield f"import {node.module.partition('.')[0]}"
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_the_layers_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_says_what_may_import_what() -> None:
    """An exhaustive contract lists every module of its package, so a new one has to say where it stands."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contracts = tools["importlinter"]["contracts"]
    ordered = {
        name
        for contract in contracts
        if contract.get("exhaustive") or contract["id"] == "families-apart"
        for name in contract.get("containers", ["training.families"])
    }
    modules = Counter(
        ".".join(path.relative_to(ROOT).parent.parts)
        for path in python_files("annotate", "training")
        if path.name != "__init__.py"
    )
    rooms = {name for name, number in modules.items() if number >= FEWEST_ORDERED}
    assert rooms
    assert rooms - ordered == set()


def test_no_file_is_too_long_to_read() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_folder_is_a_heap() -> None:
    folders = Counter(shown(path.parent) for path in python_files() if path.name != "__init__.py")
    assert {name: files for name, files in folders.items() if files > MOST_FILES} == {}


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in python_files("annotate", "training"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # Django asks for both names: the options of a model or form, and what a command file holds.
            if isinstance(node, ast.ClassDef) and node.name not in {"Meta", "Command"}:
                places.setdefault(node.name, []).append(shown(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_nothing_loads_or_runs_what_could_be_code() -> None:
    forbidden = {f"import {name}" for name in UNSAFE_MODULES} | UNSAFE_CALLS
    used = {
        shown(path): forbidden & set(calls_and_imports(path)) for path in python_files("annotate", "training")
    }
    assert {name: found for name, found in used.items() if found} == {}


def test_only_its_folder_and_its_entry_name_a_family() -> None:
    """Others ask the registry for a trait, so that a new family is one folder and one entry."""
    words = [*FAMILIES, *(family.title for family in FAMILIES.values())]
    names = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, words))})(?![\w])")
    homes = [f"training/families/{key}/" for key in FAMILIES]
    # A file format is called like the tool that reads it.
    may_name = ("training/registry.py", "annotate/services/exports/formats.py")
    found = []
    for path in python_files("annotate", "training"):
        if shown(path) in may_name or shown(path).startswith(tuple(homes)):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # Prose may say what a method is called in its paper; a docstring is a statement of its own.
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom | ast.Import) and any(
                home.rstrip("/").replace("/", ".") in ast.unparse(node) for home in homes
            ):
                found.append((shown(path), ast.unparse(node)))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                found += [(shown(path), name) for name in names.findall(node.value)]
    for folder in (ROOT / "templates", ROOT / "annotate" / "static"):
        for path in sorted(folder.rglob("*.*")):
            found += [(shown(path), name) for name in names.findall(path.read_text(encoding="utf-8"))]
    assert found == []


def test_only_its_two_files_name_a_task() -> None:
    """Others ask the object, so that a new task is one file in each half and a line in each registry."""
    keys = "|".join(map(re.escape, TASKS))
    constants = keys.upper()
    # HTML has an element called like a task, which scripts make and look for.
    quoted = rf"(?<!createElement\()(?<!querySelector\()[\"\']({keys})[\"\']"
    names = re.compile(rf"TaskChoices|is_({keys})\b|{quoted}|\b({constants})\b|dataset\.task|\[data-task")
    homes = ("training/tasks/", "annotate/task_types/")
    # The command line has an option `--multi`, and the demo's own projects have a task each, as all have.
    may_name = ("training/cli/", "annotate/services/demo/")
    files = [*python_files("annotate", "training")]
    for folder in (ROOT / "templates", ROOT / "annotate" / "static"):
        files += [path for path in folder.rglob("*.*") if path.suffix in {".html", ".js", ".css"}]
    found = {
        shown(path): [match.group() for match in names.finditer(path.read_text(encoding="utf-8"))]
        for path in files
        if not shown(path).startswith(homes + may_name)
    }
    assert {name: places for name, places in found.items() if places} == {}


def test_numpy_files_are_read_without_pickle() -> None:
    loads = [
        (shown(path), node.lineno, {word.arg: ast.unparse(word.value) for word in node.keywords})
        for path in python_files("annotate", "training")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load"
    ]
    assert [where for *where, words in loads if words.get("allow_pickle") != "False"] == []


def test_scripts_write_text_never_markup() -> None:
    scripts = sorted((ROOT / "annotate" / "static" / "annotate").glob("*.js"))
    assert scripts
    assert {shown(path) for path in scripts if IN_SCRIPTS.search(path.read_text(encoding="utf-8"))} == set()


@pytest.mark.parametrize("fault", IN_TEMPLATES)
def test_no_template(fault: str) -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    assert templates
    assert {
        shown(path) for path in templates if IN_TEMPLATES[fault].search(path.read_text(encoding="utf-8"))
    } == set()


def test_a_web_process_loads_no_learning_library(tmp_path: Path) -> None:
    script = (
        "import json, sys; import annotate.wsgi, annotate.urls; "
        "from django.urls import get_resolver; get_resolver().url_patterns; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "annotate.settings", "WINNOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {"django", "annotate", "training"} <= loaded
    assert loaded & HEAVY == set()
