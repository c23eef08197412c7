"""How names of labels are written on the labelling page: where they may break, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from annotate.models import Annotation, Label
from annotate.services.pages import label_list
from annotate.services.pages.label_list import LabelGroup
from training.spans import place
from training.types import Answer

HUES = 8  # base.css has their colours
MOST_SPANS = 12  # that stand in one row

register = template.Library()


@register.filter
def breakable(name: str) -> SafeString:
    """Write a name that may go on in the next line after `_`, `-`, `/`, `.`, `:` and between camel humps."""
    first, *rest = label_list.parts(name)
    return format_html("{}{}", first, format_html_join("", "<wbr>{}", ((part,) for part in rest)))


@register.inclusion_tag("documents/_said.html", takes_context=True)
def said(context: Context, annotation: Annotation, text: str = "") -> dict[str, Any]:
    """Write what an answered annotation says: its labels, and its spans with their words in the text."""
    spans = sorted(annotation.spans.all(), key=lambda span: (span.start, span.end))
    told = [(text[span.start : span.end], span.label.name) for span in spans[:MOST_SPANS]]
    return {
        "names": [choice.label.name for choice in annotation.choices.all()],
        "spans": told,
        "more": len(spans) - len(told),
        "marks_text": context["project"].task_type.marks_text,
    }


@register.inclusion_tag("documents/_predicted_spans.html")
def predicted_spans(answer: Answer, text: str, labels: Mapping[int, str]) -> dict[str, Any]:
    """Write what a model would mark, in the order of the text, each with its score where it has one."""
    scores = [score for _label, score in answer.span_scores]
    scored = sorted(zip_longest(answer.spans, scores), key=lambda pair: place(pair[0]))
    told = [(labels.get(int(span.label), ""), text[span.start : span.end], score) for span, score in scored]
    return {"spans": told}


@register.filter
def hue(label: Label | int) -> int:
    """Return the colour of a label, or of one by its key; it keeps it, and its neighbours have others."""
    return (label if isinstance(label, int) else label.pk) % HUES


@register.simple_tag
def grouped(choices: Sequence[Any], is_wanted: bool) -> list[tuple[LabelGroup, list[tuple[Any, str]]]]:
    """Return each group of the choices with its choices, and with the rest of each name after its prefix."""
    names = [choice.label.name for choice in choices]
    rest = iter(choices)
    return [
        (group, [(choice, choice.label.name[len(group.prefix) :]) for choice in islice(rest, group.size)])
        for group in (label_list.groups(names) if is_wanted else [LabelGroup("", len(names))])
    ]


@register.filter
def columns(groups: Iterable[tuple[LabelGroup, list[tuple[Any, str]]]]) -> str:
    """Return the classes of the list that holds the choices of these groups."""
    return label_list.columns([rest for _group, choices in groups for _choice, rest in choices])
