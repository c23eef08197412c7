"""The tasks: what an answer is, how scores become one, what is calibrated, tuned and measured.

A further task is one more file here, its twin in `annotate.task_types`, and a line in each registry.
"""

from __future__ import annotations

from training.tasks.multi import MULTI
from training.tasks.single import SINGLE
from training.types import Task, TrainingError

__all__ = ["MULTI", "SINGLE", "TASKS", "find"]

TASKS: dict[str, Task] = {task.key: task for task in (SINGLE, MULTI)}


def find(key: str) -> Task:
    """Return the task of a key; raises `TrainingError` naming those that exist."""
    if key not in TASKS:
        raise TrainingError(f"There is no task {key!r}; choose one of {', '.join(TASKS)}.")
    return TASKS[key]
