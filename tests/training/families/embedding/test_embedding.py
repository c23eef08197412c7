"""The embedding family beyond what every family holds: names, neighbours, student, warm starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import FILLER, WORDS, WordEmbedder, make_dataset
from training.encoders.names import phrases, readable
from training.encoders.neighbours import nearest
from training.families.embedding.choice import ENOUGH, PENALTIES, choose_parts
from training.families.embedding.model import EmbeddingModel
from training.families.embedding.recipe import Material, Parts, fit_plain, fit_student, fit_teacher
from training.tasks import MULTI, SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, Neighbours, Pool, Task, TrainingError


def rows(data: Dataset, chosen: Any) -> Dataset:
    kept = np.arange(len(data))[chosen]
    return Dataset(data.schema, tuple(data.texts[i] for i in kept), data.targets[kept])


def clear(documents: int, seed: int = 0) -> Dataset:
    """Return texts of three words of their label and one that says nothing."""
    rng = np.random.default_rng(seed)
    schema = LabelSchema(SINGLE, tuple(LabelSpec(key, " ".join(WORDS[key])) for key in WORDS))
    answers = [str(key) for key in rng.choice(list(WORDS), documents)]
    texts = [" ".join([*rng.choice(WORDS[key], 3), str(rng.choice(FILLER))]) for key in answers]
    return Dataset(schema, tuple(texts), schema.encode([answer] for answer in answers))


def with_pool(data: Dataset, others: Dataset) -> Dataset:
    vectors = WordEmbedder().embed(data.texts + others.texts)
    return replace(data, pool=Pool(others.texts, nearest(vectors)))


def fitted(data: Dataset, **settings: Any) -> EmbeddingModel:
    return EmbeddingModel(embedder=WordEmbedder(), **settings).fit(data, valid=rows(data, slice(0)))


def right(model: EmbeddingModel, data: Dataset) -> float:
    found = model.predict_proba(data.texts).argmax(axis=1)
    return float((found == data.targets.argmax(axis=1)).mean())


@pytest.mark.parametrize("name", ["card_arrival", "card-arrival", "cardArrival", " card  arrival? "])
def test_names_are_read_as_words(name: str) -> None:
    assert readable(name).lower() == "card arrival"


def test_names_of_other_scripts_and_of_signs_alone_stay_readable() -> None:
    assert readable("доставка_карты") == "доставка карты"
    assert phrases(LabelSpec("k", "+++"))[0] == "+++"


def test_a_description_is_read_too() -> None:
    assert "the plastic did not come" in phrases(LabelSpec("k", "card", "the plastic did not come"))


def test_names_alone_are_a_model_before_the_first_label(task: Task) -> None:
    unseen = clear(60)
    schema = replace(unseen.schema, task=task)
    nothing = Dataset(schema, (), unseen.targets[:0])
    assert right(fitted(nothing), unseen) > 0.8
    with pytest.raises(TrainingError, match="label"):
        fitted(nothing, names=False)


def test_one_class_only_is_refused_where_names_cannot_help() -> None:
    data = make_dataset(SINGLE, 30)
    same = rows(data, data.targets[:, 0] == 1)
    with pytest.raises(TrainingError, match="at least two labels"):
        fitted(same, names=False)
    assert fitted(same).predict_proba(("card",)).shape == (1, 3)


def test_the_pool_is_scored_by_the_teacher_and_helps_the_student() -> None:
    data, unseen = clear(300), clear(100, seed=1)
    few = with_pool(rows(data, slice(4)), rows(data, slice(4, 300)))
    model = fitted(few)
    assert model.pool_scores().shape == (296, 3)
    np.testing.assert_allclose(model.pool_scores().sum(axis=1), 1, atol=1e-5)
    alone = fitted(rows(data, slice(4)), names=False)
    assert right(model, unseen) > right(alone, unseen)


def test_each_part_can_be_switched_off() -> None:
    data = make_dataset(SINGLE, 60)
    few = with_pool(rows(data, slice(9)), rows(data, slice(9, 60)))
    model = fitted(few, names=False, neighbours=False, student=False)
    assert model.details_["names"] is model.details_["neighbours"] is model.details_["student"] is False
    plain = fitted(rows(data, slice(9)), names=False)
    np.testing.assert_allclose(model.predict_proba(data.texts), plain.predict_proba(data.texts), atol=1e-5)
    np.testing.assert_allclose(model.pool_scores(), plain.predict_proba(few.pool.texts), atol=1e-5)


def test_neighbours_and_student_stay_out_of_multi_label() -> None:
    data = make_dataset(MULTI, 90)
    model = fitted(with_pool(rows(data, slice(40)), rows(data, slice(40, 90))))
    assert (model.details_["neighbours"], model.details_["student"]) == (False, False)
    assert model.pool_scores().shape == (50, 3)


def test_names_that_mislead_are_dropped_by_cross_validation() -> None:
    data = make_dataset(SINGLE, 120)
    keys = list(WORDS)
    wrong = tuple(LabelSpec(key, " ".join(WORDS[keys[j - 1]])) for j, key in enumerate(keys))
    misled = replace(rows(data, slice(ENOUGH + 10)), schema=LabelSchema(SINGLE, wrong))
    assert fitted(data).details_["names"] is True
    assert fitted(misled).details_["names"] is False


@pytest.mark.parametrize("seed", [0, 2])
def test_a_model_without_wrong_names_has_its_own_penalty(seed: int) -> None:
    """The penalty that makes the best of them is so strong that it hides how much they harm."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, 32))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    answers = np.repeat(np.arange(20), 2)
    vectors = centres[answers] + rng.normal(0, 0.1, (40, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    material = Material(
        task=SINGLE,
        vectors=vectors.astype(np.float32),
        targets=np.eye(20, dtype=np.float32)[answers],
        names=np.roll(centres, 1, axis=0).astype(np.float32),
    )
    wanted = Parts(names=True, neighbours=False, student=False, penalty=0.0)
    chosen = choose_parts(material, wanted, np.random.default_rng(0))
    assert (chosen.names, chosen.penalty) == (False, PENALTIES[SINGLE.score_kind][0])


def test_neighbours_that_mislead_are_dropped_by_cross_validation() -> None:
    data = make_dataset(SINGLE, 200)
    rng = np.random.default_rng(0)
    anyone = Neighbours(rng.integers(200, size=(200, 10)), np.ones((200, 10), np.float32))
    pool = Pool(data.texts[120:], anyone)
    model = fitted(replace(rows(data, slice(120)), pool=pool), student=False, names=False)
    assert model.details_["neighbours"] is False


def test_the_parts_are_chosen_anew_only_when_the_labels_have_grown_by_half(tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 200)
    previous, decided = None, []
    for labels in (40, 50, 60, 70):
        model = fitted(rows(data, slice(labels)), previous=previous)
        previous = tmp_path / str(labels)
        previous.mkdir()
        model.save(previous)
        decided.append(model.details_["parts_decided_at"])
    assert decided == [40, 40, 60, 60]


def test_a_warm_start_from_a_bundle_changes_no_decision(tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 120)
    fitted(rows(data, slice(80))).export(tmp_path)
    warm, cold = fitted(data, previous=tmp_path, penalty=0.1), fitted(data, penalty=0.1)
    np.testing.assert_allclose(warm.predict_proba(data.texts), cold.predict_proba(data.texts), atol=0.02)


def test_a_label_that_came_or_went_does_not_disturb_a_warm_start(tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 120)
    fitted(data).export(tmp_path)
    labels = (LabelSpec("new", "New"), *data.schema.labels[1:])
    changed = replace(data, schema=LabelSchema(SINGLE, labels))
    assert right(fitted(changed, previous=tmp_path), changed) > 0.9


@pytest.mark.parametrize("broken", ["gone", "empty", "damaged", "other encoder"])
def test_an_earlier_run_that_is_of_no_use_is_passed_over(tmp_path: Path, broken: str) -> None:
    data = make_dataset(SINGLE, 60)
    model = fitted(data)
    if broken == "damaged":
        model.export(tmp_path)
        (tmp_path / "model.onnx").write_bytes(b"\xff\xff\xff")
    if broken == "other encoder":
        other = WordEmbedder()
        other.fingerprint = "1" * 64
        EmbeddingModel(embedder=other).fit(data, valid=rows(data, slice(0))).export(tmp_path)
    folder = tmp_path / "gone" if broken == "gone" else tmp_path
    again = fitted(data, previous=folder)
    np.testing.assert_array_equal(again.predict_proba(data.texts), model.predict_proba(data.texts))


def test_a_saved_model_refuses_another_encoder(tmp_path: Path) -> None:
    fitted(make_dataset(SINGLE, 60)).save(tmp_path)
    other = WordEmbedder()
    other.fingerprint = "1" * 64
    with pytest.raises(TrainingError, match="needs the vectors"):
        EmbeddingModel.load(tmp_path, embedder=other)


@pytest.mark.parametrize("with_others", [True, False])
def test_out_of_fold_scores_come_from_heads_that_had_not_seen_the_document(with_others: bool) -> None:
    data = make_dataset(SINGLE, 60)
    shuffled = replace(data, targets=np.random.default_rng(0).permutation(data.targets))
    learned = with_pool(shuffled, make_dataset(SINGLE, 60, seed=1)) if with_others else shuffled
    model = fitted(learned, names=False)
    scores = model.out_of_fold(np.arange(60) % 3)
    found = (scores.argmax(axis=1) == shuffled.targets.argmax(axis=1)).mean()
    assert scores.shape == (60, 3)
    assert found < 0.6  # the labels are noise: a head that had seen them would know far more


@pytest.mark.parametrize(("documents", "times"), [(400, 1.0), (1_500, 1.5)])
def test_many_documents_bear_a_higher_penalty(documents: int, times: float) -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, documents)
    vectors = rng.normal(size=(documents, 4)).astype(np.float32)
    vectors[:, 0] += 3.0 * answers
    material = Material(SINGLE, vectors, np.eye(2, dtype=np.float32)[answers])
    wanted = Parts(names=False, neighbours=False, student=False, penalty=0.0)
    chosen = choose_parts(material, wanted, np.random.default_rng(1))
    assert chosen.penalty / times == pytest.approx(PENALTIES[SINGLE.score_kind][0])
    assert choose_parts(material, replace(wanted, penalty=0.2), rng).penalty == 0.2


def test_what_is_left_out_of_a_material_is_left_out_of_each_of_its_parts() -> None:
    column = np.arange(4, dtype=np.float32)[:, None]
    material = Material(
        SINGLE,
        column,
        column + 10,
        smoothed=column + 20,
        weights=column + 30,
        pool=column,
        smoothed_pool=-column,
    )
    kept = material.rows(np.array([3, 1])).with_pool(np.array([2]))
    labelled = (kept.vectors, kept.targets, kept.smoothed, kept.weights)
    assert [part.ravel().tolist() for part in labelled if part is not None] == [
        [3, 1],
        [13, 11],
        [23, 21],
        [33, 31],
    ]
    assert (kept.pool, kept.smoothed_pool) == (np.array([[2]]), np.array([[-2]]))
    bare = Material(SINGLE, column, column).rows(np.array([0])).with_pool(np.array([0]))
    assert (bare.smoothed, bare.weights, bare.pool, bare.smoothed_pool) == (None, None, None, None)


PLAIN = Parts(names=False, neighbours=False, student=False, penalty=0.5)
TAUGHT = Parts(names=False, neighbours=True, student=True, penalty=0.5)


def beside_a_boundary(surer: list[float]) -> Material:
    """Return two labels at -1 and +1, and pool documents as far from the boundary as `surer` says.

    The student sees none of that: to it every document of the pool is a direction of its own.
    """
    vectors = np.zeros((40, 1 + len(surer)), np.float32)
    vectors[:, 0] = np.repeat([-1.0, 1.0], 20)
    smoothed_pool = np.zeros((len(surer), vectors.shape[1]), np.float32)
    smoothed_pool[:, 0] = surer
    pool = np.eye(vectors.shape[1], dtype=np.float32)[1:]
    targets = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    return Material(SINGLE, vectors, targets, smoothed=vectors, pool=pool, smoothed_pool=smoothed_pool)


def student_of(material: Material, **settings: Any) -> Any:
    teacher = fit_teacher(material, TAUGHT)
    return fit_student(material, TAUGHT, teacher, np.random.default_rng(0), **settings)


def test_the_student_learns_from_what_its_teacher_is_surest_of_and_not_from_the_rest() -> None:
    distance = [0.9, -0.1, 0.8, -1.0, 0.7, 0.6, -0.7, -0.6, 0.5, 1.0]
    learned = student_of(beside_a_boundary(distance)).weights[1:]  # (pool, labels)
    assert (learned[1] == 0).all()
    others = np.delete(np.arange(10), 1)
    np.testing.assert_array_equal(learned[others].argmax(axis=1), np.array(distance)[others] > 0)
    assert (np.abs(learned[others]) > 0.01).all()


def test_a_student_is_held_three_times_as_strongly_as_a_head_that_learns_from_labels_alone() -> None:
    material = beside_a_boundary([0.5])  # nine tenths of one document are none: the labels alone are left
    student = student_of(material, iterations=60)
    held = fit_plain(material, replace(PLAIN, penalty=3 * PLAIN.penalty))
    np.testing.assert_allclose(student.weights, held.weights, atol=1e-4)
    assert np.linalg.norm(student.weights) < 0.9 * np.linalg.norm(fit_plain(material, PLAIN).weights)


def test_a_label_that_the_teacher_gives_seldom_weighs_more() -> None:
    learned = student_of(beside_a_boundary([1.0] * 18 + [-1.01] * 2)).weights[1:]  # (pool, labels)
    common, rare = np.abs(learned[:16]).mean(), np.abs(learned[18:]).mean()
    assert rare > 1.5 * common


def test_what_the_teacher_says_counts_less_than_what_a_person_says() -> None:
    """The pool contradicts the labels: each document that counts as label 0 lies where label 1 does."""
    material = beside_a_boundary([-1.0] * 40)
    twisted = replace(material, pool=np.repeat(material.vectors[-1:], 40, axis=0))
    student = student_of(twisted)
    assert (student.logits(material.vectors).argmax(axis=1) == material.targets.argmax(axis=1)).all()
