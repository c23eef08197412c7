"""Imported texts are predicted when they come, and counted in windows as those of programs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from annotate import kinds
from annotate.models import Corridor, Document, Job, ModelVersion, Prediction, PredictionTally, Project, User
from annotate.services.drift import shown, windows
from annotate.services.imports import job as imports
from annotate.services.imports.columns import ColumnMapping
from annotate.services.work import jobs
from tests.annotate.made.bundles import add_version

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def version(project: Project, tmp_path: Path, settings: Any) -> ModelVersion:
    settings.BUNDLE_ROOT, settings.MEDIA_ROOT = tmp_path / "bundles", tmp_path / "uploads"
    return add_version(project, tmp_path / "bundles")


@pytest.fixture
def bring(project: Project, lead: User) -> Callable[..., None]:
    """Import texts, and do the predictions that this asks for."""

    def bring(*texts: str) -> None:
        file = ContentFile("\n".join(["text", *texts]).encode(), "new.csv")
        upload = imports.begin(project=project, user=lead, file=file, name="new.csv")
        imports.start(upload=upload, mapping=ColumnMapping(text="text"), dry_run=False)
        for row in list(kinds.import_file(upload.pk)):
            if isinstance(row, Job) and row.kind == "predict_new":
                assert list(kinds.BY_NAME["predict_new"].work(row.pk)) == []

    return bring


def predict_all(version: ModelVersion) -> None:
    (row,) = jobs.ask(kind=jobs.JobKind.RESCORE, project=version.project, version=version)
    kinds.BY_NAME["rescore"].work(row.pk)


def test_the_first_predictions_of_a_project_are_no_traffic(
    project: Project, version: ModelVersion, bring: Callable[..., None]
) -> None:
    bring("red one", "green one")
    assert Prediction.objects.count() == 2
    assert not PredictionTally.objects.exists()


def test_what_comes_later_is_counted_once_by_version_and_label(
    project: Project, version: ModelVersion, add_documents: AddDocuments, bring: Callable[..., None]
) -> None:
    add_documents(project, "blue from before")
    predict_all(version)
    bring("red one", "red two", "green one")
    predict_all(version)
    tally = PredictionTally.objects.get()
    red, green = (str(project.labels.get(name=name).pk) for name in ("red", "green"))
    assert (tally.version, tally.texts, tally.imported) == (version, 3, 3)
    assert tally.classes == {red: 2, green: 1}
    assert tally.moments["characters"][0] == tally.moments["confidence"][0] == 3


def test_a_text_that_a_program_asked_about_is_not_counted_again(
    project: Project, version: ModelVersion, add_documents: AddDocuments
) -> None:
    add_documents(project, "blue from before")
    predict_all(version)
    add_documents(project, "red, which came by an alarm")
    predict_all(version)
    assert Prediction.objects.count() == 2
    assert not PredictionTally.objects.exists()


def test_a_window_says_how_many_of_its_texts_were_imported(project: Project, version: ModelVersion) -> None:
    Corridor.objects.create(project=project, window=100, began_at=timezone.now())
    now = timezone.now()
    for imported in (60, 0):
        PredictionTally.objects.create(
            project=project, version=version, texts=60, imported=imported, began_at=now, ended_at=now
        )
    windows.close_next(project)
    (window,) = shown.watched(project).windows
    assert (window.window.texts, window.window.imported) == (120, 60)
