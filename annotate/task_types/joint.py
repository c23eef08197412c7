"""Labels of the whole document and pieces of its text with labels of their own: both on one card."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.task_types.base import TaskType
from annotate.task_types.multi import MULTI
from annotate.task_types.span import FLAT_SPAN
from training.storable import DECODER
from training.tasks import JOINT as TASK
from training.types import Answer, Json


class JointType(TaskType):
    """Each half is read and written as the task does that has it alone; a label belongs to one half."""

    task = TASK
    name = gettext_lazy("Labels of the document, and pieces of its text (spans)")
    too_few_labels = gettext_lazy(
        "A project of labels and spans needs a label of documents and a label of spans."
    )
    figure = gettext_lazy("joint F1")
    figure_term = "joint-f1"
    few = FLAT_SPAN.few
    toggles = True
    marks_text = True
    has_kinds = True
    text_part = FLAT_SPAN.text_part
    choices_part = FLAT_SPAN.choices_part
    suggestion_part = FLAT_SPAN.suggestion_part
    keys_part = FLAT_SPAN.keys_part
    figures_part = "versions/_joint_figures.html"
    answer_part = FLAT_SPAN.answer_part
    separators = MULTI.separators

    def text_fault(self, answer: Answer, text: str) -> str:
        return self.task.text_fault(answer, text)

    def kind_fault(self, answer: Answer, of_spans: Collection[str | int]) -> str:
        if any(label in of_spans for label in answer.labels):
            return _("A label of pieces of the text is given to the whole document.")
        if any(span.label not in of_spans for span in answer.spans):
            return _("A label of whole documents is given to a piece of the text.")
        return ""

    def read_form(self, sent: QueryDict) -> Answer:
        return Answer(MULTI.read_form(sent).labels, FLAT_SPAN.read_form(sent).spans)

    def form_fault(self, sent: QueryDict, answer: Answer) -> str:
        is_none, is_empty = sent.get("none") == "1", answer == Answer()
        if is_none and not is_empty:
            return _("Something was chosen or marked, and “Nothing here” was pressed. Do one or the other.")
        if not is_none and is_empty:
            return _(
                "Nothing was chosen or marked, so nothing was kept. Choose or mark something, or press "
                "“Nothing here”."
            )
        return ""

    def proposal(self, shown: Answer, offered: Collection[int]) -> Answer:
        return Answer(super().proposal(shown, offered).labels, FLAT_SPAN.proposal(shown, offered).spans)

    def read_cell(self, value: Any, separator: str) -> Answer:
        """Return the answer of an object with labels and spans, or its JSON; else of a cell with labels."""
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = DECODER.decode(value)
            except (ValueError, RecursionError) as error:
                raise ValueError(_("The answer is no object in JSON.")) from error
        if isinstance(value, dict):
            return self.read_columns(value, separator)
        return MULTI.read_cell(value, separator)

    def parsed(self, written: Json) -> Answer:
        return self.read_cell(written or {}, "")

    def write(self, answer: Answer) -> Json:
        return {"labels": MULTI.write(answer), "spans": FLAT_SPAN.write(answer)}

    def write_cell(self, answer: Answer) -> str:
        return "" if answer == Answer() else json.dumps(self.write(answer), ensure_ascii=False)

    @property
    def answer_columns(self) -> tuple[str, ...]:
        return ("labels", "spans")

    def in_columns(self, answer: Answer) -> dict[str, Json]:
        return dict(self.write(answer))

    def read_columns(self, cells: Mapping[str, Any], separator: str) -> Answer:
        labels = MULTI.read_cell(cells.get("labels"), separator).labels
        return Answer(labels, FLAT_SPAN.read_cell(cells.get("spans"), "").spans)

    def cells(self, answer: Answer) -> dict[str, str]:
        return {"labels": MULTI.write_cell(answer), "spans": FLAT_SPAN.write_cell(answer)}


JOINT = JointType()
