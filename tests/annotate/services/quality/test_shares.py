"""How much of the collection each label is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import OutOfFoldScore, Project, User
from annotate.models.documents import Document
from annotate.models.versions import Sample
from annotate.services.quality import shares
from annotate.services.versions.holdout import NotScored
from tests.annotate.made.scored import add_scored, hold_out, keep
from training.types import Answer

pytestmark = pytest.mark.django_db
RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


@pytest.fixture
def pool(project: Project, annotator: User) -> list[Document]:
    """Of 40 holdout documents 30 are red, and the model is right of each; of 100 of the pool 60 seem red."""
    answers, scores = [("red",)] * 30 + [("green",)] * 10, [RED] * 30 + [GREEN] * 10
    version = add_scored(project, hold_out(project, annotator, answers), scores, stage="published")
    pool = [
        Document.objects.create(project=project, text=f"pool {n}", sha256=f"{n:064}", lane="pool")
        for n in range(100)
    ]
    keep(version, Sample.POOL, pool, [RED] * 60 + [GREEN] * 40)
    return pool


def test_the_pool_moves_the_share_and_narrows_its_interval(project: Project, pool: list[Document]) -> None:
    found = shares.of_project(project)
    red, green, blue = found.rows
    assert (found.collection, found.holdout, found.predicted) == (140, 40, 100)
    assert [row.label.name for row in found.rows] == ["red", "green", "blue"]
    assert 0.6 < red.share < 0.75  # between the holdout's share and the model's
    assert red.high - red.low < red.alone_high - red.alone_low
    assert red.share + green.share == pytest.approx(1)
    assert red.about == round(140 * red.share)
    assert blue.low == 0 < blue.high  # none was seen, which does not mean that there is none


def test_what_a_model_has_learned_counts_as_it_would_have_said_before(
    project: Project, pool: list[Document]
) -> None:
    before, version = shares.of_project(project).rows[0].share, project.versions.get()
    green = project.labels.get(name="green").pk
    for document in pool[:30]:
        OutOfFoldScore.objects.create(
            project=project, document=document, version=version, answer=Answer((green,)),
            disagrees=False, is_suspect=False, learned_at=timezone.now(),
        )  # fmt: skip
    red = next(row for row in shares.of_project(project).rows if row.label.name == "red")
    assert red.share < before - 0.1


def test_without_a_pool_the_holdout_speaks_alone(project: Project, pool: list[Document]) -> None:
    project.versions.get().kept_scores.filter(sample=Sample.POOL).delete()
    red = shares.of_project(project).rows[0]
    assert (red.share, red.low, red.high) == (0.75, red.alone_low, red.alone_high)


def test_too_few_documents_and_no_version_are_sentences(
    project: Project, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    with pytest.raises(NotScored, match="no published model yet"):
        shares.of_project(project)
    documents = hold_out(project, annotator, [("red",)] * 9)
    add_scored(project, documents, [RED] * 9, stage="published")
    page = sign_in(lead).get(reverse("shares", args=[project.slug])).content.decode()
    assert "from 10 answered holdout documents on; there are 9" in page


def test_the_page_and_the_file_tell_the_same(
    project: Project, pool: list[Document], lead: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    assert "Shares of 140 documents" in client.get(reverse("shares", args=[project.slug])).content.decode()
    rows = client.get(reverse("shares-csv", args=[project.slug])).content.decode("utf-8-sig").splitlines()
    assert rows[0] == "label,share,low,high,about,holdout_low,holdout_high"
    assert [row.split(",")[0] for row in rows[1:]] == ["red", "green", "blue"]
