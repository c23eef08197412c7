"""One source of words for the page, the document and every link."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.template import Context, Template
from django.test import Client

from annotate.forms.projects import SettingsForm
from annotate.models import Project, User
from annotate.services.pages.glossary import TERMS

ROOT = Path(__file__).resolve().parents[3]
SignIn = Callable[[User], Client]
ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \|$", re.MULTILINE)
LINK = re.compile(r'{% term "([a-z0-9-]+)"')
ANCHOR = re.compile(r'href="/glossary/#([a-z0-9-]+)"')


def linked(client: Client, address: str) -> set[str]:
    """Return the keys of the words that a page explains."""
    response = client.get(address)
    assert response.status_code == 200
    return set(ANCHOR.findall(response.content.decode()))


def test_the_document_says_what_the_site_says() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert ROW.findall(text) == [(str(term.name), str(term.meaning)) for term in TERMS.values()]


def test_the_page_explains_every_word(sign_in: SignIn, annotator: User) -> None:
    html = sign_in(annotator).get("/glossary/").content.decode()
    shown = Template("{{ meaning }}")
    for key, term in TERMS.items():
        assert f'<dt id="{key}"' in html
        assert shown.render(Context({"meaning": term.meaning})) in html


def test_a_visitor_logs_in_first(client: Client, db: None) -> None:
    response = client.get("/glossary/")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/")


def test_every_word_that_a_template_or_the_settings_name_is_explained() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.html"))
    named = {
        *LINK.findall(templates),
        *(key for _title, _fields, words in SettingsForm.GROUPS for key in words),
    }
    assert len(named) > 20
    assert named - set(TERMS) == set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("", {"pool", "holdout"}),
        ("documents/", {"lane", "half", "decision"}),
        ("settings/", {"place", "card", "batch", "family", "version"}),
        ("runs/", {"run", "variant"}),
    ],
)
def test_words_are_explained_where_they_stand(
    page: str,
    words: set[str],
    project: Project,
    lead: User,
    sign_in: SignIn,
    add_documents: Callable[..., object],
) -> None:
    add_documents(project, "a text")
    assert linked(sign_in(lead), f"/projects/{project.slug}/{page}") >= words


def test_a_link_tells_the_meaning_and_shows_the_words_of_its_page() -> None:
    html = Template('{% load glossary %}{% term "lane" shown %}').render(Context({"shown": "<Lanes>"}))
    assert "&lt;Lanes&gt;</a>" in html
    assert 'href="/glossary/#lane"' in html
    assert "models learn from the pool" in html


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(KeyError):
        Template('{% load glossary %}{% term "nonsense" %}').render(Context())
