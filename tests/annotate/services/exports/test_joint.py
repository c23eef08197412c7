"""Texts with labels and spans leave a project and come into another as they were, label kinds included."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile

from annotate.models import Annotation, Document, Project, User
from annotate.services.exports import formats
from annotate.services.exports.contents import Contents
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping
from annotate.services.projects import labels as label_service
from training.types import Answer, Span

pytestmark = pytest.mark.django_db
Said = dict[str, tuple[list[str], list[tuple[str, str]]]]
SAID: Said = {
    "Ada 👩‍🚀 asks Bob.": (["asks", "polite|formal"], [("Ada", "person"), ("Bob", "person")]),
    "=Thanks, Amélie": (["thanks"], []),
    "In Köln.": ([], [("Köln", "place")]),
    "Hm.": ([], []),
}


def said(project: Project) -> Said:
    found: Said = {}
    for annotation in Annotation.objects.filter(project=project).order_by("document"):
        text, spans = annotation.document.text, annotation.spans.select_related("label").order_by("start")
        names = sorted(choice.label.name for choice in annotation.choices.select_related("label"))
        found[text] = names, [(text[span.start : span.end], span.label.name) for span in spans]
    return found


@pytest.fixture
def joint(
    make_project: Callable[..., Project], add_documents: Callable[..., list[Document]], annotator: User
) -> Project:
    project = make_project(slug="joint", labels=("asks", "thanks", "polite|formal"), task="joint")
    label_service.add_labels(project=project, labels=[("person", ""), ("place", "")], of_spans=True)
    keys = dict(project.labels.values_list("name", "pk"))
    for document in add_documents(project, *SAID):
        names, marked = SAID[document.text]
        spans = tuple(
            Span(start := document.text.index(words), start + len(words), keys[label])
            for words, label in marked
        )
        Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered"
        ).say(Answer(tuple(keys[name] for name in names), spans))
    return project


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_what_leaves_comes_in_as_it_was(
    joint: Project, make_project: Callable[..., Project], lead: User, format: str
) -> None:
    content = b"".join(formats.written(joint, format, Contents(), by=None))
    other = make_project(slug="other", labels=(), task="joint")
    upload = job.begin(project=other, user=lead, file=ContentFile(content), name=f"a.{format}")
    mapping = ColumnMapping.load({**upload.mapping, "create_labels": True})
    assert job.start(upload=upload, mapping=mapping, dry_run=False)
    done = job.run(import_id=upload.pk)
    assert done is not None
    assert (done.created, done.broken, done.unfit) == (4, 0, {})
    assert said(other) == SAID == said(joint)
    assert dict(other.labels.values_list("name", "of_spans")) == {
        "asks": False, "polite|formal": False, "thanks": False, "person": True, "place": True,
    }  # fmt: skip


def test_a_label_of_the_other_kind_leaves_its_text_undecided_and_is_told(
    joint: Project, make_project: Callable[..., Project], lead: User
) -> None:
    line = (
        b'{"text": "Ada asks.", "labels": ["person"], "spans": [{"start": 0, "end": 3, "label": "person"}]}'
    )
    upload = job.begin(project=joint, user=lead, file=ContentFile(line + b"\n"), name="a.jsonl")
    assert job.start(upload=upload, mapping=ColumnMapping.load(upload.mapping), dry_run=False)
    done = job.run(import_id=upload.pk)
    assert done is not None
    assert done.created == 1
    assert "given to the whole document" in str(done.unfit)
    assert not Annotation.objects.filter(document__text="Ada asks.").exists()
