from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from annotate.models import (
    Annotation,
    Assignment,
    Card,
    Comment,
    Document,
    Embedding,
    HandedOnAnswer,
    Import,
    ImportProblem,
    LlmAnswer,
    ModelVersion,
    Neighbourhood,
    Prediction,
    Project,
    TrainingRun,
    User,
)
from training.types import Answer

TEXT = "Мой адрес: Жёлтая улица 7 😀"


@pytest.fixture
def home(tmp_path: Path, settings: object) -> Path:
    """A folder that holds all files of the site."""
    for name in ("BUNDLE_ROOT", "MEDIA_ROOT", "SCRATCH_ROOT", "ENCODER_ROOT", "TEMPORARY_ROOT"):
        (tmp_path / name).mkdir()
        setattr(settings, name, tmp_path / name)
    return tmp_path


@pytest.fixture
def fill(
    home: Path, add_documents: Callable[..., list[Document]], annotator: User
) -> Callable[[Project], Document]:
    """Put a text into a project and everything that the site could make of it."""

    def fill(project: Project) -> Document:
        document, other = add_documents(project, TEXT, f"another text of {project.slug}")
        annotation = Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered", reason=TEXT
        )
        annotation.choices.create(label=project.labels.first())
        sent = {"outcome": "skipped", "reason": TEXT, "answer": Answer()}
        annotation.decisions.create(card=uuid.uuid4(), **sent)
        run = TrainingRun.objects.create(
            project=project, family="tfidf", reason="lead", state="succeeded", log=TEXT
        )
        version = ModelVersion.objects.create(
            project=project,
            number=1,
            run=run,
            family="tfidf",
            bundle=f"{project.pk}/run-1-1",
            labelled=1,
            holdout_documents=0,
        )
        folder = home / "BUNDLE_ROOT" / version.bundle
        folder.mkdir(parents=True)
        (folder / "words.json").write_text(TEXT, "utf-8")
        Prediction.objects.create(document=document, version=version, answer=Answer())
        LlmAnswer.objects.create(
            project=project, document=document, sha256=document.sha256, key="k", model="m", note=TEXT
        )
        Assignment.objects.create(project=project, document=document, rank=1.0)
        Comment.objects.create(document=document, author=annotator, key=uuid.uuid4(), text=TEXT)
        Card.objects.create(document=document, annotator=annotator)
        HandedOnAnswer.objects.create(
            project=project, document=document, annotator=annotator, card=uuid.uuid4(), **sent
        )
        upload = Import.objects.create(project=project, name="mine.csv", state="succeeded")
        upload.file.save("mine.csv", ContentFile(f"text\n{TEXT}\n".encode()))
        ImportProblem.objects.create(source=upload, row=1, reason=TEXT)
        Embedding.objects.get_or_create(encoder="e", sha256=document.sha256, defaults={"vector": b"v"})
        for one in (document, other):
            Neighbourhood.objects.create(document=one, encoder="e", neighbours=b"", similarities=b"")
        return document

    return fill
