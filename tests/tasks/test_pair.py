"""A further task goes all the way round without a change to any other file: the seam of idea 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotate.celery import app
from annotate.models import Annotation, Decision, ModelVersion, Prediction, Project, User
from annotate.models.documents import Lane
from annotate.services.corpus import vector_store
from annotate.services.people import api_keys
from annotate.services.versions import predictions
from annotate.task_types import TASK_TYPES
from tests.annotate.made.fakes import HashEmbedder
from tests.tasks import pair, pair_type
from training.tasks import TASKS
from training.types import Answer

WORDS = {
    "red": ("rose", "ruby", "blood"),
    "green": ("leaf", "moss", "lime"),
    "blue": ("sky", "sea", "ink"),
    "grey": ("ash", "fog", "lead"),
}
COLUMNS = {"text": "text", "label": "labels", "separator": "|"}
SignIn = Callable[[User], Client]

pytestmark = pytest.mark.django_db(transaction=True)  # messages are sent after a commit


@pytest.fixture(autouse=True)
def _registered(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the task in both halves; work on messages at once, as a worker that is free does."""
    monkeypatch.setitem(TASKS, "pair", pair.PAIR)
    monkeypatch.setitem(TASK_TYPES, "pair", pair_type.PAIR)
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
def client(lead: User, sign_in: SignIn) -> Client:
    return sign_in(lead)


@pytest.fixture
def pairs(client: Client) -> Project:
    return created(client, "pairs")


@pytest.fixture
def learned(pairs: Project, client: Client) -> Project:
    """The project with labelled texts of both lanes and a version that learned from them."""
    imported(client, pairs, "\n".join(["text,labels", *rows(), *texts(6)]).encode())
    client.post(f"/projects/{pairs.slug}/runs/start/", {"family": "tfidf"})
    return pairs


def created(client: Client, slug: str, labels: str = "red\ngreen\nblue\ngrey") -> Project:
    sent = {"name": slug.title(), "slug": slug, "task": "pair", "labels": labels}
    response = client.post("/projects/new/", sent)
    assert response.status_code == 302, response.content.decode()
    Project.objects.filter(slug=slug).update(families=["tfidf"], training_enabled=False)
    return Project.objects.get(slug=slug)


def texts(n: int) -> list[str]:
    """Return texts that nobody has labelled."""
    return [f"{WORDS['red'][i % 3]} {WORDS['grey'][i // 3 % 3]} unheard {'x' * i}," for i in range(n)]


def rows() -> list[str]:
    """Return rows of texts with words of two colours, and those colours."""
    return [
        f"{first} {second} {third},{one}|{other}"
        for one, other in combinations(WORDS, 2)
        for first, second, third in product(WORDS[one], WORDS[other], WORDS[one])
    ]


def imported(client: Client, project: Project, content: bytes, **changes: str) -> str:
    """Import a CSV by the pages; return the page that tells how it went."""
    file = SimpleUploadedFile("pairs.csv", content)
    page = client.post(f"/projects/{project.slug}/imports/", {"file": file}).headers["Location"]
    columns = client.get(page).content.decode()
    assert 'name="separator"' in columns
    assert 'name="empty_is_answer"' not in columns  # two labels always apply
    assert client.post(page, COLUMNS | changes).status_code == 302
    return client.get(page).content.decode()


def ids(project: Project, *names: str) -> tuple[int, ...]:
    return tuple(project.labels.get(name=name).pk for name in names)


def answers(project: Project) -> dict[str, set[str]]:
    found = Annotation.objects.answered().filter(project=project).prefetch_related("labels", "document")
    return {row.document.text: {label.name for label in row.labels.all()} for row in found}


def test_both_halves_are_there() -> None:
    assert [found for found in run_checks() if found.id == "annotate.E012"] == []


def test_a_project_of_it_is_made_with_labels_enough(client: Client) -> None:
    assert "Exactly two labels per document" in client.get("/projects/new/").content.decode()
    sent = {"name": "Few", "slug": "few", "task": "pair", "labels": "red\ngreen"}
    assert "needs at least three labels" in client.post("/projects/new/", sent).content.decode()
    assert not Project.objects.exists()
    created(client, "pairs")
    assert "Exactly two labels per document" in client.get("/projects/").content.decode()


def test_a_file_brings_two_labels_a_row_and_no_other_number(pairs: Project, client: Client) -> None:
    page = imported(client, pairs, b"text,labels\none,red|blue\ntwo,red\nthree,red|green|blue\n")
    assert answers(pairs) == {"one": {"red", "blue"}}
    assert "A document takes exactly two labels; 1 are given." in page
    assert "A document takes exactly two labels; 3 are given." in page


def test_the_card_switches_labels_and_keeps_two(pairs: Project, client: Client) -> None:
    imported(client, pairs, b"text,labels\none,\ntwo,\n")
    address = f"/projects/{pairs.slug}/label/"
    page = client.get(address).content.decode()
    assert 'data-choices="toggle"' in page
    assert page.count('type="button" class="choice"') == 4
    assert "Choose or drop the label with that key" in page
    (card,) = re.findall(r'data-card="([^"]+)"', page)
    red, blue = ids(pairs, "red", "blue")
    sent = {"card": card, "outcome": "answered", "labels": [red], "seconds": "2"}
    refused = client.post(address, sent, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "A document takes exactly two labels; 1 are given." in refused.content.decode()
    assert not Decision.objects.exists()
    kept = client.post(address, sent | {"labels": [red, blue]}, headers={"HX-Request": "true"})
    assert kept.status_code == 200
    assert Decision.objects.get().answer == Answer((red, blue))
    assert list(answers(pairs).values()) == [{"red", "blue"}]


def test_a_run_learns_it_and_the_card_suggests_two(learned: Project, client: Client) -> None:
    version = ModelVersion.objects.get(project=learned)
    assert version.stage == "published"
    assert version.report
    said = {row.document.text: row.answer for row in Prediction.objects.select_related("document")}
    assert len(said) == learned.documents.count()
    assert {len(answer.labels) for answer in said.values()} == {2}
    names = dict(learned.labels.values_list("pk", "name"))
    truth = answers(learned)
    hits = [truth[text] == {names[int(pk)] for pk in said[text].labels} for text in truth]
    assert sum(hits) / len(hits) > 0.9
    # A text that measures shows no suggestion, and chance may put it first.
    learned.assignments.waiting().filter(document__lane=Lane.HOLDOUT).delete()
    page = client.get(f"/projects/{learned.slug}/label/").content.decode()
    assert 'id="suggestion"' in page
    suggested = re.search(r'<aside id="suggestion".*? data-labels="([^"]*)"', page, re.DOTALL)
    assert suggested
    assert len(suggested[1].split()) == 2
    for room in ("", "versions/", "versions/1/", "documents/", "runs/", "settings/", "reportcard/"):
        shown = client.get(f"/projects/{learned.slug}/{room}")
        assert shown.status_code == 200, room
        assert "Threshold</" not in shown.content.decode()


def test_a_program_gets_two_labels(learned: Project, lead: User) -> None:
    _key, secret = api_keys.issue(user=lead, name="pair", scopes=["predict", "annotations:write"])
    program = Client(headers={"authorization": f"Bearer {secret}"})
    address = f"/api/v1/projects/{learned.slug}"
    sent = {"texts": ["rose and sky", "moss with fog"]}
    told = program.post(f"{address}/predict", sent, content_type="application/json").json()
    assert [set(text["labels"]) for text in told["predictions"]] == [{"red", "blue"}, {"green", "grey"}]
    assert told["thresholds"] == {}
    document = learned.documents.filter(annotations=None).first()
    assert document is not None
    one = {"document": document.pk, "labels": ["red"]}
    refused = program.post(f"{address}/annotations", one, content_type="application/json")
    assert (refused.status_code, "exactly two labels" in refused.content.decode()) == (409, True)
    both = one | {"labels": ["red", "grey"]}
    assert program.post(f"{address}/annotations", both, content_type="application/json").status_code == 201


def test_an_export_comes_in_again(learned: Project, client: Client) -> None:
    response = client.get(f"/projects/{learned.slug}/export/csv/")
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert b"red|green" in content
    again = created(client, "again")
    imported(client, again, content)
    assert answers(again) == answers(learned)
    assert len(answers(again)) == len(rows())


def test_what_most_people_gave_counts(pairs: Project) -> None:
    """Of whole answers, as two labels make one; the halves of different pairs would be no answer."""
    one, other = Answer((1, 2)), Answer((3, 4))
    assert pairs.task_type.task.agreed([one, other, Answer((2, 1))]) == Answer((2, 1))
    assert pairs.task_type.task.agreed([one, other]) == other
