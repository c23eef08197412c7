"""The site's half of each task: how people read it, what its card shows, how answers come in and go out.

The other half is in `training.tasks`. A task has one file in each of the two folders, and a line in each
registry; a check at start looks that none here lacks its other half.
"""

from __future__ import annotations

from annotate.task_types.base import TaskType
from annotate.task_types.joint import JOINT
from annotate.task_types.multi import MULTI
from annotate.task_types.single import SINGLE
from annotate.task_types.span import FLAT_SPAN, OVERLAPPING_SPAN

__all__ = ["TASK_TYPES", "TaskType", "choices", "find", "first"]

# In the order in which a new project offers them.
TASK_TYPES: dict[str, TaskType] = {
    kind.task.key: kind for kind in (SINGLE, MULTI, FLAT_SPAN, OVERLAPPING_SPAN, JOINT)
}


def find(key: str) -> TaskType:
    """Return the site's half of a task; an unknown key is a `KeyError`, as rows hold known ones only."""
    return TASK_TYPES[key]


def choices() -> list[tuple[str, str]]:
    """Return each task's key and the name that people read."""
    return [(key, str(kind.name)) for key, kind in TASK_TYPES.items()]


def first() -> str:
    """Return the key of the task that a project has where nobody chose one."""
    return next(iter(TASK_TYPES))
