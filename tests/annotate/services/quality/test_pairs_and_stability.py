"""Labels that mistakes join, and models that have stopped to change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import ModelVersion, Project, User
from annotate.models.documents import Document
from annotate.models.versions import Sample
from annotate.services.pages import overview
from annotate.services.quality import pairs, stability
from tests.annotate.made.scored import add_scored, hold_out, keep

pytestmark = pytest.mark.django_db
RED, GREEN = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)


def test_labels_are_paired_by_what_is_missed_and_added_together(
    multi_project: Project, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    answers = [("red", "green")] * 3 + [()] * 2 + [("blue",)] * 4
    scores = [(0.1, 0.1, 0.1)] * 3 + [(0.9, 0.1, 0.9)] * 2 + [(0.1, 0.9, 0.1)] * 4
    version = add_scored(multi_project, hold_out(multi_project, annotator, answers), scores)
    found = pairs.of_version(version)
    assert found is not None
    told = [
        [(pair.one.name, pair.other.name, pair.documents) for pair in kind]
        for kind in (found.missed, found.added, found.swapped)
    ]
    assert told == [[("red", "green", 3)], [("red", "blue", 2)], [("blue", "green", 4)]]
    page = sign_in(lead).get(reverse("version", args=[multi_project.slug, 1])).content.decode()
    assert "<bdi>blue</bdi>, <bdi>green</bdi></a>: 4" in page


def test_documents_of_one_label_have_a_matrix_and_no_pairs(project: Project, annotator: User) -> None:
    version = add_scored(project, hold_out(project, annotator, [("red",)]), [GREEN])
    assert pairs.of_version(version) is None


@pytest.fixture
def served(project: Project) -> list[ModelVersion]:
    """Four versions of one kind that say the same of the pool; the last is published."""
    pool = [
        Document.objects.create(project=project, text=f"pool {n}", sha256=f"{n:064}", lane="pool")
        for n in range(20)
    ]
    versions = []
    for number in range(1, 5):
        stage = "published" if number == 4 else "retired"
        versions.append(
            add_scored(project, [], [], number=number, stage=stage, macro_f1=0.7, holdout_documents=40)
        )
        keep(versions[-1], Sample.POOL, pool, [RED, GREEN] * 10)
    return versions


def test_models_have_settled_after_three_agreements_in_a_row(
    project: Project, served: list[ModelVersion], lead: User, sign_in: Callable[[User], Client]
) -> None:
    assert stability.has_settled(project)
    page = sign_in(lead).get(reverse("versions", args=[project.slug])).content.decode()
    assert "more labels of this kind will hardly change what is decided" in page
    served[0].kept_scores.filter(sample=Sample.POOL).delete()
    assert not stability.has_settled(project)  # two agreements are not enough


def test_one_model_that_says_otherwise_unsettles(project: Project, served: list[ModelVersion]) -> None:
    keep(served[1], Sample.POOL, list(project.documents.order_by("pk")), [GREEN, RED] * 10)
    assert not stability.has_settled(project)


def test_a_revision_neither_settles_nor_stands_on_the_curve(
    project: Project, served: list[ModelVersion]
) -> None:
    fields = {"revises": served[3], "macro_f1": 0.5, "holdout_documents": 40}
    revision = add_scored(project, [], [], number=5, **fields)
    keep(revision, Sample.POOL, list(project.documents.order_by("pk")), [GREEN, RED] * 10)
    assert stability.has_settled(project)
    assert [version.number for version in overview.curve(project)] == [1, 2, 3, 4]
