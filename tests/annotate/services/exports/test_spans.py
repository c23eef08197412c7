"""Texts with spans leave a project and come into another as they were, by every format that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile

from annotate.models import Annotation, Document, Import, Project, User
from annotate.services.exports import formats
from annotate.services.exports.contents import Contents
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping
from training.types import Answer, Span

pytestmark = pytest.mark.django_db
Labelled = dict[str, list[tuple[str, str]]]
SAID: Labelled = {
    "Ada 👩‍🚀 met Bob\r\nin  New  York.": [("Ada", "person"), ("Bob", "person"), ("New  York", "place")],
    "=Ame\u0301lie، القاهرة": [("Ame\u0301lie", "person"), ("القاهرة", "place")],
    "Nobody was there.": [],
}


def mark(project: Project, user: User, documents: list[Document]) -> None:
    keys = dict(project.labels.values_list("name", "pk"))
    for document in documents:
        answer = Answer(
            spans=tuple(
                Span(start := document.text.index(words), start + len(words), keys[label])
                for words, label in SAID[document.text]
            )
        )
        Annotation.objects.create(project=project, document=document, annotator=user, outcome="answered").say(
            answer
        )


def said(project: Project) -> Labelled:
    found: Labelled = {}
    for annotation in Annotation.objects.filter(project=project).order_by("document"):
        text = annotation.document.text
        spans = annotation.spans.select_related("label").order_by("start")
        found[text] = [(text[span.start : span.end], span.label.name) for span in spans]
    return found


@pytest.fixture
def entities(
    make_project: Callable[..., Project], add_documents: Callable[..., list[Document]], annotator: User
) -> Project:
    project = make_project(slug="entities", labels=("person", "place"), task="span")
    mark(project, annotator, add_documents(project, *SAID))
    return project


@pytest.fixture
def bring(lead: User) -> Callable[..., Import]:
    """Import a file as the page would without any change of its guess."""

    def bring(project: Project, content: bytes, name: str) -> Import:
        upload = job.begin(project=project, user=lead, file=ContentFile(content), name=name)
        mapping = ColumnMapping.load({**upload.mapping, "create_labels": True})
        assert job.start(upload=upload, mapping=mapping, dry_run=False)
        done = job.run(import_id=upload.pk)
        assert done is not None
        return done

    return bring


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("jsonl", "a.jsonl"),
        ("csv", "a.csv"),
        ("conll", "a.conll"),
        ("doccano", "a.jsonl"),
        ("spacy", "a.jsonl"),
    ],
)
def test_what_leaves_comes_in_as_it_was(
    entities: Project,
    make_project: Callable[..., Project],
    bring: Callable[..., Import],
    format: str,
    name: str,
) -> None:
    content = b"".join(formats.written(entities, format, Contents(), by=None))
    other = make_project(slug="other", labels=(), task="span")
    done = bring(other, content, name)
    assert (done.created, done.broken) == (3, 0)
    assert said(other) == SAID == said(entities)


def test_a_row_tells_each_span_with_its_places_and_the_name_of_its_label(entities: Project) -> None:
    first = json.loads(next(formats.jsonl(formats.rows(entities))))
    assert first["spans"][0] == {"start": 0, "end": 3, "label": "person"}
    assert "labels" not in first


def test_formats_that_cannot_hold_the_answers_of_a_task_are_not_offered(
    make_project: Callable[..., Project],
) -> None:
    offered = {
        task: set(formats.known(make_project(slug=task, task=task).task_type))
        for task in ("single", "span", "overlapping_span")
    }
    assert "conll" not in offered["single"]
    assert {"conll", "spacy"} <= offered["span"]
    assert not {"fasttext", "datasets"} & offered["span"]
    assert "conll" not in offered["overlapping_span"]
    assert "spacy" in offered["overlapping_span"]


def test_spans_that_a_text_cannot_have_leave_it_without_an_answer_and_are_told(
    make_project: Callable[..., Project], bring: Callable[..., Import]
) -> None:
    other = make_project(slug="other", labels=("place",), task="span")
    rows = [
        {"text": "in Rome", "spans": [{"start": 3, "end": 7, "label": "place"}]},
        {"text": "in Paris", "spans": [{"start": 3, "end": 99, "label": "place"}]},
        {"text": "in Bonn", "spans": [[2, 7, "place"]]},
        {"text": "in Oslo or Bergen", "spans": [[3, 17, "place"], [11, 17, "place"]]},
    ]
    done = bring(other, "\n".join(map(json.dumps, rows)).encode(), "a.jsonl")
    assert (done.created, done.broken) == (4, 0)
    assert said(other) == {"in Rome": [("Rome", "place")], "in Bonn": [("Bonn", "place")]}
    assert sorted(done.unfit) == [
        "The span 3-99 ends behind the text, which has 8 characters.",
        "The spans 3-17 and 11-17 overlap; in this project spans may not.",
    ]


def test_a_text_of_conll_with_a_broken_tag_is_stored_and_its_line_told(
    make_project: Callable[..., Project], bring: Callable[..., Import]
) -> None:
    other = make_project(slug="other", labels=("place",), task="span")
    good = "in\tO\nRome\tB-place\nand\tO\nBari\tB-place\n\n" * 2
    done = bring(other, f"{good}in\tO\nOslo\tI-place\n\nin Bonn O\n".encode(), "a.conll")
    assert "in Rome and Bari" in said(other)
    assert (done.created, done.broken) == (2, 1)
    assert ["Line 12" in reason for reason in done.unfit] == [True]
