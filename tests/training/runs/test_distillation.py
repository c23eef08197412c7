from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset, write_csv
from training.__main__ import main
from training.bundles.predictor import Predictor
from training.families.embedding.model import EmbeddingModel
from training.families.shared import teaching
from training.families.shared.teaching import SUREST, fit_taught, with_fewer, with_scores, with_surest
from training.families.tfidf.model import TfidfModel
from training.figures.evaluate import macro_f1
from training.protocol import LearnsSoftly
from training.reportcard import measurement
from training.runs.distillation import recovered, teach, unlabelled
from training.runs.pipeline import calibrate_and_tune, fit_model, rows_of, train_and_package
from training.splits import assign_folds
from training.tasks import MULTI, SINGLE
from training.types import Dataset, FloatArray, Pool, RunSpec, Task, Taught, TrainingError

SPEC = RunSpec("tfidf")


@pytest.fixture
def teacher(task: Task, tmp_path: Path) -> Predictor:
    data = make_dataset(task, 200, seed=7)
    report = train_and_package(
        SPEC, data, tmp_path / "teacher", tuning=none_of(data), reporting=none_of(data)
    )
    return Predictor(report.bundle)


def none_of(data: Dataset) -> Dataset:
    return rows_of(data, np.zeros(0, np.int64))


def few(task: Task) -> Dataset:
    """Return one document of each label: too few to tell topics from filler."""
    data = make_dataset(task, 90)
    rows = [int(np.flatnonzero(data.targets[:, j])[0]) for j in range(3)]
    return rows_of(data, np.array(rows))


def reached(model: TfidfModel | EmbeddingModel, task: Task) -> float:
    unseen = make_dataset(task, 120, seed=1)
    scores = model.predict_proba(unseen.texts)
    found = macro_f1(unseen.targets, task.decide(scores, np.full(3, 0.5, np.float32)))
    assert found is not None
    return found


def test_a_student_learns_what_its_labels_alone_do_not_tell(teacher: Predictor, task: Task) -> None:
    labelled, pool = few(task), make_dataset(task, 150, seed=3).texts
    alone = fit_model(SPEC, labelled, none_of(labelled)).model
    student = fit_model(SPEC, teach(teacher, labelled, pool), none_of(labelled)).model
    assert reached(student, task) > reached(alone, task) + 0.1  # type: ignore[arg-type]


def test_a_teacher_alone_is_enough(teacher: Predictor, task: Task) -> None:
    nothing = none_of(few(task))
    student = fit_model(SPEC, teach(teacher, nothing, make_dataset(task, 150, seed=3).texts), nothing).model
    assert reached(student, task) > 0.85  # type: ignore[arg-type]


def test_the_teacher_says_calibrated_scores_and_its_own_decisions(teacher: Predictor, task: Task) -> None:
    texts = make_dataset(task, 30, seed=3).texts
    taught = teach(teacher, few(task), texts).taught
    assert taught is not None
    np.testing.assert_array_equal(taught.scores, teacher.predict_proba(texts))
    chosen = [tuple(np.flatnonzero(row).tolist()) for row in taught.decisions]
    assert chosen == teacher.decide(taught.scores)


def test_a_teacher_of_other_labels_and_an_empty_pool_are_refused(teacher: Predictor, task: Task) -> None:
    data = few(task)
    turned = replace(data, schema=replace(data.schema, labels=data.schema.labels[::-1]))
    with pytest.raises(TrainingError, match="other labels than the teacher"):
        teach(teacher, turned, ["card"])
    with pytest.raises(TrainingError, match="The pool has no text"):
        teach(teacher, data, [])


def test_texts_that_are_labelled_or_measured_on_are_not_taught() -> None:
    data = make_dataset(SINGLE, 2)
    pool = ["new one", "New one!", data.texts[0].upper(), "another"]
    assert unlabelled(pool, data) == ("new one", "another")


def taught_dataset(scores: FloatArray) -> Dataset:
    data = few(SINGLE)
    texts = tuple(f"text {i}" for i in range(len(scores)))
    return replace(data, taught=Taught(texts, scores, np.eye(3, dtype=np.float32)[scores.argmax(axis=1)]))


def test_soft_learning_takes_all_texts_with_their_probabilities() -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 20).astype(np.float32)
    joined = with_scores(taught_dataset(scores))
    assert joined.taught is None
    assert len(joined) == 23
    np.testing.assert_array_equal(joined.targets[3:], scores)


def test_hard_learning_takes_the_surest_texts_with_their_decisions() -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 20).astype(np.float32)
    scores[4], scores[11] = (0.34, 0.33, 0.33), (0.33, 0.33, 0.34)
    joined = with_surest(taught_dataset(scores))
    assert len(joined) == 3 + int(SUREST * 20)
    assert joined.texts[3:] == tuple(f"text {i}" for i in range(20) if i not in (4, 11))
    np.testing.assert_array_equal(
        joined.targets[3:].argmax(axis=1), np.delete(scores, (4, 11), 0).argmax(axis=1)
    )
    assert set(np.unique(joined.targets)) == {0.0, 1.0}


def test_a_fold_is_taught_fewer_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "_OF_A_FOLD", 5)
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 20).astype(np.float32)
    found = with_fewer(taught_dataset(scores)).taught
    assert found is not None
    rows = [int(text.split()[1]) for text in found.texts]
    assert (rows[0], rows[-1], len(rows)) == (0, 19, 5)
    np.testing.assert_array_equal(found.scores, scores[rows])


def test_a_family_that_takes_no_probabilities_gets_labels() -> None:
    class Hard:
        def fit(self, dataset: Dataset, *, valid: Dataset) -> Hard:
            self.seen = dataset
            return self

    model = Hard()
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 20).astype(np.float32)
    fit_taught(model, taught_dataset(scores), valid=none_of(few(SINGLE)))  # type: ignore[arg-type]
    assert len(model.seen) == 21
    assert set(np.unique(model.seen.targets)) == {0.0, 1.0}


def test_both_linear_families_learn_softly() -> None:
    assert isinstance(TfidfModel(), LearnsSoftly)
    assert isinstance(EmbeddingModel(embedder=WordEmbedder()), LearnsSoftly)


def test_only_labels_of_people_are_calibrated_on(teacher: Predictor, task: Task) -> None:
    labelled = make_dataset(task, 30)
    data = teach(teacher, labelled, make_dataset(task, 60, seed=3).texts)
    spec = RunSpec("embedding")
    for chosen, embedder in ((SPEC, None), (spec, WordEmbedder())):
        model = fit_model(chosen, data, none_of(data), embedder).model
        assert calibrate_and_tune(chosen, data, none_of(data), model, embedder).documents == 30


def test_each_fold_of_the_embedding_family_learns_from_the_teacher(teacher: Predictor, task: Task) -> None:
    labelled = few(task)
    data = teach(teacher, labelled, make_dataset(task, 150, seed=3).texts)
    model = EmbeddingModel(embedder=WordEmbedder(), names=False).fit_softly(data, valid=none_of(data))
    scores = model.out_of_fold(assign_folds(labelled, 3, np.random.default_rng(0)))
    # Alone, a fold has no document of the label that it is asked for.
    assert scores.shape == (3, 3)
    assert (scores[labelled.targets > 0] > 0.4).all()


def test_texts_that_were_taught_may_be_the_pool_as_well(
    teacher: Predictor, task: Task, tmp_path: Path
) -> None:
    labelled, pool = make_dataset(task, 30), make_dataset(task, 60, seed=3).texts
    told: list[float] = []
    data = teach(teacher, replace(labelled, pool=Pool(pool)), pool, tell=told.append)
    assert told == [1.0]
    for spec, embedder in ((SPEC, None), (RunSpec("embedding"), WordEmbedder())):
        report = train_and_package(
            spec,
            data,
            tmp_path / spec.family,
            tuning=none_of(data),
            reporting=none_of(data),
            embedder=embedder,
        )
        assert report.pool_scores is not None
        assert report.pool_scores.shape == (60, 3)
        assert report.labelled == 30


@pytest.mark.parametrize(
    ("alone", "student", "teacher", "share"),
    [(0.5, 0.7, 0.9, 0.5), (0.5, 0.4, 0.9, -0.25), (0.9, 0.95, 0.9, None), (None, 0.5, 0.9, None)],
)
def test_the_recovered_share_is_of_the_gap(
    alone: float | None, student: float, teacher: float, share: float | None
) -> None:
    found = recovered(alone, student, teacher)
    assert found is None if share is None else found == pytest.approx(share)


def write_pool(path: Path, texts: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    return path


def test_the_command_puts_teacher_and_student_side_by_side(
    teacher: Predictor, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "_SINGLES", 60)
    pool = write_pool(tmp_path / "pool.csv", make_dataset(task, 150, seed=3).texts)
    labelled = write_csv(tmp_path / "train.csv", few(task))
    test = write_csv(tmp_path / "test.csv", make_dataset(task, 120, seed=1))
    columns = ["--text", "text", "--label", "label", *(["--multi", "|"] if task is MULTI else [])]
    places = ["--out", str(tmp_path / "student"), "--json", str(tmp_path / "out.json")]
    files = ["--pool", str(pool), "--train", str(labelled), "--test", str(test)]
    assert main(["distil", str(tmp_path / "teacher"), *files, *columns, "--family", "tfidf", *places]) == 0
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    names = [row["name"] for row in found["candidates"]]
    assert names == ["teacher", "tfidf:alone", "tfidf:distilled"]
    assert found["recovered"] > 0.2
    assert 100 < found["taught"] <= 150
    assert Predictor(tmp_path / "student").manifest.figures["labelled"] == 3
