"""Holdout answers that are in no figure yet are counted beside the figures, with what becomes of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import ModelVersion, Project, User
from annotate.models.documents import Half
from tests.annotate.made.scored import add_scored, hold_out

pytestmark = pytest.mark.django_db
SCORES = [(0.9, 0.1, 0.0), (0.1, 0.9, 0.1)] * 12
ADDRESSES = {
    "comparison": lambda project, version: (
        f"{reverse('version-compare', args=[project.slug])}?version=1&against=2"
    ),
    "thresholds": lambda project, version: reverse("version-thresholds", args=[project.slug, 1]),
    "confidence": lambda project, version: reverse("version-confidence", args=[project.slug, 1]),
    "shares": lambda project, version: reverse("shares", args=[project.slug]),
}


@pytest.fixture
def version(multi_project: Project, annotator: User) -> ModelVersion:
    answers = [("red",), ("green",)] * 6
    documents = [
        *hold_out(multi_project, annotator, answers, Half.TUNING),
        *hold_out(multi_project, annotator, answers),
    ]
    add_scored(multi_project, documents, SCORES, number=2, raw=SCORES)
    return add_scored(multi_project, documents, SCORES, raw=SCORES, stage="published")


@pytest.mark.parametrize("page", ADDRESSES)
def test_each_page_of_holdout_figures_counts_them(
    page: str,
    version: ModelVersion,
    multi_project: Project,
    lead: User,
    annotator: User,
    sign_in: Callable[[User], Client],
) -> None:
    address, client = ADDRESSES[page](multi_project, version), sign_in(lead)
    assert "since version" not in client.get(address).content.decode()
    hold_out(multi_project, annotator, [("red",)] * 3)
    told = client.get(address).content.decode()
    assert "3 holdout documents were answered since version 1 scored the holdout" in told
    assert "With 20 of them it scores the holdout again by itself." in told
    assert reverse("version-score", args=[multi_project.slug, 1]) in told
    assert ("They do once a lead has it score the holdout again." in told) == (page == "comparison")


def test_a_reviewer_reads_the_count_and_has_no_button(
    version: ModelVersion,
    multi_project: Project,
    annotator: User,
    reviewer: User,
    sign_in: Callable[[User], Client],
) -> None:
    multi_project.memberships.create(user=reviewer, role="reviewer")
    hold_out(multi_project, annotator, [("red",)])
    told = sign_in(reviewer).get(reverse("shares", args=[multi_project.slug])).content.decode()
    assert "1 holdout document was answered since version 1 scored the holdout" in told
    assert "Score the holdout by version 1" not in told
