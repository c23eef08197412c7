"""A project of spans promises a model on each page as others do, and opens runs by its labels."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Document, Project, User
from annotate.models.annotations import Outcome
from annotate.services.runs import first_batch, schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def spans(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="spans", task="span")


@pytest.mark.parametrize("page", ["project", "versions", "runs", "reportcard"])
def test_a_page_promises_a_model(page: str, spans: Project, lead: User, client: Client) -> None:
    client.force_login(lead)
    shown = client.get(reverse(page, args=["spans"])).content.decode()
    assert "first model" in shown or "There is no model yet" in shown or "No model has been trained" in shown


def test_labels_open_a_run_of_the_quick_family(
    spans: Project, lead: User, add_documents: Callable[..., list[Document]]
) -> None:
    Project.objects.update(retrain_after=12)
    for document in add_documents(spans, *[f"text {number}" for number in range(12)]):
        answer = spans.annotations.create(document=document, annotator=lead, outcome=Outcome.ANSWERED)
        answer.spans.create(label=spans.labels.first(), start=0, end=4)
    spans.refresh_from_db()
    (run,) = schedule.open_if_due(project=spans)
    assert run.family == "fast_spans"


def test_a_lead_may_choose_the_strong_family_alone(spans: Project, lead: User, client: Client) -> None:
    client.force_login(lead)
    form = client.get(reverse("project-settings", args=["spans"])).context["form"]
    assert form.initial["families"] == ["fast_spans"]
    assert [key for key, _title in form.fields["families"].choices] == ["fast_spans", "token_classifier"]
    spans.families = ["token_classifier"]
    assert schedule.families(spans) == ["token_classifier"]


def test_the_first_batch_covers_all_kinds_of_texts(
    spans: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(spans, "the red sky")
    encoder: Any = SimpleNamespace(
        embed=lambda texts: np.ones((len(texts), 2), np.float32),
        known=lambda texts: np.ones(len(texts), bool),
    )
    assert first_batch.begin(project=spans, encoder=encoder, is_complete=True) == []
    assert spans.batches.get().strategy == "kmeans"
