"""How names of labels are written on the labelling page: where they may break, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from annotate.services.pages import label_list

register = template.Library()


@register.filter
def breakable(name: str) -> SafeString:
    """Write a name that may go on in the next line after `_`, `-`, `/`, `.`, `:` and between camel humps."""
    first, *rest = label_list.parts(name)
    return format_html("{}{}", first, format_html_join("", "<wbr>{}", ((part,) for part in rest)))


@register.filter
def columns(choices: Iterable[Any]) -> str:
    """Return the classes of the list that holds the choices."""
    return label_list.columns([choice.label.name for choice in choices])
