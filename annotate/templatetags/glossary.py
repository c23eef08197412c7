"""A word as a link to its meaning, which shows when the pointer rests on it."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotate.services.pages.glossary import TERMS

register = template.Library()


@register.simple_tag
def term(key: str, shown: str = "") -> SafeString:
    """Write the word of a key of the glossary, or `shown` in its place. An unknown key raises `KeyError`."""
    found = TERMS[key]
    return format_html(
        '<a class="term" href="{}#{}" title="{}">{}</a>',
        reverse("glossary"),
        key,
        found.meaning,
        shown or found.name,
    )
