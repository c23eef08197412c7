"""What is chosen next: by the project's strategy, or by what suits while it has nothing to look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annotate.models import Assignment, Document, Project
from annotate.services.corpus import snapshots
from annotate.services.runs import next_batch
from annotate.services.runs.next_batch import SeenVectors
from training.registry import STRATEGIES, Strategy
from training.strategies import novelty

pytestmark = pytest.mark.django_db
FAKES = "tests.annotate.made.fakes"
NOTHING = np.zeros((0, 8), np.float32)


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strategies that need no clustering, and say by their entries what they look at."""
    for key, scores, vectors in (
        ("random", False, False),
        ("kmeans", False, True),
        ("margin", True, False),
        ("both", True, True),
    ):
        name = "most_unsure" if scores else "first_rows"
        entry = Strategy(key, key, f"{FAKES}:{name}", reads_scores=scores, reads_vectors=vectors)
        monkeypatch.setitem(STRATEGIES, key, entry)


@pytest.fixture
def pool(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, "one", "two", "three")


@pytest.mark.parametrize(
    ("wanted", "has_scores", "has_vectors", "chosen"),
    [
        ("margin", True, False, "margin"),
        ("margin", False, True, "kmeans"),
        ("margin", False, False, "random"),
        ("kmeans", True, True, "kmeans"),
        ("kmeans", True, False, "random"),
        ("both", True, True, "both"),
        ("both", True, False, "random"),
        ("both", False, True, "kmeans"),
        ("random", False, False, "random"),
    ],
)
def test_a_strategy_that_has_nothing_to_look_at_gives_way(
    project: Project, pool: list[Document], wanted: str, has_scores: bool, has_vectors: bool, chosen: str
) -> None:
    project.strategy = wanted
    batch = next_batch.choose(
        project=project,
        snapshot=snapshots.take(project=project),
        scores=np.full((3, 3), 1 / 3, np.float32) if has_scores else None,
        vectors=SeenVectors(np.eye(3, 8, dtype=np.float32), NOTHING) if has_vectors else None,
    )
    assert batch is not None
    assert batch.strategy == chosen


def test_what_the_model_is_least_sure_of_comes_first(project: Project, pool: list[Document]) -> None:
    project.strategy, project.batch_size = "margin", 2
    project.random_share = project.novel_share = project.holdout_queue_share = 0
    snapshot = snapshots.take(project=project)
    scores = np.array([[0.9, 0.1, 0.0], [0.4, 0.3, 0.3], [0.6, 0.2, 0.2]], np.float32)
    next_batch.choose(project=project, snapshot=snapshot, scores=scores)
    places = Assignment.objects.order_by("rank").values_list("document", flat=True)
    assert list(places) == snapshot.pool_ids[[1, 2]].tolist()


def test_a_share_is_unlike_what_has_a_label_and_says_so(
    project: Project, pool: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(novelty, "LABELS", 1)
    monkeypatch.setattr(novelty, "NEW", -2.0)  # so few texts have no dense place
    monkeypatch.setattr(np.random, "default_rng", lambda *seed: np.random.Generator(np.random.PCG64(2)))
    project.strategy, project.batch_size = "margin", 2
    project.random_share, project.novel_share, project.holdout_queue_share = 0, 0.5, 0
    snapshot = snapshots.take(project=project)
    scores = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0]], np.float32)
    vectors = np.array([[1, 0], [0.8, 0.6], [-0.8, -0.6]], np.float32)
    seen = SeenVectors(vectors, np.array([[1, 0]], np.float32))
    next_batch.choose(project=project, snapshot=snapshot, scores=scores, vectors=seen)
    places = dict(Assignment.objects.values_list("document", "is_novel"))
    assert len(places) == 2
    assert places[snapshot.pool_ids[1]] is False  # the model is least sure of it
    assert True in places.values()
    seen = SeenVectors(vectors, NOTHING[:, :2])
    next_batch.choose(project=project, snapshot=snapshot, scores=scores, vectors=seen)
    assert not Assignment.objects.filter(is_novel=True).exists()


def test_an_empty_pool_leaves_the_queue_as_it_is(project: Project) -> None:
    assert next_batch.choose(project=project, snapshot=snapshots.take(project=project)) is None
    assert not project.batches.exists()
