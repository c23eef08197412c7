"""Made `135c32a/`: a home as that commit left it, which `tests/annotate/test_home_before.py` opens.

It speaks to the services of commit 135c32a and runs in that commit's tree only. To make it again:

    git worktree add /tmp/135c32a 135c32a
    cd /tmp/135c32a && PYTHONPATH=. python /path/to/tests/homes/make.py /path/to/tests/homes/135c32a

It writes the database as SQL, the bundles, the uploads, and what the old code said of them: its exports and
its predictions. All texts are made up here.
"""

# mypy: ignore-errors
# ruff: noqa: E402, I001 (Django is set up before models are imported, and they are those of another tree)
from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import uuid
from contextlib import suppress
from datetime import timedelta
from itertools import product
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="winnow-home-"))
os.environ.update(WINNOW_HOME=str(HOME), DJANGO_SETTINGS_MODULE="tests.settings", OMP_NUM_THREADS="1")

import django

django.setup()

import numpy as np
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from annotate.models import (
    Annotation,
    Assignment,
    Document,
    Label,
    LlmAnswer,
    Membership,
    ModelVersion,
    Project,
    TrainingRun,
    User,
)
from annotate.models.runs import RunState
from annotate.services import (
    answering,
    embeddings,
    execution,
    exporting,
    importing,
    labeling,
    neighbourhoods,
    predicting,
    prelabeling,
    projects,
    publishing,
    queue,
    reportcards,
    runs,
    snapshots,
    storing,
    tokens,
)
from annotate.services.mapping import ColumnMapping
from annotate.services.storing import Row, store_rows

PASSWORD = "correct horse battery"
TICKETS = {
    "refund": ("money back for", "refund of", "charged twice for", "a wrong bill for"),
    "delivery": ("parcel lost with", "late courier with", "no tracking of", "a broken box around"),
    "praise": ("great work on", "thank you for", "so happy with", "the best service for"),
}
THINGS = ("the kettle", "my lamp", "two chairs", "a blue coat", "the radio", "our oven", "a small desk")
ENDINGS = ("", ", again", " since Monday")
TOPICS = {
    "weather": ("rain", "wind", "sunshine"),
    "traffic": ("a jam", "a closed bridge", "roadworks"),
    "sport": ("a match", "a race", "a cup final"),
}
TOWNS = ("Ulm", "Jena", "Celle", "Gera", "Husum", "Trier", "Lahr", "Weimar")


class HashEmbedder:
    """A vector of eight numbers per text from its digest: an encoder of which nothing is on the disk."""

    fingerprint = "f" * 64
    dimension = 8

    def embed(self, texts):
        return np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), 8)

    def _vector(self, text):
        rng = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
        vector = rng.normal(size=8)
        return vector / np.linalg.norm(vector)


def tickets():
    for number, (name, thing, ending) in enumerate(product(TICKETS, THINGS, ENDINGS)):
        text = f"{TICKETS[name][number % 4]} {thing}{ending}"
        yield Row(text, external_id=f"t{number}", meta={"desk": number % 3, "of": name}, number=number + 1)


def topics():
    """Yield texts with none, one or two topics each, in `meta` as the oracle of this script knows them."""
    for number, (town, first, second) in enumerate(product(TOWNS, [*TOPICS, ""], [*TOPICS, ""])):
        if first > second:
            continue
        names = [name for name in dict.fromkeys((first, second)) if name]
        words = " and ".join(TOPICS[name][number % 3] for name in names) or "a quiet day"
        yield Row(f"{words} in {town}", meta={"of": names}, number=number + 1)


def answer(project, annotator, n, outcome="answered"):
    """Let somebody answer the next `n` cards of the queue rightly, or skip or flag them."""
    made = []
    for _ in range(n):
        place = queue.claim(project=project, annotator=annotator)
        assert place is not None
        names = place.document.meta.get("of", [])
        wanted = project.labels.live().filter(name__in=[names] if isinstance(names, str) else names)
        made.append(
            labeling.submit(
                project=project,
                annotator=annotator,
                card=place.card,
                outcome=outcome,
                label_ids=[label.pk for label in wanted] if outcome == "answered" else [],
                seconds=2.5,
                reason="The text breaks off." if outcome == "flagged" else "",
            )
        )
    return made


def train(project, by, family="tfidf", config=None):
    (run,) = runs.open_if_due(project=project, reason="lead", by=by, family=family, config=config or {})
    version = execution.execute(run_id=run.pk)
    if version is not None:
        prelabeling.prelabel(version=version)
    return ModelVersion.objects.filter(run=run).first()


def upload(project, user, name, text, **declared):
    made = importing.begin(project=project, user=user, file=ContentFile(text.encode()), name=name)
    mapping = ColumnMapping.load({**made.mapping, **declared})
    importing.start(upload=made, mapping=mapping, dry_run=False)
    return made


class WorkerDied(BaseException):
    """What ends an import half-way: no handler of the old code takes it for an error of the file."""


def half_an_import(project, user):
    """Leave an import running whose worker died after ten of its twenty rows."""
    rows = [f"n{i},news of {town} number {i}" for i, town in enumerate(TOWNS * 3)][:20]
    made = upload(project, user, "half.csv", "\n".join(["id,text", *rows]) + "\n")
    add, storing.CHUNK = importing._Progress.add, 10

    def dies_at_the_second(self, counts):
        if self.rows:
            raise WorkerDied
        add(self, counts)

    importing._Progress.add = dies_at_the_second
    with suppress(WorkerDied):
        importing.run(import_id=made.pk)
    importing._Progress.add, storing.CHUNK = add, 2000
    made.refresh_from_db()
    assert (made.state, made.rows, made.created) == ("running", 10, 10)


def label_and_train(project, lena, anton, ada):
    # One answer with a label that is archived afterwards.
    place = queue.claim(project=project, annotator=anton)
    spam = project.labels.get(name="spam")
    labeling.submit(
        project=project, annotator=anton, card=place.card, outcome="answered", label_ids=[spam.pk], seconds=1
    )
    projects.archive_label(label=spam)

    answer(project, anton, 18)
    assert train(project, lena).stage == "published"  # it is retired by the next one
    answer(project, ada, 12)
    answer(project, ada, 1, "skipped")
    answer(project, anton, 1, "flagged")
    assert train(project, lena).stage == "published"
    assert train(project, lena, config={"head": "svm"}).stage == "candidate"

    encoder = embeddings.embedder()
    embeddings.embed(project=project, encoder=encoder)
    neighbourhoods.find(project=project, encoder=encoder)
    assert train(project, lena, family="embedding") is not None
    publishing.publish(version=project.versions.get(number=2), by=lena)


def single(lena, anton, ada):
    project = projects.create_project(
        by=lena,
        name="Tickets",
        slug="tickets",
        task="single",
        labels=[(name, f"It is about {name}.") for name in (*TICKETS, "spam")],
        guidelines="What does the writer want?",
    )
    changes = {"families": ["tfidf"], "holdout_share": 0.3, "batch_size": 10}
    project = projects.change_settings(project=project, changes=changes)
    for person in (anton, ada):
        Membership.objects.create(project=project, user=person)
    store_rows(project=project, rows=tickets())

    label_and_train(project, lena, anton, ada)

    # Two decisions that stand otherwise than they were first made.
    first = Annotation.objects.filter(project=project, outcome="answered").earliest("pk")
    second = answer(project, ada, 1)[0]
    card = labeling.reopen(annotation=second)
    other = project.labels.live().exclude(pk__in=second.labels.all()).first()
    labeling.submit(
        project=project, annotator=ada, card=card.key, outcome="answered", label_ids=[other.pk], seconds=9
    )
    assert second.decisions.count() == 2
    assert first.labels.get().archived_at is not None

    # A decision of the API, with the key that the caller chose.
    free = Document.objects.filter(project=project, lane="pool").unassigned().earliest("pk")
    label = project.labels.get(name=free.meta["of"])
    key = uuid.UUID(int=135)
    answering.answer(document=free, annotator=lena, key=key, outcome="answered", label_ids=[label.pk])

    gold = "id,text,label\n" + "\n".join(f"g{i},money back {i},refund" for i in range(3)) + "\n,  ,refund\n"
    done = upload(project, lena, "gold.csv", gold + "g9,sold twice,nonsense\n", gold=True)
    importing.run(import_id=done.pk)
    done.refresh_from_db()
    assert (done.state, done.created, done.broken) == ("done", 3, 2)

    lines = (json.dumps({"id": f"q{i}", "text": f"late courier number {i}"}) for i in range(4))
    upload(project, lena, "queued.jsonl", "\n".join(lines) + "\n")

    reportcards.make(project=project)
    assert queue.claim(project=project, annotator=anton).state == "leased"
    runs.open_if_due(project=project, reason="lead", by=lena, family="tfidf", config={})
    return project


def multi(lena, anton, ada):
    project = projects.create_project(
        by=lena, name="Towns", slug="towns", task="multi", labels=[(name, "") for name in TOPICS]
    )
    changes = {
        "families": ["tfidf"],
        "holdout_share": 0.3,
        "annotators_per_document": 2,
        "llm_budget": 50_000,
    }
    project = projects.change_settings(project=project, changes={**changes, "batch_size": 10})
    for person in (anton, ada):
        Membership.objects.create(project=project, user=person)
    (empty,) = runs.open_if_due(project=project, reason="lead", by=lena, family="tfidf", config={})
    execution.execute(run_id=empty.pk)
    empty.refresh_from_db()
    assert empty.state == "failed"
    store_rows(project=project, rows=topics())

    llm_answers(project)
    with override_settings(LLM_URL="http://127.0.0.1:1/v1", LLM_MODEL="made-up"):
        answer(project, anton, 24)
        answer(project, ada, 20)
    assert Annotation.objects.filter(project=project, shown_version=None, shown__isnull=False).exists()
    assert Annotation.objects.filter(project=project, outcome="answered", labels=None).exists()
    assert train(project, lena).stage == "published"
    answer(project, anton, 3)
    half_an_import(project, lena)

    (lost,) = runs.open_if_due(project=project, reason="lead", by=lena, family="tfidf", config={})
    lost = runs.claim(run_id=lost.pk)
    summary = snapshots.take(project=project).summary()
    TrainingRun.objects.filter(pk=lost.pk).update(snapshot=lost.snapshot | summary, stage="fit", progress=0.3)
    TrainingRun.objects.filter(pk=lost.pk).update(lease_expires_at=F("heartbeat_at") - timedelta(minutes=2))
    return project


def llm_answers(project):
    """What an LLM said: of every other pool document, one of them of an earlier text, one for nothing."""
    ids = dict(project.labels.values_list("name", "pk"))
    documents = Document.objects.filter(project=project, lane="pool").order_by("pk")[::2]
    for number, document in enumerate(documents):
        names = document.meta["of"]
        LlmAnswer.objects.create(
            project=project,
            document=document,
            sha256=hashlib.sha256(b"an earlier text").hexdigest() if number == 1 else document.sha256,
            key=hashlib.sha256(f"question {number}".encode()).hexdigest(),
            model="made-up",
            outcome="unreadable" if number == 2 else "answered",
            names=[] if number == 2 else names,
            labels=[] if number == 2 else [ids[name] for name in names],
            note="no JSON" if number == 2 else "",
            is_reused=number == 3,
            calls=0 if number == 3 else 1,
            tokens=0 if number == 3 else 210,
            cost=0.0,
            seconds=0.0 if number == 3 else 0.8,
        )


def said(project):
    """What the old code answers: predictions, of held texts and of others, and how many rows there are."""
    texts = [row.text for row in (*tickets(), *topics())][::23] + ["nothing of the kind"]
    predictions = predicting.predict(project=project, texts=texts)
    return {
        "version": predictions.version,
        "texts": texts,
        "labels": [list(text.label_ids) for text in predictions.texts],
        "scores": [[[key, round(score, 6)] for key, score in text.scores] for text in predictions.texts],
    }


def main(target):
    random.seed(135)
    call_command("migrate", verbosity=0)
    site = embeddings.SiteEmbedder(HashEmbedder(), embeddings.DatabaseStore())
    embeddings.embedder = lambda name="": site
    lena, anton, ada = (
        User.objects.create_user(name, password=PASSWORD) for name in ("lena", "anton", "ada")
    )
    made = [single(lena, anton, ada), multi(lena, anton, ada)]
    _key, secret = tokens.issue(user=lena, name="reporting", scopes=[scope.value for scope in tokens.Scope])
    for one in [*Project.objects.all()]:
        one.full_clean(validate_unique=False)
    assert {run.state for run in TrainingRun.objects.all()} >= {
        RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED
    }  # fmt: skip
    assert {place.state for place in Assignment.objects.all()} == {"waiting", "leased", "done"}
    assert Label.objects.filter(archived_at__isnull=False).count() == 1

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for project in made:
        for everything, suffix in ((False, ""), (True, "-all")):
            lines = b"".join(exporting.stream(project, "jsonl", everything=everything))
            (target / f"{project.slug}{suffix}.jsonl").write_bytes(lines)
    expected = {"secret": secret, "made_at": timezone.now().isoformat()}
    expected["predictions"] = {project.slug: said(project) for project in made}
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    for folder in ("bundles", "uploads"):
        shutil.copytree(HOME / folder, target / folder)
    database = next(HOME.glob("*.sqlite3"))
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    (target / "database.sql").write_text(dump + "\n", encoding="utf-8")
    print(f"{target}: {sum(path.stat().st_size for path in target.rglob('*') if path.is_file()):,} bytes")  # noqa: T201
    shutil.rmtree(HOME)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
