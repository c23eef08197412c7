"""Fills a site with many documents by bulk SQL: `python -m bench.large make`, JSON in and out.

One project with 20 labels and ten annotators. A fifth of the texts is Russian; word frequencies fall as in
natural texts, so that some words are in every tenth text and others in ten of a million. A tenth of the
documents is annotated, some of them by two people; every document has a prediction and a vector.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import django
import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.core.management.color import no_style  # noqa: E402 (after setup)
from django.db import connection, transaction  # noqa: E402
from django.db.models import Model  # noqa: E402

from annotate import tasks  # noqa: E402
from annotate.models import (  # noqa: E402
    Annotation,
    AnnotationLabel,
    Assignment,
    Batch,
    Decision,
    Document,
    Embedding,
    FoldedText,
    Import,
    ModelVersion,
    OutOfFoldScore,
    PredictedLabel,
    Prediction,
    Project,
    User,
)
from annotate.models.bulk import BulkAction, BulkOptions  # noqa: E402
from annotate.models.documents import fold  # noqa: E402
from annotate.services.bulk import job  # noqa: E402
from annotate.services.corpus import signs, vector_store  # noqa: E402
from annotate.services.documents.filters import FILTERS, Kind  # noqa: E402
from annotate.services.documents.finding import metadata_index, similar  # noqa: E402
from annotate.services.projects import members, projects  # noqa: E402
from bench.inside import PASSWORD, SLUG  # noqa: E402

LABELS = 20
PEOPLE = 10
RUSSIAN = 0.2
WORDS = 30_000  # of each language
WORDS_A_TEXT = (6, 26)
ALPHABETS = (("bcdfghklmnprstvwz", "aeiou"), ("бвгджзклмнпрстчш", "аеёиоуы"))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK = 20_000  # rows that are made at once
DIMENSION, LATENT, TOPICS = 384, 48, 2_000


@dataclass(frozen=True, slots=True)
class World:
    """What the documents belong to, by keys."""

    project: Project
    labels: list[int]
    people: list[int]
    version: int
    upload: int
    batch: int


def make(*, documents: int, vectors: bool = False) -> dict[str, Any]:
    """Make the project; return what a bench asks it for."""
    rng = np.random.default_rng(0)
    lead = User.objects.create_user("lead", password=PASSWORD)
    names = [(f"label {number}", "") for number in range(LABELS)]
    project = projects.create_project(by=lead, name="Bench", slug=SLUG, task="single", labels=names)
    projects.change_settings(project=project, changes={"training_enabled": False})
    people = []
    for number in range(PEOPLE):
        people.append(User.objects.create_user(f"annotator{number}", password=PASSWORD).pk)
        members.add_member(project=project, username=f"annotator{number}", role="annotator")
    labels = list(project.labels.values_list("pk", flat=True))
    words = [_words(rng, *letters) for letters in ALPHABETS]
    search = import_module("annotate.migrations.0037_search")
    search.drop_index(None, SimpleNamespace(connection=connection))
    with transaction.atomic():
        world = World(
            project,
            labels,
            people,
            version=_version(project, labels).pk,
            upload=Import.objects.create(project=project, name="texts.csv", state="succeeded").pk,
            batch=Batch.objects.create(project=project, strategy="random").pk,
        )
        for first in range(1, documents + 1, BLOCK):
            keys = range(first, min(first + BLOCK, documents + 1))
            texts = _texts(rng, words, len(keys))
            _fill(world, keys, texts, rng)
        _restart_sequences()
    search.make_index(None, SimpleNamespace(connection=connection))
    if metadata_index.exists():
        metadata_index.write_all()
    if vectors:
        fingerprint = vector_store.embedder().fingerprint
        _fill_vectors(rng, documents, fingerprint)
        while not signs.update(project=project, fingerprint=fingerprint, tell=lambda stage, done: None):
            pass
    with connection.cursor() as cursor:
        # What both databases do by themselves, sooner or later.
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)" if is_sqlite else "VACUUM ANALYZE")
    return {
        "slug": SLUG,
        "password": PASSWORD,
        "annotations": Annotation.objects.count(),
        "filters": _filters(world),
        # From every tenth text to ten in a million; two Russian ones, one of them in capitals.
        "searches": [
            *(words[0][rank] for rank in (3, 30, 300, 3_000, 20_000)),
            *(words[1][rank].upper() for rank in (30, 3_000)),
            f"{words[0][5]} {words[0][50]}",
            f'"{words[0][1]} {words[0][2]}"',
            f"{words[0][40]} -{words[0][1]}",
            words[0][200][1:4],
            "nothing has this",
        ],
    }


def recall(*, queries: int = 50, nearest: int = 50) -> float:
    """Return the share of the documents that are really nearest which the site tells as such."""
    fingerprint = vector_store.site_fingerprint()
    stored = dict(Embedding.objects.filter(encoder=fingerprint).values_list("sha256", "vector"))
    documents = list(Document.objects.select_related("project").order_by("sha256")[:queries])
    keys = dict(Document.objects.values_list("sha256", "pk"))
    everything = np.stack([np.frombuffer(vector, "<f4") for vector in stored.values()])
    pks = np.array([keys[digest] for digest in stored])
    shares = []
    for document in documents:
        cosines = everything @ np.frombuffer(stored[document.sha256], "<f4")
        exact = set(pks[np.argsort(-cosines)[1 : nearest + 1]].tolist())
        shares.append(len(exact & set(similar.to_document(document)[:nearest])) / nearest)
    return float(np.mean(shares))


def change_in_bulk(*, number: int = 10_000) -> dict[str, Any]:
    """Let a worker give the newest documents a label; return the seconds from the order to its end."""
    lead, project = User.objects.get(username="lead"), Project.objects.get(slug=SLUG)
    (label, *_others), keys = (
        project.labels.all(),
        project.documents.order_by("-pk").values_list("pk", flat=True),
    )
    bulk = job.preview(
        project=project,
        by=lead,
        action=BulkAction.LABEL,
        options=BulkOptions(labels=(label.pk,)),
        wanted={},
        selected=list(keys[:number]),
    )
    began = time.perf_counter()
    tasks.wake(job.confirm(bulk=bulk, by=lead))
    while bulk.is_live or bulk.is_previewed:
        time.sleep(0.02)
        bulk.refresh_from_db()
    return {
        "seconds": time.perf_counter() - began,
        "state": bulk.state,
        "changed": bulk.counts.get("changed", 0),
    }


def _filters(world: World) -> dict[str, list[Any]]:
    """Return values of each filter but the search."""
    of_kind: dict[Kind, list[Any]] = {
        Kind.LABEL: world.labels[:5],
        Kind.PERSON: world.people[:5],
        Kind.SWITCH: [1],
        Kind.IMPORT: [world.upload],
        Kind.BATCH: [world.batch],
        Kind.DOCUMENT: [1, 10, 100],
        Kind.PHRASE: ["where is it", "thank you"],
        Kind.DAY: ["2026-01-02", "2026-01-05"],
        Kind.PERCENT: [20, 50, 90],
        Kind.ENTRY: ["source", "source = source 3", "number = 7", "nothing"],
    }
    return {
        name: of_kind[entry.values]
        if isinstance(entry.values, Kind)
        else [value for value, _title in entry.values]
        for name, entry in FILTERS.items()
        if name != "q"
    }


def _words(rng: np.random.Generator, consonants: str, vowels: str) -> NDArray[np.str_]:
    """Return different words, the frequent ones first; those are shorter."""
    syllables = [one + other for one in consonants for other in vowels]
    found: dict[str, None] = {}
    while len(found) < WORDS:
        length = 1 + int(len(found) > 100) + int(rng.integers(1, 3))
        found["".join(rng.choice(syllables, length))] = None
    return np.array(list(found))


def _texts(rng: np.random.Generator, words: Sequence[NDArray[np.str_]], number: int) -> list[str]:
    lengths = rng.integers(*WORDS_A_TEXT, number)
    ranks = np.minimum(rng.zipf(1.25, int(lengths.sum())) - 1, WORDS - 1)
    ends = np.cumsum(lengths)
    languages = rng.random(number) < RUSSIAN
    return [
        " ".join(words[int(language)][ranks[end - length : end]]).capitalize() + "."
        for language, length, end in zip(languages, lengths, ends, strict=True)
    ]


def _version(project: Project, labels: list[int]) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project,
        number=1,
        family="tfidf",
        calibrated=True,
        label_ids=labels,
        labelled=1000,
        holdout_documents=1000,
        stage="published",
        published_at=BEGAN,
    )


def _fill(world: World, keys: range, texts: list[str], rng: np.random.Generator) -> None:
    """Write a block of documents with all that hangs on them."""
    # Of four labels that are drawn for a document, the model says the first and thinks of the second.
    said = rng.choice(world.labels, (len(keys), 4)).tolist()
    _fill_documents(world, keys, texts, rng)
    _fill_predictions(world, keys, said, rng)
    _fill_annotations(world, keys, said, rng)
    _fill_out_of_fold(world, keys, said, rng)


def _fill_documents(world: World, keys: range, texts: list[str], rng: np.random.Generator) -> None:
    lanes = rng.choice(3, len(keys), p=[0.8, 0.1, 0.1])
    names = "id project_id source_id external_id text sha256 split_key meta lane half created_at"
    rows = (
        (
            key,
            world.project.pk,
            world.upload,
            f"id-{key}",
            text,
            _digest(key),
            _digest(key // 2)[:32],  # every text has one near duplicate
            json.dumps({"source": f"source {key % 7}", "number": key % 1000}),
            "pool" if lane == 0 else "holdout",
            ("", "tuning", "reporting")[lane],
            BEGAN + timedelta(seconds=key),
        )
        for key, text, lane in zip(keys, texts, lanes, strict=True)
    )
    _load(Document, names.split(), rows)
    folded = ((key, fold(text)) for key, text in zip(keys, texts, strict=True))
    _load(FoldedText, ["document_id", "text"], folded)
    asked = ((world.project.pk, key, world.batch, float(key), "done") for key in keys if key % 10 == 0)
    _load(Assignment, ["project_id", "document_id", "batch_id", "rank", "state"], asked)


def _fill_predictions(world: World, keys: range, said: list[list[int]], rng: np.random.Generator) -> None:
    sure = np.round(rng.beta(4, 1, len(keys)), 4)
    names = "id project_id document_id version_id answer confidence margin"
    rows = (
        (
            key,
            world.project.pk,
            key,
            world.version,
            _answer([one], [(one, first), (two, second)]),
            first,
            round(first - second, 4),
        )
        for key, (one, two, *_), first, second in zip(
            keys, said, sure.tolist(), ((1 - sure) / 2).tolist(), strict=True
        )
    )
    _load(Prediction, names.split(), rows)
    _load(
        PredictedLabel,
        ["prediction_id", "label"],
        ((key, one) for key, (one, *_) in zip(keys, said, strict=True)),
    )


def _fill_annotations(world: World, keys: range, said: list[list[int]], rng: np.random.Generator) -> None:
    """Give every tenth document an annotation, and of these every tenth a second one; most agree."""
    agrees = rng.random((len(keys), 2)) < 0.85
    shape = (len(keys), 2)
    outcomes = rng.choice(["answered", "skipped", "flagged"], shape, p=[0.94, 0.03, 0.03]).tolist()
    rows = [
        (
            2 * key + second,
            key,
            world.people[(key // 10 + second) % PEOPLE],
            outcomes[i][second],
            said[i][0] if agrees[i][second] else said[i][2 + second],
            BEGAN + timedelta(seconds=key),
        )
        for i, key in enumerate(keys)
        if key % 10 == 0
        for second in range(2 if key % 100 == 0 else 1)
    ]
    names = "id project_id document_id annotator_id outcome created_at updated_at"
    annotations = (
        (pk, world.project.pk, key, person, outcome, when, when + timedelta(days=1))
        for pk, key, person, outcome, _label, when in rows
    )
    _load(Annotation, names.split(), annotations)
    answered = [(pk, label) for pk, _key, _person, outcome, label, _when in rows if outcome == "answered"]
    _load(AnnotationLabel, ["annotation_id", "label_id"], answered)
    decisions = (
        (pk, _uuid(), outcome, _answer([label] if outcome == "answered" else [], []), when)
        for pk, _key, _person, outcome, label, when in rows
    )
    _load(Decision, ["annotation_id", "card", "outcome", "answer", "created_at"], decisions)


def _fill_out_of_fold(world: World, keys: range, said: list[list[int]], rng: np.random.Generator) -> None:
    """Give every annotated document what folds say of it; a seventh of them says otherwise than people."""
    differs = rng.random(len(keys)) < 0.15
    suspected = differs & (rng.random(len(keys)) < 0.3)
    names = "project_id document_id version_id answer disagrees is_suspect learned_at"
    rows = (
        (
            world.project.pk,
            key,
            world.version,
            _answer([said[i][1]], [(said[i][1], 0.8), (said[i][0], 0.1)]),
            bool(differs[i]),
            bool(suspected[i]),
            BEGAN + timedelta(days=400),
        )
        for i, key in enumerate(keys)
        if key % 10 == 0
    )
    _load(OutOfFoldScore, names.split(), rows)


def _fill_vectors(rng: np.random.Generator, documents: int, fingerprint: str) -> None:
    """Write vectors that gather around topics in fewer dimensions than they have, as those of texts do."""
    basis = rng.standard_normal((LATENT, DIMENSION)).astype(np.float32)
    topics = rng.standard_normal((TOPICS, LATENT)).astype(np.float32)
    for first in range(1, documents + 1, BLOCK):
        keys = range(first, min(first + BLOCK, documents + 1))
        near = topics[rng.integers(0, TOPICS, len(keys))]
        latent = near + 0.7 * rng.standard_normal(near.shape).astype(np.float32)
        vectors = latent @ basis + 0.5 * rng.standard_normal((len(keys), DIMENSION)).astype(np.float32)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
        with transaction.atomic():
            _load(
                Embedding,
                ["encoder", "sha256", "vector"],
                ((fingerprint, _digest(key), row.tobytes()) for key, row in zip(keys, vectors, strict=True)),
            )


def _digest(key: int) -> str:
    return hashlib.sha256(str(key).encode()).hexdigest()


def _uuid() -> str:
    return uuid.uuid4().hex if connection.vendor == "sqlite" else str(uuid.uuid4())


def _answer(labels: list[int], scores: list[tuple[int, float]]) -> str:
    content: dict[str, Any] = {"labels": labels}
    if scores:
        content["scores"] = scores
    return json.dumps(content)


def _load(model: type[Model], names: list[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of some columns; the others get what a new row would have."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    rest = [name for name, field in fields.items() if name not in names and not field.primary_key]
    tail = tuple(fields[name].get_db_prep_save(fields[name].get_default(), connection) for name in rest)
    columns = ", ".join(f'"{fields[name].column}"' for name in [*names, *rest])
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((*row, *tail))
        else:
            marks = ", ".join(["?"] * (len(names) + len(rest)))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
            connection.connection.executemany(statement, _for_sqlite(rows, tail))


def _for_sqlite(rows: Iterable[Sequence[Any]], tail: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    ready = connection.ops.adapt_datetimefield_value
    for row in rows:
        yield (*(ready(cell) if isinstance(cell, datetime) else cell for cell in row), *tail)


def _restart_sequences() -> None:
    statements = connection.ops.sequence_reset_sql(no_style(), [Document, Prediction, Annotation])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


if __name__ == "__main__":
    actions = {"make": make, "recall": recall, "change_in_bulk": change_in_bulk}
    json.dump(actions[sys.argv[1]](**json.load(sys.stdin)), sys.stdout)
