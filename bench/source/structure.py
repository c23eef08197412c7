"""The shape of the source, by an AST pass: how large rooms and files are, and how far a reader has to jump.

python bench/source/structure.py [--tree DIR] [--json OUT]

Run it on two checkouts to compare them. A private function counts as used once where its name stands, besides
in its definition, in one place of its own file: a reader has to jump there from exactly that place.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

PACKAGES = ("annotate", "training")
TASKS = re.compile(
    r"(Task(Choices)?\.(SINGLE|MULTI)|\.task\b[^\n]{0,20}[=!]=|[=!]= [\"'](single|multi)[\"']|is_multi\b)"
)
FAMILIES = re.compile(r"[\"'](tfidf|fasttext|embedding|transformer|zero_shot|token_classifier)[\"']")
# Where tasks and families may be named: their own objects, and the entries of the registry.
OF_TASKS = re.compile(r"^(training/tasks|annotate/task_types)/")
OF_FAMILIES = re.compile(r"^training/(families/|registry\.py)")


def sources(tree: Path, *suffixes: str) -> list[Path]:
    """Return the files of both packages and the templates, without migrations."""
    starts = [tree / name for name in (*PACKAGES, "templates") if (tree / name).is_dir()]
    found = [path for start in starts for path in sorted(start.rglob("*")) if path.suffix in suffixes]
    return [path for path in found if "migrations" not in path.parts]


def used_once(path: Path) -> tuple[int, int]:
    """Return how many functions a file defines, and how many of them are private and used in one place."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    defined = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    names.update(node.attr for node in nodes if isinstance(node, ast.Attribute))
    private = [name for name in defined if name.startswith("_") and not name.startswith("__")]
    return len(defined), sum(names[name] == 1 for name in private)


def places(tree: Path, pattern: re.Pattern[str], exempt: re.Pattern[str], *suffixes: str) -> dict[str, int]:
    """Return how often a pattern stands in each file that is not exempt."""
    found: dict[str, int] = {}
    for path in sources(tree, *suffixes):
        name = path.relative_to(tree).as_posix()
        count = len(pattern.findall(path.read_text(encoding="utf-8")))
        if count and not exempt.match(name):
            found[name] = count
    return found


def measure(tree: Path) -> dict[str, Any]:
    """Return all figures of a checkout."""
    files = [path for path in sources(tree, ".py") if path.parts[len(tree.parts)] in PACKAGES]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    folders: dict[str, list[int]] = {}
    for path, length in lines.items():
        if path.name != "__init__.py":
            folders.setdefault(path.parent.relative_to(tree).as_posix(), []).append(length)
    functions, once = (sum(column) for column in zip(*map(used_once, files), strict=True))
    tasks = places(tree, TASKS, OF_TASKS, ".py", ".html", ".js")
    families = places(tree, FAMILIES, OF_FAMILIES, ".py", ".html", ".js", ".css")
    largest = max(folders, key=lambda name: len(folders[name]))
    return {
        "files": len(files),
        "lines": sum(lines.values()),
        "median_lines": median(length for length in lines.values() if length),
        "longest_file": max(lines.values()),
        "folders": {name: [len(own), median(own)] for name, own in sorted(folders.items())},
        "largest_folder": [largest, len(folders[largest])],
        "functions": functions,
        "private_used_once": once,
        "private_used_once_share": round(once / functions, 3),
        "comparisons_with_a_task": [sum(tasks.values()), tasks],
        "names_of_a_family": [sum(families.values()), families],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.tree.resolve())
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
