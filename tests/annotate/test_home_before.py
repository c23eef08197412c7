"""A home that commit 135c32a left, with work in flight, opens and goes on; `tests/homes/make.py` made it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import Client
from django.utils import timezone

from annotate import tasks
from annotate.celery import app
from annotate.models import (
    Annotation,
    Assignment,
    Card,
    Document,
    Embedding,
    Import,
    Label,
    ModelVersion,
    Prediction,
    Project,
    TrainingRun,
    User,
)
from annotate.services.corpus import vector_store
from annotate.services.versions import predictions
from annotate.settings import SQLITE_OPTIONS
from tests.annotate.made.fakes import HashEmbedder

pytestmark = pytest.mark.one_database

OLD = Path(__file__).resolve().parent.parent / "homes" / "135c32a"
OLD_STATE = ("annotate", "0008")
EXPECTED: dict[str, Any] = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))
BEFORE = {"HTTP_AUTHORIZATION": f"Bearer {EXPECTED['secret']}"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """Load the old database into a file and migrate it, once for all tests here."""
    file = tmp_path_factory.mktemp("home") / "winnow.sqlite3"
    with sqlite3.connect(file) as database:
        database.executescript((OLD / "database.sql").read_text(encoding="utf-8"))
    database.close()
    with django_db_blocker.unblock(), _connected_to(file):
        call_command("migrate", verbosity=0)
    return file


@pytest.fixture
def home(
    migrated: Path,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
) -> Iterator[Path]:
    """A copy of the home for one test; messages are worked on at once, as by a worker that is free."""
    shutil.copy(migrated, tmp_path / "winnow.sqlite3")
    for folder in ("bundles", "uploads"):
        shutil.copytree(OLD / folder, tmp_path / folder)
    settings.BUNDLE_ROOT, settings.MEDIA_ROOT = tmp_path / "bundles", tmp_path / "uploads"
    settings.ENCODER_ROOT, settings.SCRATCH_ROOT = tmp_path / "encoders", tmp_path / "scratch"
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    # The old home's encoder is one of eight numbers a text, of which only the vectors are kept.
    encoder = vector_store.SiteEmbedder(HashEmbedder(), vector_store.DatabaseStore())
    monkeypatch.setattr(vector_store, "embedder", lambda name="": encoder)
    predictions.CACHE.clear()
    cache.clear()
    with django_db_blocker.unblock(), _connected_to(tmp_path / "winnow.sqlite3"):
        yield tmp_path
    app.conf.task_always_eager = app.conf.task_eager_propagates = False
    cache.clear()


class _connected_to:
    """Within it, `default` is an SQLite file, in the threads of the code under test as well.

    The test database is neither closed nor touched: an SQLite one in memory would be gone.
    """

    def __init__(self, file: Path) -> None:
        self.wanted = {
            **connections.settings["default"],
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(file),
            "OPTIONS": SQLITE_OPTIONS,
            "CONN_MAX_AGE": 0,
        }

    def __enter__(self) -> None:
        self.settings, self.connection = connections.settings["default"], connections["default"]
        connections.settings["default"] = self.wanted
        connections["default"] = DatabaseWrapper(self.wanted, "default")

    def __exit__(self, *_: object) -> None:
        connections["default"].close()
        connections.settings["default"], connections["default"] = self.settings, self.connection


def signed_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def rows_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the site's own tables; JSON is read, so that its spaces do not count."""
    database = sqlite3.connect(file)
    database.row_factory = sqlite3.Row
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'annotate_%'"
    )
    found = {
        table: [
            {name: _read(row[name]) for name in row.keys()}  # noqa: SIM118 (a row iterates its values)
            for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")
        ]
        for (table,) in tables.fetchall()
    }
    database.close()
    return found


def _read(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


@pytest.fixture(scope="module")
def old_rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    file = tmp_path_factory.mktemp("old") / "winnow.sqlite3"
    with sqlite3.connect(file) as database:
        database.executescript((OLD / "database.sql").read_text(encoding="utf-8"))
    database.close()
    return rows_of(file)


def test_no_row_is_lost(home: Path, old_rows: dict[str, list[dict[str, Any]]]) -> None:
    new = rows_of(home / "winnow.sqlite3")
    kept = {table: len(new[table]) for table in old_rows if table in new}
    assert kept == {table: len(rows) for table, rows in old_rows.items() if table in new}
    assert min(kept[table] for table in ("annotate_card", "annotate_decision", "annotate_embedding")) > 50


def _made_anew(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the way back cannot know: a margin, which nothing read, is made of the scores."""
    if table != "annotate_prediction":
        return {}
    (_, best), (_, second), *_ = row["scores"]
    return {"margin": pytest.approx(best - second)}


def test_back_and_forth_changes_nothing(
    home: Path, migrated: Path, old_rows: dict[str, list[dict[str, Any]]]
) -> None:
    file = home / "winnow.sqlite3"
    call_command("migrate", *OLD_STATE, verbosity=0)
    back = rows_of(file)
    assert set(back) == set(old_rows)
    for table, rows in old_rows.items():
        assert back[table] == [
            {**row, **_made_anew(table, kept)} for row, kept in zip(rows, back[table], strict=True)
        ]
    call_command("migrate", verbosity=0)
    forth, once = rows_of(file), rows_of(migrated)
    assert {table: len(rows) for table, rows in forth.items()} == {
        table: len(rows) for table, rows in once.items()
    }


@pytest.mark.parametrize("slug", ["tickets", "towns"])
@pytest.mark.parametrize(("everything", "suffix"), [("0", ""), ("1", "-all")])
def test_the_export_is_what_the_old_code_wrote(home: Path, slug: str, everything: str, suffix: str) -> None:
    address = f"/api/v1/projects/{slug}/annotations/export.jsonl?everything={everything}"
    response = Client().get(address, **BEFORE)
    assert response.status_code == 200
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    written = (OLD / f"{slug}{suffix}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(line) for line in written]


@pytest.mark.parametrize("slug", ["tickets", "towns"])
def test_the_published_bundle_predicts_as_before(home: Path, slug: str) -> None:
    before = EXPECTED["predictions"][slug]
    sent = {"texts": before["texts"], "top": 10}
    address = f"/api/v1/projects/{slug}/predict"
    response = Client().post(address, sent, content_type="application/json", **BEFORE)
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["version"] == before["version"]
    names = dict(Label.objects.filter(project__slug=slug).values_list("pk", "name"))
    for text, labels, scores in zip(answer["predictions"], before["labels"], before["scores"], strict=True):
        assert set(text["labels"]) == {names[pk] for pk in labels}
        assert [score["label"] for score in text["scores"]] == [names[pk] for pk, _ in scores]
        # Too few labels calibrated it for scores to be confidences; the old code told them all the same.
        assert {score["score"] for score in text["scores"]} == {None}
    assert answer["guess"] == "guess from few labels"


def test_the_pages_show_what_people_said(home: Path) -> None:
    lena = signed_in("lena")
    for slug in ("tickets", "towns"):
        for page in (
            "",
            "documents/",
            "imports/",
            "versions/",
            "runs/",
            "reportcard/",
            "labels/",
            "settings/",
        ):
            assert lena.get(f"/projects/{slug}/{page}").status_code == 200, page
    listed = lena.get("/projects/tickets/documents/").content.decode()
    assert all(name in listed for name in ("refund", "delivery", "praise"))
    versions = lena.get("/projects/tickets/versions/").content.decode()
    assert all(
        str(version.number) in versions for version in ModelVersion.objects.filter(project__slug="tickets")
    )


def test_what_stands_is_what_was_decided_last(home: Path) -> None:
    ada = User.objects.get(username="ada")
    revised = next(one for one in Annotation.objects.filter(annotator=ada) if one.decisions.count() == 2)
    first, second = revised.decisions.order_by("pk")
    assert first.card != second.card
    # A decision that was sent twice changes nothing, however long ago the first time was.
    shown = signed_in("ada").post(
        f"/projects/{revised.project.slug}/label/",
        {"card": str(first.card), "outcome": "skipped", "seconds": "1"},
    )
    assert shown.status_code == 302
    revised.refresh_from_db()
    assert (revised.outcome, revised.decisions.count()) == ("answered", 2)


def plain(html: str) -> str:
    """Return a page's text without its markup, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_an_open_card_shows_the_suggestion_that_it_was_dealt_with(
    home: Path, old_rows: dict[str, list[dict[str, Any]]]
) -> None:
    place = next(row for row in old_rows["annotate_assignment"] if row["state"] == "leased")
    card = next(row for row in old_rows["annotate_card"] if row["key"] == place["card"])
    label, _score = card["shown"][0]
    Assignment.objects.filter(state="leased").update(expires_at=timezone.now() + timedelta(minutes=5))
    html = signed_in("anton").get("/projects/tickets/label/").content.decode()
    assert uuid.UUID(card["key"]) == uuid.UUID(re.findall(r'data-card="([^"]+)"', html)[0])
    assert f"Guess from few labels {Label.objects.get(pk=label).name} Accept" in plain(html)


def test_a_decision_gone_back_to_shows_what_an_llm_had_suggested(
    home: Path, old_rows: dict[str, list[dict[str, Any]]]
) -> None:
    by_llm = [row for row in old_rows["annotate_annotation"] if row["shown"] and not row["shown_version_id"]]
    said = {tuple(label for label, _ in row["shown"]) for row in by_llm}
    assert any(len(labels) == 2 for labels in said)
    for row in by_llm:
        who = User.objects.get(pk=row["annotator_id"]).get_username()
        mine = Annotation.objects.filter(project=row["project_id"], annotator=row["annotator_id"])
        later = mine.filter(pk__gt=row["id"]).order_by("pk").values_list("pk", flat=True).first()
        html = signed_in(who).get(f"/projects/towns/label/?back={later or ''}").content.decode()
        names = [Label.objects.get(pk=label).name for label, _ in row["shown"]]
        assert f"An LLM suggests {' '.join(names)}" in plain(html)


def test_the_page_of_a_document_shows_what_the_version_said(
    home: Path, old_rows: dict[str, list[dict[str, Any]]]
) -> None:
    lena, checked = signed_in("lena"), 0
    for row in old_rows["annotate_prediction"][::10]:
        document = Document.objects.select_related("project").get(pk=row["document_id"])
        page = lena.get(f"/projects/{document.project.slug}/documents/{document.pk}/").content.decode()
        found = re.search(r'<div class="prediction">.*?</div>', page, re.DOTALL)
        if document.lane == "pool" and document.annotations.answered().exists():
            assert found is None  # the version may have learned it
            continue
        assert found is not None
        label, _score = row["scores"][0]
        decided = " decided" if label in row["decided"] else ""
        assert f"{Label.objects.get(pk=label).name}{decided}" in plain(found[0])
        assert "(guess from few labels)" in plain(found[0])
        assert "%" not in plain(found[0])
        checked += 1
    assert checked > 5


@pytest.mark.parametrize("is_late", [False, True])
def test_a_card_that_is_open_is_answered(home: Path, is_late: bool) -> None:
    """Its page was loaded from the old code: in time, and after the lease ran out."""
    place = Assignment.objects.get(state="leased")
    until = timezone.now() + timedelta(minutes=-5 if is_late else 5)
    Assignment.objects.filter(pk=place.pk).update(expires_at=until)
    chosen = Label.objects.get(project__slug="tickets", name="refund")
    before = Card.objects.count()
    answered = signed_in("anton").post(
        "/projects/tickets/label/",
        {"card": str(place.card), "outcome": "answered", "labels": [str(chosen.pk)], "seconds": "3"},
        headers={"HX-Request": "true"},
    )
    assert answered.status_code == 200
    kept = Annotation.objects.get(document=place.document_id, annotator__username="anton")
    assert list(kept.labels.all()) == [chosen]
    place.refresh_from_db()
    assert place.state == "done"
    assert Card.objects.count() == before + 1  # the answer is the next card


def test_the_queue_is_handed_out_in_its_old_order(home: Path) -> None:
    Assignment.objects.filter(state="leased").update(expires_at=timezone.now() + timedelta(minutes=5))
    first = Assignment.objects.filter(project__slug="tickets", state="waiting").order_by("rank").first()
    assert first is not None
    assert signed_in("ada").get("/projects/tickets/label/").status_code == 200
    first.refresh_from_db()
    assert (first.state, first.annotator_id) == ("leased", User.objects.get(username="ada").pk)


def test_runs_and_imports_in_flight_are_taken_up_and_end(home: Path) -> None:
    flying = list(TrainingRun.objects.filter(state__in=["queued", "running"]).values_list("pk", "state"))
    assert sorted(state for _, state in flying) == ["queued", "running"]
    half = Import.objects.get(name="half.csv")
    stored = half.rows
    assert (stored, Document.objects.filter(external_id__startswith="n").count()) == (10, 10)

    tasks.tick()

    runs = TrainingRun.objects.in_bulk([key for key, _ in flying])
    assert {key: (run.state, run.error) for key, run in runs.items()} == {
        key: ("succeeded", "") for key, _ in flying
    }
    assert ModelVersion.objects.filter(run__in=runs).count() == 2
    ends = {one.name: (one.state, one.rows, one.created) for one in Import.objects.all()}
    assert ends == {
        "gold.csv": ("succeeded", 5, 3),
        "half.csv": ("succeeded", 20, 20),
        "queued.jsonl": ("succeeded", 4, 4),
    }
    assert Document.objects.filter(external_id__startswith="n").count() == 20
    # A tick looks around, so the new texts have got their vectors.
    assert (
        Embedding.objects.filter(sha256__in=Document.objects.values("sha256")).count()
        == Document.objects.count()
    )


def test_a_version_of_before_is_published_again_and_predicts_all(home: Path) -> None:
    tickets = Project.objects.get(slug="tickets")
    (retired,) = tickets.versions.filter(stage="retired", family="tfidf")
    response = signed_in("lena").post(f"/projects/tickets/versions/{retired.number}/publish/")
    assert response.status_code == 302
    assert list(tickets.versions.filter(stage="published")) == [retired]
    predicted = Prediction.objects.filter(document__project=tickets)
    assert set(predicted.values_list("version", flat=True)) == {retired.pk}
    assert predicted.count() == tickets.documents.count()
