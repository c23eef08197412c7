"""Spans come in as other tools write them; what a text cannot have is told with its file and line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile

from annotate.models import Annotation, Import, Project, User
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping

pytestmark = pytest.mark.django_db


@pytest.fixture
def bring(make_project: Callable[..., Project], lead: User) -> Callable[..., Import]:
    """Import a file into a project of spans as the columns are guessed; return what came of it."""
    project = make_project(slug="entities", labels=("PER", "LOC"), task="span")

    def bring(content: bytes, name: str) -> Import:
        upload = job.begin(project=project, user=lead, file=ContentFile(content), name=name)
        assert job.start(upload=upload, mapping=ColumnMapping.load(upload.mapping), dry_run=False)
        done = job.run(import_id=upload.pk)
        assert done is not None
        assert done.state == "succeeded", done.error
        return done

    return bring


def marked(project: Project) -> dict[str, list[str]]:
    """Return the words that were marked, with their labels, by the text."""
    found = {}
    for one in Annotation.objects.filter(project=project).order_by("document"):
        text = one.document.text
        spans = one.spans.select_related("label").order_by("start")
        found[text] = [f"{span.label.name} {text[span.start : span.end]}" for span in spans]
    return found


def test_an_archive_of_brat_comes_in_and_a_line_that_is_no_span_is_named(
    bring: Callable[..., Import],
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {
            "a.txt": "👩 Ada\r\nin Rome",
            "a.ann": "T1\tPER 2 5\tAda\nT2\tLOC 10 14\tRome\n",
            "b.txt": "Bob",
            "b.ann": "T1\tPER 0 3\tBob\nT2\tPER 0 9\tBobby\n",
            "c.txt": "Nobody",
            "c.ann": "",
            "d.ann": "T1\tPER 0 1\tx",
        }.items():
            archive.writestr(name, content)
    done = bring(file.getvalue(), "corpus.zip")
    assert (done.created, done.broken) == (3, 1)
    assert marked(done.project) == {"👩 Ada\r\nin Rome": ["PER Ada", "LOC Rome"], "Nobody": []}
    (why,) = done.unfit
    assert "b.ann: Line 2: the text has something else at 0-9" in why
    assert [problem.reason for problem in done.problems.all()] == ["d.ann has no d.txt beside it."]
    assert set(done.project.documents.values_list("external_id", flat=True)) == {"a", "b", "c"}


def test_spans_of_label_studio_come_in_with_those_who_found_nothing(bring: Callable[..., Import]) -> None:
    def task(text: str, *results: tuple[int, int, str]) -> dict[str, object]:
        said = [
            {"from_name": "ner", "type": "labels", "value": {"start": start, "end": end, "labels": [label]}}
            for start, end, label in results
        ]
        return {"data": {"text": text}, "annotations": [{"result": said}]}

    tasks = [
        task("👩 Ada", (3, 6, "PER")),
        task("Nobody"),
        task("Bob", (0, 30, "PER")),
        task("Rome", (0, 4, "TOWN")),
    ]
    done = bring(json.dumps(tasks).encode(), "export.json")
    assert marked(done.project) == {"👩 Ada": ["PER Ada"], "Nobody": []}
    assert [why for why in done.unfit if "Result 1: 0-30 is no place in the text" in why]
    assert "TOWN" in done.missing
