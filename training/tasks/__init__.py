"""The tasks: what an answer is, how scores become one, what is calibrated, tuned and measured.

A further task is one more file here, its twin in `annotate.task_types`, and a line in each registry.
"""

from __future__ import annotations

from training.tasks.joint import JOINT
from training.tasks.multi import MULTI
from training.tasks.single import SINGLE
from training.tasks.span import OVERLAPPING_SPAN, SPAN
from training.types import DocumentTask, Task, TrainingError

__all__ = ["JOINT", "MULTI", "OVERLAPPING_SPAN", "SINGLE", "SPAN", "TASKS", "find", "find_for_documents"]

TASKS: dict[str, Task] = {task.key: task for task in (SINGLE, MULTI, SPAN, OVERLAPPING_SPAN, JOINT)}


def find(key: str) -> Task:
    """Return the task of a key; raises `TrainingError` naming those that exist."""
    if key not in TASKS:
        raise TrainingError(f"There is no task {key!r}; choose one of {', '.join(TASKS)}.")
    return TASKS[key]


def find_for_documents(key: str) -> DocumentTask:
    """Return the task of a key; raises `TrainingError` for one whose labels do not stand for documents."""
    task = find(key)
    if not isinstance(task, DocumentTask):
        raise TrainingError(f"The task {key!r} has no labels of whole documents.")
    return task
