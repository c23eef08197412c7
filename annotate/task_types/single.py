"""Exactly one label a document: one key saves, and the best label is suggested."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.task_types.base import TaskType
from training.tasks import SINGLE as TASK
from training.types import Answer


class SingleLabelType(TaskType):
    task = TASK
    name = gettext_lazy("One label per document")
    too_few_labels = gettext_lazy("A project with one label per document needs at least two labels.")
    toggles = False

    def fault(self, answer: Answer) -> str:
        if not self.task.fault(answer):
            return ""
        return _("A document of this project takes exactly one label; %(count)s are given.") % {
            "count": len(answer.labels)
        }

    def suggested(self, shown: Answer, offered: Collection[int]) -> Sequence[tuple[int, float | None]]:
        """Suggest the best label of those that are offered: the best of all may be archived meanwhile."""
        if decided := super().suggested(shown, offered):
            return decided[:1]
        return [(int(label), score) for label, score in shown.scores if label in offered][:1]


SINGLE = SingleLabelType()
