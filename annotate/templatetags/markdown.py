"""Guidelines in Markdown as HTML: the only code that lets HTML of a person's text onto a page.

What is written as HTML in the text is shown as text. What markdown-it makes of the rest is cleaned by nh3 to
a few tags: no image is loaded, and a link leads to the web or a mail address, in a page of its own.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import nh3
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

register = template.Library()

LONGEST = 100_000  # characters; a longer text, which takes seconds, is shown as it was written
BELOW = 2  # levels of headings that the page itself has
TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


class CleanHtml(str):
    """HTML that nh3 has cleaned; Django takes it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@register.filter
def markdown(text: str) -> SafeString:
    if len(text) > LONGEST:
        return format_html('<p class="text">{}</p>', text)
    return format_html("{}", _cleaned(text))


@lru_cache(maxsize=64)
def _cleaned(text: str) -> CleanHtml:
    return CleanHtml(
        nh3.clean(
            _READER.render(text),
            tags=TAGS,
            attributes={"a": {"href", "title"}, "ol": {"start"}},
            set_tag_attribute_values={"a": {"target": "_blank"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
    )


def _heading(
    _renderer: Any, tokens: Sequence[Token], i: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    level = min(6, int(tokens[i].tag[1:]) + BELOW)
    return f"<{'/' if tokens[i].nesting < 0 else ''}h{level}>"


def _image(
    _renderer: Any, tokens: Sequence[Token], i: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    """Link to a picture: to load it would tell another site who reads this, so the page may not."""
    address = str(tokens[i].attrs["src"])
    return f'<a href="{escapeHtml(address)}">{escapeHtml(tokens[i].content or address)}</a>'


def _reader() -> MarkdownIt:
    # Guidelines from before there was Markdown keep their lines.
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    for name, rule in (("heading_open", _heading), ("heading_close", _heading), ("image", _image)):
        reader.add_render_rule(name, rule)
    return reader


_READER = _reader()
