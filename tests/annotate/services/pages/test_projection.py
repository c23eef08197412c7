"""What the learning curve foretells, in sentences."""

from __future__ import annotations

import pytest

from annotate.models import ModelVersion, Project
from annotate.services.pages import projection

pytestmark = pytest.mark.django_db


def versions(project: Project, *points: tuple[int, float], family: str = "tfidf") -> list[ModelVersion]:
    made = [
        ModelVersion(
            project=project,
            number=number,
            family=family,
            labelled=labelled,
            holdout_documents=200,
            macro_f1=value,
            macro_f1_low=value - 0.02,
            macro_f1_high=value + 0.02,
        )
        for number, (labelled, value) in enumerate(points, 1)
    ]
    made[-1].stage = "published"
    return made


def test_a_rising_curve_says_what_more_labels_will_give(project: Project) -> None:
    rising = versions(project, (100, 0.50), (200, 0.61), (300, 0.67), (400, 0.71))
    foretold, goal = projection.sentences(rising)
    assert foretold.startswith("With 600 labels in all it should be about 0.7")
    assert goal.startswith("0.75 takes about ")


def test_fewer_than_four_points_foretell_nothing(project: Project) -> None:
    assert projection.sentences(versions(project, (100, 0.5), (200, 0.61), (300, 0.67))) == []


def test_a_flat_curve_is_called_flat(project: Project) -> None:
    flat = versions(project, (100, 0.70), (200, 0.71), (300, 0.70), (400, 0.705))
    (sentence,) = projection.sentences(flat)
    assert "flat" in sentence


def test_versions_of_another_kind_do_not_count(project: Project) -> None:
    others = versions(project, (100, 0.1), (200, 0.2), (300, 0.3), (400, 0.4), family="embedding")
    for one in others:
        one.stage = "retired"
    ours = versions(project, (500, 0.9))
    assert projection.sentences([*others, *ours]) == []


def test_without_a_published_version_nothing_is_foretold(project: Project) -> None:
    rising = versions(project, (100, 0.50), (200, 0.61), (300, 0.67), (400, 0.71))
    rising[-1].stage = "candidate"
    assert projection.sentences(rising) == []
