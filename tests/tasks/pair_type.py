"""The site's half of the task of exactly two labels a document."""

from __future__ import annotations

from annotate.task_types import TaskType
from tests.tasks.pair import PAIR as TASK


class PairType(TaskType):
    task = TASK
    name = "Exactly two labels per document"
    too_few_labels = "A project with two labels per document needs at least three labels."
    toggles = True
    separators = ("|", "&")


PAIR = PairType()
