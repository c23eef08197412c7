"""What each task answers for the site, and that no task goes without its twin."""

from __future__ import annotations

from unittest import mock

import pytest
from django.core.checks import run_checks
from django.http import QueryDict

from annotate import task_types
from annotate.models import Project
from annotate.task_types import TASK_TYPES, TaskType
from annotate.task_types.multi import MULTI
from annotate.task_types.single import SINGLE
from training import tasks
from training.tasks import TASKS
from training.types import Answer

OF_TEXTS = {key: kind for key, kind in TASK_TYPES.items() if not kind.marks_text}
KINDS = pytest.mark.parametrize("kind", OF_TEXTS.values(), ids=OF_TEXTS)


def faults() -> list[str]:
    return [found.msg for found in run_checks() if found.id == "annotate.E012"]


def test_every_task_of_the_site_has_its_half_in_the_library() -> None:
    assert faults() == []
    with mock.patch.dict(TASKS):  # which gives it back in its order
        del TASKS["single"]
        assert faults() == [
            "The task “single” has one half only: it is not in the registry of training/tasks/__init__.py."
        ]


def test_a_twin_of_another_object_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "single", type(tasks.SINGLE)())
    assert faults() == ["The task “single” of the site is another object than that of training.tasks."]


def test_a_project_offers_the_tasks_of_the_registry() -> None:
    field = Project._meta.get_field("task")
    assert list(field.choices or ()) == task_types.choices()
    assert field.get_default() == "single"
    with mock.patch.dict(TASK_TYPES):
        del TASK_TYPES["multi"]
        assert "multi" not in dict(field.choices or ())


@KINDS
def test_the_likeliest_begin_with_what_is_suggested_and_keep_the_order_of_equal_scores(
    kind: TaskType,
) -> None:
    shown = Answer((4,), scores=((2, 0.5), (1, 0.5), (3, 0.5), (4, 0.2)))
    assert kind.likeliest(shown, [1, 2, 3, 4]) == [(4, 0.2), (2, 0.5), (1, 0.5), (3, 0.5)]
    assert kind.likeliest(shown, [1, 3]) == [(1, 0.5), (3, 0.5)]


@KINDS
def test_what_a_cell_says_is_what_the_export_writes(kind: TaskType) -> None:
    answer = Answer(("red",)) if not kind.separators else Answer(("red", "deep blue"))
    cell = kind.write_cell(answer)
    assert kind.read_cell(cell, next(iter(kind.separators), "")) == answer


def test_a_cell_is_one_label_unless_something_separates_several() -> None:
    assert SINGLE.read_cell("red | blue", "") == Answer(("red | blue",))
    assert MULTI.read_cell(" red | blue |", "|") == Answer(("red", "blue"))
    assert MULTI.read_cell(["red", None, 7], "|") == Answer(("red", "7"))
    assert MULTI.read_cell(None, "") == MULTI.read_cell(None, "|") == Answer()


@KINDS
def test_a_form_gives_each_label_once(kind: TaskType) -> None:
    assert kind.read_form(QueryDict("labels=3&labels=1&labels=3&outcome=answered")) == Answer((3, 1))
    assert kind.read_form(QueryDict("outcome=skipped")) == Answer()
    with pytest.raises(ValueError, match="invalid literal"):
        kind.read_form(QueryDict("labels=red"))


def test_only_where_none_may_apply_is_no_label_an_answer() -> None:
    assert MULTI.may_be_empty
    assert not MULTI.fault(Answer())
    assert not SINGLE.may_be_empty
    assert SINGLE.fault(Answer()) == "A document of this project takes exactly one label; 0 are given."
    assert SINGLE.fault(Answer((1, 2))) == "A document of this project takes exactly one label; 2 are given."
    assert not SINGLE.fault(Answer((1,)))


def test_a_suggestion_is_what_was_decided_the_best_first() -> None:
    shown = Answer((1, 2, 4), scores=((2, 0.9), (1, 0.6), (3, 0.4)))
    assert list(MULTI.suggested(shown, {1, 2, 3, 4})) == [(2, 0.9), (1, 0.6), (4, None)]
    assert list(MULTI.suggested(shown, {3})) == []


def test_the_one_suggestion_is_the_best_label_that_can_still_be_chosen() -> None:
    shown = Answer((2,), scores=((2, 0.9), (1, 0.06), (3, 0.04)))
    assert list(SINGLE.suggested(shown, {1, 2, 3})) == [(2, 0.9)]
    assert list(SINGLE.suggested(shown, {1, 3})) == [(1, 0.06)]
    assert list(SINGLE.suggested(Answer((1,)), {1, 2})) == [(1, None)]
    assert list(SINGLE.suggested(Answer((1,)), {2})) == []
