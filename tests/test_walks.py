"""The walks of `docs/architecture.md` are what the code does: each is taken, and its calls are compared."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotate.celery import app
from annotate.models import Assignment, ModelVersion, Prediction, Project, User
from annotate.services.corpus import vector_store
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.people import api_keys
from annotate.services.versions import predictions
from tests.annotate.made.fakes import HashEmbedder
from training.types import Answer

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\d+\. `([a-z_.A-Z]+)`", re.MULTILINE)
WORDS = {"red": ("rose", "ruby", "blood"), "green": ("leaf", "moss", "lime"), "blue": ("sky", "sea", "ink")}

pytestmark = pytest.mark.django_db(transaction=True)


def steps(title: str) -> list[str]:
    """Return the functions that the page lists under a heading, in their order."""
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"There is no walk “{title}”."
    return STEP.findall(found[1])


@contextmanager
def calls_of(functions: list[str]) -> Iterator[list[str]]:
    """Collect every call of the named functions, in this thread and in those that it starts."""
    wanted, seen = set(functions), list[str]()

    def see(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            name = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
            if name in wanted:
                seen.append(name)

    threading.setprofile(see)
    sys.setprofile(see)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def missing_step(functions: list[str], seen: list[str]) -> str:
    """Return the first function that was not called after those before it, "" where all were."""
    calls = iter(seen)
    return next((name for name in functions if name not in calls), "")


def check(title: str, walk: Callable[[], object]) -> None:
    functions = steps(title)
    assert len(functions) > 4
    with calls_of(functions) as seen:
        walk()
    absent = missing_step(functions, seen)
    assert not absent, (
        f"“{title}”: {absent} is not called there; what was called: {list(dict.fromkeys(seen))}"
    )


@pytest.fixture(autouse=True)
def _at_once(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work on messages at once, in folders of the test, as a worker that is free does."""
    encoder = vector_store.SiteEmbedder(HashEmbedder(), vector_store.DatabaseStore())
    monkeypatch.setattr(vector_store, "embedder", lambda name="": encoder)
    settings.BUNDLE_ROOT, settings.MEDIA_ROOT = tmp_path / "bundles", tmp_path / "uploads"
    settings.ENCODER_ROOT, settings.SCRATCH_ROOT = tmp_path / "encoders", tmp_path / "scratch"
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    predictions.CACHE.clear()
    cache.clear()
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


@pytest.fixture
def colours(project: Project) -> Project:
    """A project in which TF-IDF alone trains by itself, so that no encoder has to be prepared."""
    project.families = ["tfidf"]
    project.save()
    return project


@pytest.fixture
def learned(colours: Project) -> Project:
    """The project with texts in both lanes, most of them labelled, in a way that a model learns easily."""
    rows = [
        IncomingDocument(
            f"{words[i % 3]} and {words[(i + 1) % 3]} number {i}", answer=Answer((name,)) if i < 24 else None
        )
        for name, words in WORDS.items()
        for i in range(30)
    ]
    store_rows(project=colours, rows=rows)
    return colours


def test_a_document_comes_in(colours: Project, lead: User, sign_in: Callable[[User], Client]) -> None:
    client = sign_in(lead)
    # NB: texts that differ in their digits only are near duplicates, which are all of one lane.
    texts = [" ".join(words) for words in permutations(("rose", "leaf", "sky", "ink"))]
    rows = [f"{i},{text},{'red' if i < 5 else ''}" for i, text in enumerate(texts)]

    def walk() -> None:
        file = SimpleUploadedFile("mine.csv", "\n".join(["id,text,label", *rows]).encode())
        columns = client.post(f"/projects/{colours.slug}/imports/", {"file": file}).headers["Location"]
        mapping = {"text": "text", "id": "id", "label": "label"}
        assert client.post(columns, mapping).status_code == 302

    check("A document comes in", walk)
    assert colours.documents.count() == len(texts)
    assert colours.assignments.exists()


def test_a_person_decides(colours: Project, annotator: User, sign_in: Callable[[User], Client]) -> None:
    store_rows(project=colours, rows=[IncomingDocument(f"a text number {i}") for i in range(5)])
    client, page = sign_in(annotator), f"/projects/{colours.slug}/label/"
    client.get(page)
    place = Assignment.objects.get(annotator=annotator, state="leased")
    label = colours.labels.get(name="red")
    sent = {"card": str(place.card), "outcome": "answered", "labels": [str(label.pk)], "seconds": "2"}
    sent["deck"] = "1"  # the page holds cards ahead
    check("A person decides", lambda: client.post(page, sent, headers={"HX-Request": "true"}))
    assert colours.annotations.filter(annotator=annotator, labels=label).exists()


def test_a_model_learns(learned: Project, lead: User, sign_in: Callable[[User], Client]) -> None:
    client = sign_in(lead)
    check("A model learns", lambda: client.post(f"/projects/{learned.slug}/runs/start/", {"family": "tfidf"}))
    version = ModelVersion.objects.get(project=learned)
    assert version.stage == "published"
    assert Prediction.objects.filter(version=version).count() == learned.documents.count()
    assert learned.batches.filter(version=version).exists()


def test_a_program_asks(learned: Project, lead: User, sign_in: Callable[[User], Client]) -> None:
    sign_in(lead).post(f"/projects/{learned.slug}/runs/start/", {"family": "tfidf"})
    _key, secret = api_keys.issue(user=lead, name="walk", scopes=["predict"])
    client = Client(headers={"authorization": f"Bearer {secret}"})
    answers: list[Any] = []

    def walk() -> None:
        sent = {"text": "rose and ruby"}
        address = f"/api/v1/projects/{learned.slug}/predict"
        answers.append(client.post(address, sent, content_type="application/json").json())

    check("A program asks", walk)
    assert answers[0]["predictions"][0]["labels"] == ["red"]


def test_a_step_that_is_missing_or_too_late_is_found() -> None:
    assert missing_step(["a", "b", "c"], ["a", "x", "b", "c"]) == ""
    assert missing_step(["a", "b", "c"], ["b", "a", "c"]) == "b"
    assert missing_step(["a", "b"], ["a"]) == "b"
