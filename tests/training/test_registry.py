"""What the registry refuses when an entry is made, and that importing it loads none of what it names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from training import registry
from training.registry import FAMILIES, STRATEGIES, Entry, Family, Option, table
from training.types import Task, TrainingError

ROOT = Path(registry.__file__).parents[1]
WORDS = ("words", "Whole words")


def family(key: str = "toy", title: str = "Toy", path: str = "nowhere:Toy", **traits: Any) -> Family:
    return Family(key, title, path, **{"help": "It is a toy."} | traits)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"title": " "}, "'toy' has no title"),
        ({"key": "a toy"}, "'a toy' cannot be a key"),
        ({"path": "nowhere.Toy"}, "'toy' has the path 'nowhere.Toy'; write package.module:name"),
        ({"help": ""}, "'toy' has no help"),
        ({"takes_encoder": True}, "'toy' reads no vectors, so no encoder can be chosen"),
        ({"options": (Option("head", "Head", (WORDS,)),) * 2}, "'toy' has an option twice: head, head"),
    ],
)
def test_a_family_that_lacks_something_is_refused_when_it_is_made(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        family(**fields)


@pytest.mark.parametrize(
    ("title", "choices", "sentence"),
    [
        ("", (WORDS,), "The option 'counted' has no title"),
        ("Counted", (), "'counted' has no choices"),
        ("Counted", (("words", ""),), "The choice 'words' of the option 'counted' has no title"),
        ("Counted", (WORDS, WORDS), "'counted' has the same choice twice"),
    ],
)
def test_an_option_that_no_form_could_show_is_refused(
    title: str, choices: tuple[tuple[str, str], ...], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        Option("counted", title, choices)


def test_two_entries_of_one_key_are_refused() -> None:
    with pytest.raises(TrainingError, match="'Toy' and 'Other toy' both have the key 'toy'"):
        table(family(), family(title="Other toy"))


def test_each_entry_stands_under_its_own_key() -> None:
    entries: list[tuple[str, Entry]] = [*FAMILIES.items(), *STRATEGIES.items()]
    assert [key for key, _ in entries] == [entry.key for _, entry in entries]


def test_a_new_project_of_any_task_trains_something_by_itself(task: Task) -> None:
    assert any(one.is_automatic and one.suits(task) for one in FAMILIES.values())


def test_the_runs_follow_the_places_and_equal_places_the_keys() -> None:
    some = (family("c"), family("d", place=2), family("b"), family("a", place=1))
    with mock.patch.dict(FAMILIES, {one.key: one for one in some}, clear=True):
        assert [one.key for one in registry.families_in_order()] == ["a", "d", "b", "c"]


def test_importing_the_registry_loads_nothing_that_it_names() -> None:
    script = "import json, sys; import training.registry; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    assert "training.registry" in loaded
    named = [entry.path.partition(":")[0] for entry in (*FAMILIES.values(), *STRATEGIES.values())]
    assert set(named).isdisjoint(loaded)
