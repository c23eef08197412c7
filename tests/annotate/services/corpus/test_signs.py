"""The nearest texts by signs and vectors, and the file that holds the signs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from annotate.models import Document, Embedding, Project
from annotate.services.corpus import signs
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training.types import FloatArray

ENCODER = "e"
DIMENSION = 100  # which fills two numbers of 64 signs in part


@pytest.fixture(autouse=True)
def bundles(tmp_path: Path, settings: object) -> Path:
    settings.BUNDLE_ROOT = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def unit(vectors: FloatArray) -> FloatArray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def embedded(project: Project) -> Callable[..., dict[int, FloatArray]]:
    """Store texts of given ids and give each a random vector; return the vectors by document."""

    def add(*ids: int, text: str = "text") -> dict[int, FloatArray]:
        store_rows(project=project, rows=[IncomingDocument(f"{text} {n}", external_id=str(n)) for n in ids])
        documents = project.documents.filter(external_id__in=ids)
        made = {
            document: unit(np.random.default_rng(document.pk).normal(size=DIMENSION))
            for document in documents
        }
        for document, vector in made.items():
            Embedding.objects.create(encoder=ENCODER, sha256=document.sha256, vector=vector.tobytes())
        return {document.pk: vector for document, vector in made.items()}

    return add


def update(project: Project) -> bool:
    return signs.update(project=project, fingerprint=ENCODER, tell=lambda stage, done: None)


def held(project: Project) -> list[int]:
    columns = signs.read(project, ENCODER)
    return [] if columns is None else columns[0].tolist()


def nearest(project: Project, vector: FloatArray) -> list[int]:
    return [pk for pk, _cosine in signs.nearest(project=project, fingerprint=ENCODER, vector=vector)]


def test_it_tells_the_same_as_a_look_at_every_vector(
    project: Project, embedded: Callable[..., dict[int, FloatArray]]
) -> None:
    vectors = embedded(*range(30))
    assert update(project)
    wanted = unit(np.random.default_rng(5).normal(size=DIMENSION))
    exact = sorted(vectors, key=lambda pk: -float(vectors[pk] @ wanted))
    assert nearest(project, wanted) == exact


def test_the_nearest_is_among_few_candidates(
    project: Project, embedded: Callable[..., dict[int, FloatArray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs, "CANDIDATES", 3)
    monkeypatch.setattr(signs, "BLOCK", 7)
    vectors = embedded(*range(30))
    update(project)
    for pk, vector in vectors.items():
        near = unit(vector + 0.02 * np.random.default_rng(pk).normal(size=DIMENSION))
        assert nearest(project, near)[0] == pk
        assert len(nearest(project, near)) == 3


def test_what_comes_changes_and_goes_is_followed(
    project: Project, embedded: Callable[..., dict[int, FloatArray]]
) -> None:
    first = embedded(1, 2, 3)
    update(project)
    changed, deleted, kept = sorted(first)
    store_rows(project=project, rows=[IncomingDocument("new", external_id="1")])
    Document.objects.get(pk=deleted).delete()
    assert nearest(project, first[kept]) == [kept]  # before the file follows
    update(project)
    assert held(project) == [kept]
    later = embedded(1, 4, text="other")
    update(project)
    assert held(project) == sorted([kept, *later])
    assert nearest(project, later[changed])[0] == changed


def test_a_document_without_a_vector_is_left_out_until_it_has_one(
    project: Project,
    add_documents: Callable[..., list[Document]],
    embedded: Callable[..., dict[int, FloatArray]],
) -> None:
    add_documents(project, "without")
    assert update(project)
    assert signs.read(project, ENCODER) is None
    vectors = embedded(1)
    update(project)
    assert held(project) == list(vectors)


def test_other_projects_are_left_out(
    project: Project, make_project: Callable[..., Project], embedded: Callable[..., dict[int, FloatArray]]
) -> None:
    vectors = embedded(1)
    other = make_project("other")
    store_rows(project=other, rows=[IncomingDocument("text 1")])
    update(project)
    update(other)
    assert held(project) == list(vectors)
    assert held(other) == [other.documents.get().pk]


def test_what_a_killed_worker_leaves_is_finished_by_the_next(
    project: Project, embedded: Callable[..., dict[int, FloatArray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = embedded(1, 2, 3)

    def killed(stage: str, done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        signs.update(project=project, fingerprint=ENCODER, tell=killed)
    assert signs.read(project, ENCODER) is None
    monkeypatch.setattr(signs, "READ", 2)
    monkeypatch.setattr(signs, "SECONDS", 0.0)
    assert not update(project)
    assert held(project) == []
    monkeypatch.setattr(signs, "SECONDS", 20.0)
    assert update(project)
    assert held(project) == sorted(vectors)


def test_the_file_of_an_earlier_encoder_goes(
    project: Project, embedded: Callable[..., dict[int, FloatArray]]
) -> None:
    vectors = embedded(1)
    update(project)
    earlier = signs.path_of(project, "earlier")
    earlier.write_bytes(signs.path_of(project, ENCODER).read_bytes())
    update(project)
    assert not earlier.exists()
    assert held(project) == list(vectors)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_made_anew(
    content: bytes, project: Project, embedded: Callable[..., dict[int, FloatArray]]
) -> None:
    vectors = embedded(1)
    update(project)
    signs.path_of(project, ENCODER).write_bytes(content)
    assert nearest(project, vectors[next(iter(vectors))]) == []
    update(project)
    assert held(project) == list(vectors)


def test_an_array_that_asks_for_objects_is_not_opened(project: Project, bundles: Path) -> None:
    path = signs.path_of(project, ENCODER)
    path.parent.mkdir(parents=True)
    np.save(path, np.array([[{}], [{}], [{}]], dtype=object), allow_pickle=True)
    assert signs.read(project, ENCODER) is None
