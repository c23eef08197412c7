"""Labelled pieces of the text: people mark them, and "nothing here" is an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.task_types.base import TaskType
from training.records.spans import objects
from training.storable import DECODER
from training.tasks import span as tasks
from training.types import Answer, Json, Span

LAST = 2**31 - 1  # the greatest place that a database keeps
MOST_SPANS = 10_000  # of one text; a page that sends more has gone wrong


class SpanType(TaskType):
    """What a page or a file says of spans is (start, end, label), in Unicode code points."""

    task: ClassVar[tasks.SpanTask]
    too_few_labels = gettext_lazy("A project needs at least one label.")
    figure = gettext_lazy("entity F1")
    figure_term = "entity-f1"
    few = gettext_lazy("few spans")
    toggles = True
    marks_text = True
    text_part = "labeling/_span_text.html"
    choices_part = "labeling/_span_choices.html"
    suggestion_part = "labeling/_span_suggestion.html"
    keys_part = "labeling/_span_keys.html"
    figures_part = "versions/_span_figures.html"
    answer_part = "documents/_span_answer.html"

    @property
    def overlaps(self) -> bool:
        return self.task.overlaps

    def text_fault(self, answer: Answer, text: str) -> str:
        return self.task.text_fault(answer, text)

    def read_form(self, sent: QueryDict) -> Answer:
        """Return what the page's script sends as JSON, or what was ticked, each as `start-end-label`."""
        if ticked := sent.getlist("marked"):
            return Answer(spans=_sent([list(map(int, text.split("-"))) for text in ticked]))
        try:
            return Answer(spans=_sent(DECODER.decode(sent.get("spans") or "[]")))
        except RecursionError as error:
            raise ValueError("The spans lie too deep.") from error

    def form_fault(self, sent: QueryDict, answer: Answer) -> str:
        is_none = sent.get("none") == "1"
        if is_none and answer.spans:
            return _("Spans were marked, and “Nothing here” was pressed. Do one or the other.")
        if not is_none and not answer.spans:
            return _("Nothing was marked, so nothing was kept. Mark something, or press “Nothing here”.")
        return ""

    def suggested(self, shown: Answer, offered: Collection[int]) -> Sequence[tuple[int, float | None]]:
        """Suggest no label of the whole text; what is suggested of its pieces is in `suggested_spans`."""
        return []

    def proposal(self, shown: Answer, offered: Collection[int]) -> Answer:
        return Answer(spans=tuple(span for span in shown.spans if span.label in offered))

    def read_cell(self, value: Any, separator: str) -> Answer:
        """Return the answer, in names as they are spelled, that a list of spans gives, or its JSON.

        Each is a list of start, end and label, or an object with such names. Raises `ValueError`, with a
        sentence.
        """
        if isinstance(value, str) and value.strip():
            try:
                value = DECODER.decode(value)
            except (ValueError, RecursionError) as error:
                raise ValueError(_("The spans are no list in JSON.")) from error
        items = value or []
        _refuse_other_than_list(items)
        found = objects.from_object({"text": "", "spans": items})
        if found.faults:
            raise ValueError(found.faults[0])
        return Answer(spans=tuple(dict.fromkeys(found.spans)))

    def write_cell(self, answer: Answer) -> str:
        return json.dumps(self.write(answer), ensure_ascii=False) if answer.spans else ""

    def parsed(self, written: Json) -> Answer:
        return self.read_cell(written, "")

    def write(self, answer: Answer) -> Json:
        return [{"start": span.start, "end": span.end, "label": span.label} for span in answer.spans]


def _refuse_other_than_list(items: Json) -> None:
    if not isinstance(items, list) or len(items) > MOST_SPANS:
        raise ValueError(_("Spans come as a list of at most %(most)s.") % {"most": f"{MOST_SPANS:,}"})


def _sent(items: Json) -> tuple[Span, ...]:
    """Return the spans that a page sends: start, end and key of a label; `ValueError` for anything else."""
    _refuse_other_than_list(items)
    for item in items:
        if not isinstance(item, list) or [type(part) for part in item] != [int, int, int]:
            raise ValueError(_("A span is a start, an end and a label."))
        if not all(0 <= part <= LAST for part in item[:2]):
            raise ValueError(_("A span starts and ends within its text."))
    return tuple(dict.fromkeys(Span(*item) for item in items))


class FlatSpanType(SpanType):
    task = tasks.SPAN
    name: ClassVar[str | Promise] = gettext_lazy("Pieces of the text (spans), beside each other")


class OverlappingSpanType(SpanType):
    task = tasks.OVERLAPPING_SPAN
    name: ClassVar[str | Promise] = gettext_lazy("Pieces of the text (spans), which may overlap")


FLAT_SPAN = FlatSpanType()
OVERLAPPING_SPAN = OverlappingSpanType()
