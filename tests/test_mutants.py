"""The script that looks for rules without a test: its own rules, and the files that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.source.mutants import NEAREST, ROOT, drawn, mutants_of


def changes(line: str) -> set[str]:
    """Return what becomes of one line, without the line itself."""
    found = mutants_of("a.py", f"def rule(a, b, c):\n    {line}\n")
    return {mutant.change.split("\n+ ")[1] for mutant in found}


@pytest.mark.parametrize("module", NEAREST)
def test_every_module_has_rules_and_nearest_tests(module: str) -> None:
    assert drawn(module, seed=0, count=10)
    for test in NEAREST[module]:
        assert (ROOT / test).exists(), f"Name the tests that stand nearest to {module} now."


@pytest.mark.parametrize(
    ("line", "turned"),
    [
        ("return a < b", {"return a <= b", "return a >= b"}),
        ("return a == b", {"return a != b"}),
        ("return a not in b", {"return a in b"}),
        ("return a is None", {"return a is not None"}),
        ("return a and b and c", {"return a or b or c"}),
        ("return not a", {"return a"}),
        ("return a - b", {"return a + b"}),
        ("return a.argsort(-b)", {"return a.argsort(b)"}),
        ("return a[0]", {"return a[1]"}),
        ("return min(a, b)", {"return max(a, b)"}),
        ("return a.filter(b__lt=c)", {"return a.exclude(b__lt=c)", "return a.filter(b__gte=c)"}),
        ('return a.order_by("-pk")', {'return a.order_by("pk")'}),
        ("return sorted(a, reverse=True)", {"return sorted(a, reverse=False)"}),
        ("return a if b else c", {"return a if True else c", "return a if False else c"}),
        ("return [x for x in a if x]", {"return [x for x in a if True]", "return [x for x in a if False]"}),
    ],
)
def test_one_thing_is_turned_round_at_a_time(line: str, turned: set[str]) -> None:
    assert changes(line) == turned


@pytest.mark.parametrize(
    "line", ['raise ValueError(a + "!")', "assert a is None", "a: int | None", "a.sum(axis=1)"]
)
def test_sentences_types_and_axes_are_no_rules(line: str) -> None:
    assert changes(line) == set()


def test_the_same_seed_draws_the_same_mutants_in_the_order_of_their_lines() -> None:
    module = next(iter(NEAREST))
    before = (ROOT / Path(module)).read_text("utf-8")
    found = drawn(module, seed=1, count=8)
    assert found == drawn(module, seed=1, count=8) != drawn(module, seed=2, count=8)
    assert [mutant.line for mutant in found] == sorted(mutant.line for mutant in found)
    assert all(mutant.text != before for mutant in found)
