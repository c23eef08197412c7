"""Documents of every kind, and what the documents page shows of them to a lead."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Document, Project, User
from annotate.models.documents import Lane
from tests.annotate.made.answered import answer, predict


@pytest.fixture
def shown(sign_in: Callable[[User], Client], lead: User, project: Project) -> Callable[..., list[str]]:
    client = sign_in(lead)

    def shown(**query: object) -> list[str]:
        response = client.get(reverse("documents", args=[project.slug]), query)
        return sorted(row.document.text for row in response.context["rows"])

    return shown


@pytest.fixture
def colours(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> dict[str, Document]:
    """Three holdout documents: one decided rightly, one wrongly, one not answered; and two of the pool."""
    right, wrong, silent = add_documents(project, "right", "wrong", "silent", lane=Lane.HOLDOUT)
    skipped, flagged = add_documents(project, "skipped", "flagged")
    answer(right, annotator, "red")
    answer(wrong, annotator, "green")
    answer(skipped, annotator, outcome="skipped")
    answer(flagged, annotator, outcome="flagged")
    for document in (right, wrong, silent):
        predict(document, "red")
    return {"right": right, "wrong": wrong, "skipped": skipped}
