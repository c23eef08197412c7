"""What README and docs say exists: settings, commands, targets, files behind links and in the text."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from annotate.api import documents, predict
from annotate.api.base.pagination import Keyset
from annotate.models import Project
from annotate.models.work import SILENT_AFTER
from annotate.services.people import addresses, guessing
from annotate.services.versions import predictions
from annotate.views import middleware

ROOT = Path(__file__).resolve().parent.parent
OF_BUILDERS = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
READERS = {"env", "env_bool", "env_choice", "env_float", "env_int", "env_list", "env_networks"}
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \|", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
TARGET = re.compile(r"(?:`|\$ |^)make ([a-z]+)", re.MULTILINE)
COMMAND = re.compile(r"manage\.py ([a-z_]+)")
NAMED_PATH = re.compile(r"`((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|txt))`")
TESTED_PATH = re.compile(r"pytest\b.*? (tests/\S+)")


def read_settings() -> dict[str, object]:
    """Return each variable that the settings read, with its default where the code spells it out."""
    found: dict[str, object] = {}
    for name in ("settings.py", "environment.py"):
        for node in ast.walk(ast.parse((ROOT / "annotate" / name).read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in READERS):
                continue
            key, *default = node.args
            if isinstance(key, ast.Constant):
                constant = default and isinstance(default[0], ast.Constant)
                found[key.value] = default[0].value if constant else None  # type: ignore[attr-defined]
    return found


def shown_settings() -> dict[str, str]:
    return dict(ROW.findall((ROOT / "README.md").read_text(encoding="utf-8")))


def test_the_table_of_settings_is_what_the_code_reads() -> None:
    assert len(read_settings()) > 10
    assert set(shown_settings()) == set(read_settings())


def test_the_table_shows_the_defaults_of_the_code() -> None:
    shown = shown_settings()
    differing = {
        name: (shown[name], default)
        for name, default in read_settings().items()
        if default is not None and shown[name] != f"`{default}`"
    }
    assert differing == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_and_command_named_exists_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(TARGET.findall(text)) - targets == set()
    assert set(COMMAND.findall(text)) - set(get_commands()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_from(page: Path) -> None:
    links = [
        link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link
    ]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


def test_the_readme_names_commands_and_links_that_the_tests_can_see() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"demo", "install", "test"} <= set(TARGET.findall(text))
    assert {"demo", "up"} <= set(COMMAND.findall(text))
    assert len(LINK.findall(text)) > 3


NUMBERS = [
    ("README.md", "after {} more labels", Project._meta.get_field("retrain_after").default),
    ("docs/api.md", '`{{"texts": […]}}`, up to {:,};', predict.MAX_TEXTS),
    ("docs/api.md", '`"explain": true` (up to {:,} texts)', predict.MAX_EXPLAINED),
    ("docs/api.md", "up to {} n-grams that do not overlap", predictions.MOST_NGRAMS),
    ("docs/api.md", "up to {:,} documents;", documents.MAX_DOCUMENTS),
    ("docs/api.md", "`limit` is at most {:,}", Keyset.max_page_size),
    ("docs/api.md", "A body has at most {} MB", settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2),
    ("docs/security.md", "After {} for one account from one address", settings.AXES_FAILURE_LIMIT),
    ("docs/security.md", "{} from one address", guessing.OF_AN_ADDRESS * settings.AXES_FAILURE_LIMIT),
    ("docs/security.md", "{} for one account from all", guessing.OF_AN_ACCOUNT * settings.AXES_FAILURE_LIMIT),
    ("docs/security.md", "for {:.0f} minutes", settings.AXES_COOLOFF_TIME.total_seconds() / 60),
    ("docs/security.md", "a page takes {} MB", middleware.PAGE_BYTES // 1024**2),
    ("docs/security.md", "the API {} MB", settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2),
    ("docs/security.md", "its network of {} bits", addresses.NETWORK_BITS),
    ("docs/deployment.md", "was not seen for {:.0f} seconds", SILENT_AFTER.total_seconds()),
]


@pytest.mark.parametrize(("page", "sentence", "number"), NUMBERS, ids=lambda value: str(value)[:40])
def test_a_number_in_a_sentence_is_the_one_of_the_code(page: str, sentence: str, number: float) -> None:
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert sentence.format(number) in text


@pytest.mark.parametrize("page", OF_BUILDERS, ids=lambda page: page.name)
def test_every_path_that_is_named_is_there_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {*NAMED_PATH.findall(text), *TESTED_PATH.findall(text)}
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_picture_shows_every_room() -> None:
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'class="name"[^>]*>([a-z]+)</text>', picture))
    rooms = {
        path.parent.name
        for start in ("annotate/services", "training")
        for path in (ROOT / start).glob("*/__init__.py")
    }
    assert len(rooms) > 20
    assert rooms - drawn == set()
