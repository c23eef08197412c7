"""The confusion matrix as a page shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import ModelVersion, Project, User
from annotate.services.pages import confusion

pytestmark = pytest.mark.django_db


def add_confused(project: Project, table: list[list[int]] | None, number: int = 1) -> ModelVersion:
    labels = list(project.labels.order_by("position").values_list("pk", flat=True))
    report: dict[str, Any] = {} if table is None else {"confusion": table}
    return ModelVersion.objects.create(
        project=project, number=number, family="tfidf", labelled=9, holdout_documents=0, label_ids=labels,
        report=report,
    )  # fmt: skip


def test_a_version_without_a_matrix_has_no_picture(project: Project) -> None:
    assert confusion.picture(add_confused(project, None)) is None
    assert confusion.picture(add_confused(project, [[0] * 3] * 3, number=2)) is None


def test_labels_that_are_taken_for_each_other_stand_together(project: Project) -> None:
    shown = confusion.picture(add_confused(project, [[9, 0, 6], [0, 9, 0], [5, 1, 9]]))
    assert shown is not None
    names = [label.name for label in shown.labels]
    assert abs(names.index("red") - names.index("blue")) == 1
    assert (shown.mistakes, shown.documents, shown.near) == (12, 39, 1.0)
    assert [(cell.label.name, cell.decided.name, cell.documents) for cell in shown.linked] == [
        ("red", "blue", 6),
        ("blue", "red", 5),
        ("blue", "green", 1),
    ]
    assert all(cell.is_right for cell in shown.others)
    assert {label.name for label in shown.blocks[0].labels} >= {"red", "blue"}


def test_a_shade_is_the_share_of_the_row(project: Project) -> None:
    shown = confusion.picture(add_confused(project, [[1, 1, 98], [0, 5, 0], [0, 0, 5]]))
    assert shown is not None
    shades = {(cell.label.name, cell.decided.name): cell.shade for cell in (*shown.linked, *shown.others)}
    assert shades["red", "blue"] == 5
    assert shades["red", "green"] == shades["red", "red"] == 1
    assert shades["green", "green"] == 5


def test_a_label_that_is_gone_is_left_out(project: Project) -> None:
    version = add_confused(project, [[1, 3, 4], [0, 1, 0], [0, 0, 1]])
    project.labels.get(name="blue").delete()
    shown = confusion.picture(version)
    assert shown is not None
    assert {label.name for label in shown.labels} == {"red", "green"}
    assert shown.mistakes == 3


def test_only_the_worst_cells_of_a_large_matrix_open_documents(project: Project) -> None:
    labels = [project.labels.create(name=f"label {n}", position=n + 10) for n in range(77)]
    counts = np.random.default_rng(0).integers(0, 2, (77, 77))
    version = add_confused(project, None)
    version.label_ids = [label.pk for label in labels]
    version.report = {"confusion": counts.tolist()}
    shown = confusion.picture(version)
    assert shown is not None
    assert len(shown.linked) == confusion.MOST_LINKED
    assert len(shown.linked) + len(shown.others) == int(counts.sum())


def test_the_picture_of_150_labels_is_quick_to_load(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    """A version that is wrong of two in ten holdout documents, 30 of each label, by habit and by chance."""
    labels = [project.labels.create(name=f"label_{n}", position=n + 10) for n in range(150)]
    rng = np.random.default_rng(0)
    wrong = [rng.multinomial(6, rng.dirichlet(np.full(150, 0.1))) for _ in labels]
    counts = 24 * np.eye(150, dtype=np.int64) + np.array(wrong)
    version = add_confused(project, None)
    version.label_ids, version.report = [label.pk for label in labels], {"confusion": counts.tolist()}
    version.save()
    page = sign_in(lead).get(reverse("version", args=[project.slug, 1])).content.decode()
    start = page.index('<figure class="matrix">')
    picture = page[start : page.index("</figure>", start)]
    assert picture.count("<rect") == confusion.MOST_LINKED
    assert len(picture.encode()) <= 60_000
