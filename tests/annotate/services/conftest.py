from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from annotate.models import Annotation, Document, Project, User
from training.registry import FAMILIES, STRATEGIES, Strategy

WORDS = {
    "red": ("rose", "ruby", "blood", "brick"),
    "green": ("leaf", "moss", "lime", "grass"),
    "blue": ("sky", "sea", "ink", "ice"),
}
FAKES = "tests.annotate.made.fakes"


@pytest.fixture
def only_tfidf(monkeypatch: pytest.MonkeyPatch, settings: object, tmp_path: Path) -> Iterator[None]:
    """Leave the family that needs no encoder, and strategies that need no clustering."""
    for fake in (
        Strategy("margin", "Margin", f"{FAKES}:most_unsure", reads_scores=True),
        Strategy("random", "Random", f"{FAKES}:first_rows"),
        Strategy("kmeans", "K", f"{FAKES}:first_rows", reads_vectors=True),
    ):
        monkeypatch.setitem(STRATEGIES, fake.key, fake)
    settings.BUNDLE_ROOT = tmp_path / "bundles"  # type: ignore[attr-defined]
    with mock.patch.dict(FAMILIES, {"tfidf": FAMILIES["tfidf"]}, clear=True):  # given back in their order
        yield


@pytest.fixture
def annotate() -> Callable[..., Annotation]:
    def annotate(document: Document, annotator: User, *names: str, **fields: object) -> Annotation:
        annotation = Annotation.objects.create(
            project=document.project,
            document=document,
            annotator=annotator,
            outcome=fields.pop("outcome", "answered"),
            **fields,
        )
        for name in names:
            annotation.choices.create(label=document.project.labels.get(name=name))
        return annotation

    return annotate


@pytest.fixture
def label_colours(
    add_documents: Callable[..., list[Document]], annotate: Callable[..., Annotation]
) -> Callable[..., None]:
    """Label `each` texts per colour that a model learns easily; `offset` makes other texts."""

    def label(
        project: Project, annotator: User, *, each: int = 6, lane: str = "pool", offset: int = 0
    ) -> None:
        for name, words in WORDS.items():
            for i in range(each):
                text = f"{words[i % 4]} and {words[(i + 1) % 4]} {lane} {offset + i}"
                (document,) = add_documents(project, text, lane=lane)
                annotate(document, annotator, name)

    return label
