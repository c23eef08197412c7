"""Turns conditions round, one at a time, and tells which of them no test notices.

    python -m bench.source.mutants                            ten mutants of each module in `NEAREST`
    python -m bench.source.mutants --only queue --count 30    more of one module
    python -m bench.source.mutants --json found.json          keeps what was found; called again, it goes on
    python -m bench.source.mutants --json found.json --again  tries the survivors once more, after a new test

A mutant is the module with one thing changed: a comparison, `and`, `not`, a sign, an index, `min`, a lookup,
the direction of an order, or an `if` that always or never holds. The same `--seed` draws the same mutants as
long as the module stays as it is. The nearest tests run in a copy of the working tree, new and changed files
included, so that nothing can leave the tree itself changed. A mutant is "killed" where a test fails or takes
far longer than usual, and "survived" where all pass: then a test is missing, or nothing can be seen of the
change (an "equivalent" mutant). docs/testing.md lists those that were looked at. Not for CI: it
takes minutes.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = "tests/training/figures"
SERVICES = "tests/annotate/services"
# The tests that a rule of the module should fail: the file that stands nearest, then what surrounds it.
NEAREST: dict[str, tuple[str, ...]] = {
    "training/figures/thresholds.py": (f"{FIGURES}/test_thresholds.py", FIGURES),
    "training/figures/calibration.py": (f"{FIGURES}/test_calibration.py", FIGURES),
    "training/figures/evaluate.py": (f"{FIGURES}/test_evaluate.py", FIGURES),
    "training/figures/abstain.py": (f"{FIGURES}/test_abstain.py",),
    "training/figures/confusion.py": (f"{FIGURES}/test_confusion.py",),
    "training/figures/projection.py": (f"{FIGURES}/test_projection.py",),
    "training/figures/shares.py": (f"{FIGURES}/test_shares.py",),
    "training/figures/tradeoff.py": (f"{FIGURES}/test_tradeoff.py",),
    "training/drift/corridor.py": ("tests/training/drift",),
    "training/drift/means.py": ("tests/training/drift",),
    "training/drift/topics.py": ("tests/training/drift",),
    "training/tasks/single.py": ("tests/training/tasks", FIGURES, "tests/training/llm/test_answers.py"),
    "training/tasks/multi.py": ("tests/training/tasks", FIGURES, "tests/training/llm/test_answers.py"),
    "training/runs/pipeline.py": ("tests/training/runs/test_pipeline.py", "tests/training/runs"),
    "training/families/embedding/recipe.py": (
        "tests/training/families/embedding",
        "tests/training/families/shared",
    ),
    "annotate/services/imports/matching.py": (
        f"{SERVICES}/imports/test_matching.py",
        f"{SERVICES}/imports/test_importing.py",
    ),
    "annotate/services/labeling/queue.py": (f"{SERVICES}/labeling/test_queue.py", f"{SERVICES}/labeling"),
    "annotate/services/labeling/decisions.py": (
        f"{SERVICES}/labeling/test_labeling.py",
        f"{SERVICES}/labeling",
    ),
    "annotate/services/runs/schedule.py": (f"{SERVICES}/runs/test_schedule.py", f"{SERVICES}/runs"),
    "annotate/services/work/lease.py": (f"{SERVICES}/work/test_lease.py", f"{SERVICES}/work"),
    "annotate/services/work/jobs.py": (f"{SERVICES}/work/test_jobs.py", f"{SERVICES}/work"),
    "annotate/services/work/perform.py": (f"{SERVICES}/work/test_perform.py", f"{SERVICES}/work"),
    "annotate/services/work/limits.py": (f"{SERVICES}/work/test_workers.py", f"{SERVICES}/work"),
    "annotate/services/work/watch.py": (f"{SERVICES}/work/test_workers.py", f"{SERVICES}/work"),
    "annotate/services/work/workers.py": (f"{SERVICES}/work/test_workers.py", f"{SERVICES}/work"),
    "annotate/services/upkeep/files.py": (f"{SERVICES}/upkeep/test_sweepers.py", f"{SERVICES}/upkeep"),
    "annotate/services/upkeep/rows.py": (f"{SERVICES}/upkeep/test_sweepers.py", f"{SERVICES}/upkeep"),
    "annotate/models/work.py": (f"{SERVICES}/work/test_lease.py", f"{SERVICES}/work"),
    "annotate/services/versions/publication.py": (
        f"{SERVICES}/versions/test_publication.py",
        f"{SERVICES}/versions",
    ),
}
COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<", "<=", ">="),
    ast.LtE: ("<=", "<", ">"),
    ast.Gt: (">", ">=", "<="),
    ast.GtE: (">=", ">", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
SIGNS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
NAMES = {
    one: other
    for pair in (
        ("min", "max"),
        ("minimum", "maximum"),
        ("argmin", "argmax"),
        ("any", "all"),
        ("filter", "exclude"),
        ("first", "last"),
    )
    for one, other in (pair, pair[::-1])
}
LOOKUPS = {"__lt": "__gte", "__lte": "__gt", "__gt": "__lte", "__gte": "__lt"}
PATIENCE = 4  # times as long as the tests take without a mutant, then it counts as noticed

Edit = tuple[int, int, bytes]
"""From which byte to which one, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to a module: where it is, what it does, and the module's text with it."""

    module: str
    line: int
    change: str
    text: str

    @property
    def key(self) -> str:
        """Two runs mean the same mutant by it, as long as the module stays as it is."""
        return f"{self.module}:{self.line}: {self.change}"


class Source:
    """A module's text and where its nodes lie in it."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.tree = ast.parse(text)
        self._starts = [0]
        for line in self.data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined, no-any-return]

    def end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined, no-any-return]

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Edit:
        """Change the operator between two operands; besides it only brackets and comments are there."""
        start, end = self.end(left), self.start(right)
        found = re.search(re.escape(old).replace(r"\ ", r"\s+"), self.data[start:end].decode())
        assert found, self.data[start:end]
        return start + found.start(), start + found.end(), new.encode()

    def changed(self, edits: list[Edit]) -> str:
        data = self.data
        for start, end, new in sorted(edits, reverse=True):
            data = data[:start] + new + data[end:]
        return data.decode()


def mutants_of(module: str, text: str) -> list[Mutant]:
    """Return every mutant of a module's functions; what stands outside of them are settings and names."""
    source = Source(text)
    found: dict[str, Mutant] = {}  # by its text: a function within another one is walked through twice
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in function.body:
            for node in _rules(statement):
                for edits in _changes(source, node):
                    changed = source.changed(edits)
                    line = source.data.count(b"\n", 0, edits[0][0]) + 1
                    found[changed] = Mutant(module, line, _told(text, changed), changed)
    return list(found.values())


def _rules(node: ast.AST) -> Iterator[ast.AST]:
    """Walk through all that decides something: no types, no sentences, no checks for the type checker."""
    if isinstance(node, ast.Assert | ast.Raise | ast.JoinedStr):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list") or _names_an_axis(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _rules(child)


def _names_an_axis(node: ast.AST) -> bool:
    """Tell `axis=1` and `.shape[1]`: another one raises an error at once, which says nothing of the tests."""
    if isinstance(node, ast.keyword):
        return node.arg in ("axis", "keepdims")
    return isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "shape"


def _changes(source: Source, node: ast.AST) -> Iterator[list[Edit]]:
    """Yield each way in which this node alone can be turned round."""
    if isinstance(node, ast.Compare):
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            old, *others = COMPARISONS[type(op)]
            yield from ([source.between(left, right, old, new)] for new in others)
    elif isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        pairs = zip(node.values, node.values[1:], strict=False)
        yield [source.between(left, right, old, new) for left, right in pairs]
    elif isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        yield [source.between(node.left, node.right, *SIGNS[type(node.op)])]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        sign = b"not " if isinstance(node.op, ast.Not) else b"-"
        if not isinstance(node.operand, ast.Constant):
            yield [(source.start(node), source.start(node) + len(sign), b"")]
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield [(source.start(node), source.end(node), str(node.value + 1).encode())]
    elif isinstance(node, ast.Call):
        yield from _changed_call(source, node)
    if isinstance(node, ast.If | ast.IfExp):
        yield from _always_and_never(source, node.test)
    if isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield from _always_and_never(source, condition)


def _always_and_never(source: Source, test: ast.expr) -> Iterator[list[Edit]]:
    if not any(isinstance(part, ast.NamedExpr) for part in ast.walk(test)):
        yield from ([(source.start(test), source.end(test), held)] for held in (b"True", b"False"))


def _changed_call(source: Source, call: ast.Call) -> Iterator[list[Edit]]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in NAMES:
        end = source.end(call.func)
        yield [(end - len(name), end, NAMES[name].encode())]
    if name == "order_by":
        for field in call.args:
            if isinstance(field, ast.Constant):
                turned = field.value[1:] if field.value.startswith("-") else f"-{field.value}"
                yield [(source.start(field), source.end(field), f'"{turned}"'.encode())]
    for keyword in call.keywords:
        lookup = next((one for one in LOOKUPS if (keyword.arg or "").endswith(one)), None)
        if lookup and keyword.arg:
            start = source.start(keyword)
            turned = keyword.arg.removesuffix(lookup) + LOOKUPS[lookup]
            yield [(start, start + len(keyword.arg), turned.encode())]
        elif isinstance(keyword.value, ast.Constant) and type(keyword.value.value) is bool:
            if _names_an_axis(keyword):
                continue
            value = keyword.value
            yield [(source.start(value), source.end(value), str(not value.value).encode())]


def _told(before: str, after: str) -> str:
    """Return the lines that differ, as a difference tells them."""
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in list(lines)[3:])


class Copy:
    """The working tree in a temporary folder, as Git sees it: without what it ignores."""

    def __enter__(self) -> Copy:
        self.folder = Path(tempfile.mkdtemp(prefix="winnow-mutants-"))
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0"):
            source = ROOT / os.fsdecode(name)
            if name and source.is_file():
                target = self.folder / os.fsdecode(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def tests_pass(self, tests: tuple[str, ...], seconds: float) -> bool:
        """Run one path of tests after the other; False where one fails, or all take longer than `seconds`."""
        end = time.monotonic() + seconds
        return all(self._pass(path, end - time.monotonic()) for path in tests)

    def _pass(self, path: str, seconds: float) -> bool:
        command = [sys.executable, "-m", "pytest", "-x", "-q", path]
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "TMPDIR": str(scratch),  # what tests leave behind goes with the copy
            # NB: two texts of one length, written within a second, would share their compiled file.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(seconds) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def survives(self, mutant: Mutant, tests: tuple[str, ...], seconds: float) -> bool:
        file = self.folder / mutant.module
        before = file.read_text("utf-8")
        file.write_text(mutant.text, "utf-8")
        try:
            return self.tests_pass(tests, seconds)
        finally:
            file.write_text(before, "utf-8")


def drawn(module: str, seed: int, count: int) -> list[Mutant]:
    """Return `count` mutants of a module, in the order of its lines."""
    every = mutants_of(module, (ROOT / module).read_text("utf-8"))
    picked = random.Random(f"{seed} {module}").sample(every, min(count, len(every)))
    return sorted(picked, key=lambda mutant: mutant.line)


def patience(copy: Copy, tests: tuple[str, ...]) -> float:
    """Return after how many seconds a mutant counts as noticed; a test that fails without one ends all."""
    started = time.perf_counter()
    if not copy.tests_pass(tests, 600):
        raise SystemExit(f"{' '.join(tests)}: a test fails without any change. Mend that first.")
    return 10 + PATIENCE * (time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="modules whose path holds this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10, help="mutants a module")
    parser.add_argument("--json", type=Path, help="where results are kept, and taken up again")
    parser.add_argument("--again", action="store_true", help="try the survivors of --json once more")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the copy goes where a job is stopped
    stored = options.json.read_text("utf-8") if options.json and options.json.exists() else "{}"
    known = {
        key: state for key, state in json.loads(stored).items() if state == "killed" or not options.again
    }
    states = []
    with Copy() as copy:
        for module in (module for module in NEAREST if options.only in module):
            seconds = 0.0
            for mutant in drawn(module, options.seed, options.count):
                if mutant.key not in known:
                    seconds = seconds or patience(copy, NEAREST[module])
                    survives = copy.survives(mutant, NEAREST[module], seconds)
                    known[mutant.key] = "survived" if survives else "killed"
                    if options.json:
                        options.json.write_text(json.dumps(known, indent=1), "utf-8")
                states.append(known[mutant.key])
                print(f"{states[-1]:8}  {mutant.module}:{mutant.line}", flush=True)
                if states[-1] == "survived":
                    print("    " + mutant.change.replace("\n", "\n    "), flush=True)
    print(f"{states.count('killed')} of {len(states)} killed, {states.count('survived')} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
