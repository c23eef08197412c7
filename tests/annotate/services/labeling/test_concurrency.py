"""Claims at the same moment, by threads of processes that share nothing but the database."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from annotate.models import Document, Project, User

ROOT = Path(__file__).resolve().parents[4]
PEOPLE = [["ada", "ben"], ["cleo", "dan"], ["eve", "finn"]]


def _shared_database(folder: Path) -> str:
    """Return the address of the test's data for other processes; SQLite's is in memory until it is copied."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        copy = sqlite3.connect(folder / "shared.sqlite3")
        connection.connection.backup(copy)
        copy.close()
        return f"sqlite:///{folder / 'shared.sqlite3'}"
    at = connection.settings_dict
    login = f"{quote(at['USER'])}:{quote(at['PASSWORD'])}@" if at["USER"] else ""
    return f"postgres://{login}{at['HOST']}:{at['PORT']}/{at['NAME']}"


def _label_together(project: Project, folder: Path, people: list[list[str]]) -> list[tuple[str, int]]:
    environ = {
        **os.environ,
        "DATABASE_URL": _shared_database(folder),
        "WINNOW_HOME": str(folder),
        "SECRET_KEY": "only for tests",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.loop.claims_driver", project.slug, *names],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
        )
        for names in people
    ]
    outputs = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    told: list[tuple[str, int]] = []
    for output in outputs:
        told += [(name, document) for name, documents in json.loads(output).items() for document in documents]
    return told


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wanted", [1, 2])
def test_processes_that_claim_at_once_get_each_place_once(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    wanted: int,
    tmp_path: Path,
) -> None:
    project = make_project(annotators_per_document=wanted, holdout_queue_share=0.0)
    documents = add_documents(project, *(f"text {number}" for number in range(70)))
    for name in sum(PEOPLE, []):
        User.objects.create(username=name)
    decided = _label_together(project, tmp_path, PEOPLE)
    assert max(Counter(decided).values()) == 1
    per_document = Counter(document for _name, document in decided)
    assert per_document == {document.pk: wanted for document in documents}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 1)])
def test_another_number_of_annotators_holds_while_people_label(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    before: int,
    after: int,
    tmp_path: Path,
) -> None:
    project = make_project(annotators_per_document=before, holdout_queue_share=0.0)
    documents = add_documents(project, *(f"text {number}" for number in range(70)))
    for name in sum(PEOPLE, []):
        User.objects.create(username=name)
    # Everybody saves the settings, so that it is early also where a process starts late.
    people = [[f"{name}={after}" for name in names] for names in PEOPLE]
    decided = _label_together(project, tmp_path, people)
    assert max(Counter(decided).values()) == 1
    per_document = Counter(document for _name, document in decided)
    assert set(per_document) == {document.pk for document in documents}
    if before < after:
        assert set(per_document.values()) == {after}
    else:
        # What was decided on or leased before stays; hardly anything is asked of more people afterwards.
        assert max(per_document.values()) <= before
        assert list(per_document.values()).count(after) > len(documents) / 2
