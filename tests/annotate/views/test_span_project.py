"""A project of spans promises no model on any page, and what works in the background has no fault there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Document, Project, TrainingRun, User
from annotate.models.annotations import Outcome
from annotate.services.runs import first_batch, schedule

pytestmark = pytest.mark.django_db
SENTENCE = "No model of this site learns spans yet."


@pytest.fixture
def spans(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="spans", task="span")


@pytest.mark.parametrize("page", ["project", "versions", "runs", "reportcard"])
@pytest.mark.parametrize("is_filled", [False, True])
def test_a_page_promises_no_model(
    page: str,
    is_filled: bool,
    spans: Project,
    lead: User,
    client: Client,
    add_documents: Callable[..., list[Document]],
) -> None:
    if is_filled:
        add_documents(spans, "the red sky")
    client.force_login(lead)
    shown = client.get(reverse(page, args=["spans"])).content.decode()
    assert SENTENCE in shown
    assert "Train now" not in shown
    assert "first model" not in shown or "Get the first model" in shown


def test_no_run_is_opened(spans: Project, lead: User, add_documents: Callable[..., list[Document]]) -> None:
    for document in add_documents(spans, *[f"text {number}" for number in range(12)]):
        answer = spans.annotations.create(document=document, annotator=lead, outcome=Outcome.ANSWERED)
        answer.spans.create(label=spans.labels.first(), start=0, end=4)
    assert schedule.open_if_due(project=spans) == []
    assert schedule.open_if_due(project=spans, reason=schedule.RunReason.LEAD, by=lead) == []
    assert not TrainingRun.objects.exists()


def test_vectors_are_made_without_choosing_a_batch(
    spans: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(spans, "the red sky")
    encoder: Any = SimpleNamespace(embed=lambda texts: np.ones((len(texts), 2), np.float32))
    assert first_batch.begin(project=spans, encoder=encoder, is_complete=True) == []
    assert not spans.batches.exists()
