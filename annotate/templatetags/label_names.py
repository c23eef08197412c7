"""How names of labels are written on the labelling page: where they may break, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from annotate.models import Label
from annotate.services.pages import label_list
from annotate.services.pages.label_list import LabelGroup

HUES = 8  # base.css has their colours

register = template.Library()


@register.filter
def breakable(name: str) -> SafeString:
    """Write a name that may go on in the next line after `_`, `-`, `/`, `.`, `:` and between camel humps."""
    first, *rest = label_list.parts(name)
    return format_html("{}{}", first, format_html_join("", "<wbr>{}", ((part,) for part in rest)))


@register.filter
def hue(label: Label) -> int:
    """Return the colour of a label: it keeps it whatever stands beside it, and its neighbours have others."""
    return label.pk % HUES


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
