"""Any number of labels a document: each is switched on or off, and "none applies" is an answer."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from annotate.task_types.base import TaskType
from training.tasks import MULTI as TASK


class MultiLabelType(TaskType):
    task = TASK
    name = gettext_lazy("Any number of labels per document")
    too_few_labels = gettext_lazy("A project needs at least one label.")
    toggles = True
    separators = ("|", ";", ",")


MULTI = MultiLabelType()
