"""The site in every language: whole catalogues, and pages, exports and stored sentences that follow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import activate, ngettext, override

from annotate.models import Project, User
from annotate.services import sentences
from annotate.services.work.limits import SILENT_SECONDS
from bench.source import messages

pytestmark = pytest.mark.one_database

CATALOGUES = list(messages.catalogues())
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%[sd]\b|</?[a-z]+\b[^>]*>")
each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parent.parent.name)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """Django leaves the language of the last request in force."""
    yield
    activate(settings.LANGUAGE_CODE)


def _forms(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def _places(text: str) -> Counter[str]:
    return Counter(PLACE.findall(text))


def test_every_language_but_the_one_written_in_has_a_catalogue() -> None:
    written = {path.parent.parent.name for path in CATALOGUES}
    assert written == {code for code, _name in settings.LANGUAGES} - {settings.LANGUAGE_CODE}


@each_catalogue
def test_every_sentence_is_there_and_translated_in(path: Path) -> None:
    """`make messages` collects what is missing; CONTRIBUTING.md tells how it is translated."""
    catalogue = messages.read(path)
    said = messages.collect()
    assert len(said) > 1500
    known = {messages.key(entry) for entry in catalogue}
    assert said.keys() - known == set()
    assert known - said.keys() == set(), "No longer said."
    assert [entry.msgid for entry in messages.update(catalogue, said)] == []


@each_catalogue
def test_nothing_is_lost_on_the_way_to(path: Path) -> None:
    """A place that is missing loses a number, and one that is invented fails at a reader's page."""
    wrong = []
    for entry in messages.read(path):
        wanted = _places(entry.msgid_plural or entry.msgid)
        # A language of several plurals needs the number in each form; English leaves it out of "one".
        if any(form and _places(form) != wanted for form in _forms(entry)):
            wrong.append(entry.msgid)
    assert wrong == []


@each_catalogue
def test_every_plural_has_its_forms_in(path: Path) -> None:
    catalogue = messages.read(path)
    counting = [entry for entry in catalogue if entry.msgid_plural and any(_forms(entry))]
    assert len(counting) > 50
    assert [entry.msgid for entry in counting if not all(_forms(entry))] == []
    assert {len(entry.msgstr_plural) for entry in counting} == {3}


@each_catalogue
def test_what_is_compiled_is_what_is_written_in(path: Path) -> None:
    """A site reads the compiled file; `make messages` writes it."""
    assert path.with_suffix(".mo").read_bytes() == messages.read(path).to_binary()


def test_russian_counts_one_few_and_many() -> None:
    with override("ru"):
        told = [
            ngettext("%(n)d minute", "%(n)d minutes", n) % {"n": n} for n in (1, 2, 5, 11, 21, 22, 25, 111)
        ]
    assert told == [
        "1 минуту",
        "2 минуты",
        "5 минут",
        "11 минут",
        "21 минуту",
        "22 минуты",
        "25 минут",
        "111 минут",
    ]


def test_messages_are_found_in_templates_python_and_the_library() -> None:
    template = """{% load i18n %}{% translate "One" %}{% blocktranslate count n=x %}{{ n }} text{% plural %}
{{ n }} texts{% endblocktranslate %}{{ x|default:_("Two") }}{% translate "Six" context "a number" %}"""
    assert set(messages.of_template(template)) == {
        messages.Message("One"),
        messages.Message("%(n)s text", "\n%(n)s texts"),
        messages.Message("Two"),
        messages.Message("Six", context="a number"),
    }
    python = "_('Three ' 'four'); ngettext('a', 'b', n); unknown('Five')"
    assert set(messages.of_python(python)) == {messages.Message("Three four"), messages.Message("a", "b")}
    library = 'raise E(f"The file {path.name} has {len(rows)} rows.")\nx = "fragment of one"'
    assert list(messages.of_library(library)) == [messages.Message("The file {name} has {rows} rows.")]


def test_a_browser_decides_until_a_person_does(lead: User) -> None:
    """What is chosen on the account page goes with the account, into whichever browser."""
    client = Client(headers={"accept-language": "ru"})
    assert 'lang="ru"' in client.get(reverse("login")).text
    client.force_login(lead)
    page = client.get(reverse("account"))
    assert "Часовой пояс" in page.text
    assert page.headers["Content-Language"] == "ru"
    client.post(reverse("account"), {"language": "en", "time_zone": ""})
    assert "Time zone" in client.get(reverse("account")).text
    elsewhere = Client(headers={"accept-language": "ru"})
    elsewhere.post(reverse("login"), {"username": lead.username, "password": "correct horse battery"})
    page = elsewhere.get(reverse("account"))
    assert 'lang="en"' in page.text
    assert page.headers["Content-Language"] == "en"


def test_a_language_that_the_site_does_not_speak_counts_as_not_chosen(client: Client, lead: User) -> None:
    client.force_login(lead)
    refused = client.post(reverse("account"), {"language": "xx", "time_zone": ""})
    assert refused.status_code == 422
    User.objects.filter(pk=lead.pk).update(language="xx")
    assert 'lang="en"' in client.get(reverse("account")).text


def test_programs_are_answered_in_english(client: Client, db: None) -> None:
    answer = client.get("/api/v1/projects", headers={"accept-language": "ru", "authorization": "Bearer no"})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("This token is unknown")


def test_an_export_of_events_speaks_the_language_of_who_asked(
    lead: User, make_project: Callable[..., Project]
) -> None:
    """Its lines are written when the request is over, and with it the middleware."""
    User.objects.filter(pk=lead.pk).update(language="ru")
    project = make_project()
    client = Client()
    client.force_login(lead)
    client.post(reverse("project-labels-add", args=[project.slug]), {"labels": "violet"})
    lines = b"".join(client.get(reverse("project-events-csv", args=[project.slug])))  # type: ignore[arg-type]
    assert "lena: добавлена метка «violet»" in lines.decode()


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("", ""),
        ("fit", "обучение"),
        ("There is no candidate.", "Кандидатов нет."),
        ("a.csv is a ZIP archive; unpack it first.", "a.csv — архив ZIP; сначала распакуйте его."),
        ("Published by anton.", "Опубликовал(а) anton."),
        (
            "Version 2 cannot be published: The bundle at /b has no m.onnx.",
            "Версию 2 нельзя опубликовать: В пакете /b нет m.onnx.",
        ),
        (
            "Asking was stopped. The answer was empty.",
            "Запросы остановлены. Ответ пуст.",
        ),
        ("Nobody ever wrote this sentence.", "Nobody ever wrote this sentence."),
        # A file is called as it is, also by a word that the site says elsewhere.
        ("lena cancelled “fit”", "lena: отменено «fit»"),
        # Nothing but parts of one pattern: whoever tries each way to divide it never ends.
        (
            " is within noise of (macro-F1 against , and " * 100,
            " is within noise of (macro-F1 against , and " * 100,
        ),
    ],
)
def test_a_stored_sentence_is_read_in_the_language_of_its_reader(stored: str, shown: str) -> None:
    assert sentences.translated(stored) == stored
    with override("ru"):
        assert sentences.translated(stored) == shown


def test_every_stage_of_work_has_a_word() -> None:
    assert set(SILENT_SECONDS) - {""} <= set(sentences.STAGES)
