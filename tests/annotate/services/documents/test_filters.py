"""The filter by what the model says, whose labels stand in a table of their own."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from annotate.models import Document, ModelVersion, PredictedLabel, Prediction, Project
from annotate.services.documents import filters
from training.types import Answer


@pytest.mark.parametrize("most", [0, 50_000])
def test_it_finds_documents_by_the_labels_that_their_predictions_have_now(
    project: Project,
    add_documents: Callable[..., list[Document]],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    monkeypatch.setattr(filters, "MOST_LISTED", most)
    one, other = project.labels.values_list("pk", flat=True)[:2]
    documents = add_documents(project, "a text", "another", "a third")
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0
    )

    def found(label: int) -> set[int]:
        return set(filters.find(project, {"decided": label}).values_list("pk", flat=True))

    said = [
        Prediction.objects.create(document=document, version=version, answer=Answer((one,)))
        for document in documents
    ]
    said[0].answer = Answer((other,))
    said[0].save()
    said[1].delete()
    assert (found(one), found(other)) == ({documents[2].pk}, {documents[0].pk})
    PredictedLabel.objects.all().delete()
    assert found(one) == set()
    import_module("annotate.migrations.0059_predicted_labels").fill(apps, connection.schema_editor())
    assert (found(one), found(other)) == ({documents[2].pk}, {documents[0].pk})
