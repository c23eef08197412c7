"""Sentences for people that are not wrapped for translation, looked for in templates, Python and scripts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "annotate" / "static").rglob("*.js"))
# The API, commands and the parts that write logs alone speak English.
SPEAKING = ("forms", "models", "services", "task_types", "templatetags", "views")
MODULES = [path for room in SPEAKING for path in sorted((ROOT / "annotate" / room).rglob("*.py"))]

WORD = re.compile(r"[A-Za-z]{2,}")
SHOWN = ("title", "aria-label", "aria-description", "placeholder", "alt")
# Words of templates that are the same in every language.
NAMES = {"Winnow", "INT", "FP"}
# A name with a capital in a tag's quotes, as in {% term "gold" "Gold" %}; `_("Gold")` is wrapped.
QUOTED = re.compile(r"(?<!_\()(?<=[\s=:])([\"'])([A-Z][a-z]+[^\"']*)\1")
# Blocks of the frame that stand inside of a tag: classes and the like.
OF_TAGS = {"block main_class", "block viewport", "block body_attributes"}
WRAPPERS = ("translate", "trans", "blocktranslate", "blocktrans")

SENTENCE = re.compile(r"[A-Z][a-z]*\b[^<>]*?(?:[a-z]{2,}[ ,:;]+){2,}[^<>]*", re.DOTALL)
GETTEXTS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "format_lazy"}
# What reads a log, and what a programmer reads.
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
FAULTS = {"AssertionError", "KeyError", "NotImplementedError", "RuntimeError", "TypeError", "ValueError"}
IN_A_SCRIPT = re.compile(r"([\"'`])([A-Z][a-z]*(?: [a-z]+){2,}[^\"'`]*)\1")

# The demo's projects are in the language of their texts; the rest is read in a terminal or a log.
ENGLISH = {
    "views/metrics.py",  # read by Prometheus
    "services/demo/oracle.py",
    "services/demo/seed.py",
    "services/demo/texts.py",
    "services/work/watch.py",
}


class TextOfTemplate(HTMLParser):
    """The words of a template that stand outside its tags, and in the attributes that people see or hear."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code", "kbd")
        self.said += [value or "" for name, value in attrs if name in SHOWN]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code", "kbd")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def unwrapped_in_template(text: str) -> list[str]:
    """Return the texts of a template that no tag translates."""
    markup, found, inside = "", [], ""
    for token in Lexer(text).tokenize():
        name = token.contents.split(" ", 1)[0] if token.token_type == TokenType.BLOCK else ""
        if inside:
            inside = "" if name == f"end{inside}" else inside
        elif token.contents in OF_TAGS:
            inside = "block"
        elif name in ("blocktranslate", "blocktrans", "comment"):
            inside = name
        elif token.token_type == TokenType.TEXT:
            markup += token.contents
        elif token.token_type in (TokenType.VAR, TokenType.BLOCK) and name not in WRAPPERS:
            found += [words for _quote, words in QUOTED.findall(token.contents)]
    said = [" ".join(words.split()) for words in TextOfTemplate(markup).said]
    return found + [words for words in said if set(WORD.findall(words)) - NAMES]


def unwrapped_in_module(text: str) -> Iterator[str]:
    """Yield what looks like a sentence for people and stands in no call of gettext."""
    yield from _sentences(ast.parse(text))


def _sentences(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _name(node.func) in GETTEXTS | LOGS | FAULTS:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Constant | ast.JoinedStr):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        if SENTENCE.fullmatch(words) and not words.isupper():
            yield words
        return
    for child in ast.iter_child_nodes(node):
        yield from _sentences(child)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_the_search_finds_what_it_looks_for() -> None:
    template = """{% load i18n %}<p title="Bare title">{{ name }} is bare</p>{% term "gold" "Gold" %}
{% blocktranslate %}Wrapped text{% endblocktranslate %}<a aria-label="{% translate 'Wrapped' %}">x</a>
{% include "Wrapped.html" with word=_("Wrapped") %}{# Bare comment #}"""
    assert unwrapped_in_template(template) == ["Gold", "Wrapped.html", "Bare title", "is bare"]
    module = '''"""The docstring of it."""
a = _("This one is wrapped.")
logger.info("This one is logged only.")
b = f"This {one} is bare, and for people."
c = "key-of-something"'''
    assert list(unwrapped_in_module(module)) == ["This {} is bare, and for people."]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_word_is_wrapped_in(path: Path) -> None:
    assert unwrapped_in_template(path.read_text(encoding="utf-8")) == []


def test_every_sentence_of_the_site_is_wrapped() -> None:
    """What is English on purpose is named, and nothing is named that is gone."""
    assert len(MODULES) > 100
    found = {
        path.relative_to(ROOT / "annotate").as_posix(): said
        for path in MODULES
        if (said := list(unwrapped_in_module(path.read_text(encoding="utf-8"))))
    }
    assert {module: said for module, said in found.items() if module not in ENGLISH} == {}
    assert set(found) == ENGLISH


def test_scripts_get_their_sentences_from_the_page() -> None:
    assert len(SCRIPTS) > 10
    found = {
        words for path in SCRIPTS for _quote, words in IN_A_SCRIPT.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set()
