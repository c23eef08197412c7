"""What every family must hold, asked of each entry of the registry and of a toy that only the tests know.

A new family passes these tests with nothing but its folder and its entry.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset
from tests.training.families.toy import TOY
from training.bundles.predictor import Predictor
from training.families.build import build_model
from training.figures.evaluate import macro_f1
from training.protocol import Explains, LearnsSoftly, ReportsProgress, TextModel
from training.registry import FAMILIES
from training.runs.pipeline import fit_model, rows_of, train_and_package
from training.tasks import SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec, Task, TrainingError

KEYS = sorted([*(key for key, family in FAMILIES.items() if family.suits(SINGLE)), TOY.key])
every_family = pytest.mark.parametrize("family", KEYS)
# The others compare texts with the names of labels, and have a test file of their own.
every_learner = pytest.mark.parametrize("family", [key for key in KEYS if FAMILIES.get(key, TOY).learns])

# What a family needs beyond its defaults to learn from so little data; filled before the first test.
PARAMS: dict[str, dict[str, Any]] = {
    "transformer": {"learning_rate": 1e-2, "epochs": 15, "overlap": 8, "int8": False},
}


@pytest.fixture(scope="module", autouse=True)
def known_checkpoint(checkpoint: str) -> None:
    PARAMS["transformer"]["checkpoint"] = checkpoint


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, TOY.key, TOY)


def needed(family: str) -> WordEmbedder | None:
    return WordEmbedder() if FAMILIES[family].reads_vectors else None


def constructor_of(family: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(FAMILIES[family].load()).parameters)


def quickly(family: str) -> dict[str, Any]:
    """Return parameters with which a family that passes over its documents again and again does so once."""
    return PARAMS.get(family, {}) | ({"epochs": 1} if "epochs" in constructor_of(family) else {})


def fitted(family: str, dataset: Dataset, **spec: Any) -> TextModel:
    return fit_model(
        RunSpec(family, PARAMS.get(family, {}), **spec), dataset, empty(dataset), needed(family)
    ).model


def empty(dataset: Dataset) -> Dataset:
    return Dataset(dataset.schema, (), dataset.targets[:0])


@every_family
def test_scores_are_probabilities_of_documents_by_labels(family: str, dataset: Dataset) -> None:
    scores = fitted(family, dataset).predict_proba(dataset.texts)
    assert scores.shape == dataset.targets.shape
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    if dataset.schema.task is SINGLE:
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@every_learner
def test_it_learns(family: str, task: Task, dataset: Dataset) -> None:
    unseen = make_dataset(task, 60, seed=1)
    scores = fitted(family, dataset).predict_proba(unseen.texts)
    reached = macro_f1(unseen.targets, task.decide(scores, np.full(3, 0.4, np.float32)))
    assert reached is not None
    assert reached > 0.8


@every_family
def test_columns_follow_the_schema_in_any_order(family: str, dataset: Dataset) -> None:
    order = [2, 0, 1]
    schema = replace(dataset.schema, labels=tuple(dataset.schema.labels[j] for j in order))
    turned = Dataset(schema, dataset.texts, dataset.targets[:, order])
    expected = fitted(family, dataset).predict_proba(dataset.texts)[:, order]
    np.testing.assert_allclose(fitted(family, turned).predict_proba(dataset.texts), expected, atol=0.02)


@every_family
def test_the_same_seed_gives_the_same_scores(family: str, dataset: Dataset) -> None:
    first, second = (fitted(family, dataset, seed=3).predict_proba(dataset.texts) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every_family
def test_a_loaded_model_scores_like_the_saved_one(family: str, dataset: Dataset, tmp_path: Path) -> None:
    model = fitted(family, dataset)
    model.save(tmp_path)
    given = {"embedder": needed(family)} if needed(family) else {}
    loaded = type(model).load(tmp_path, **given)
    texts = (*dataset.texts[:20], "", "unheard of")
    np.testing.assert_array_equal(loaded.predict_proba(texts), model.predict_proba(texts))


@every_family
def test_the_bundle_agrees_with_the_model(family: str, dataset: Dataset, tmp_path: Path) -> None:
    spec, embedder = RunSpec(family, PARAMS.get(family, {})), needed(family)
    report = train_and_package(
        spec, dataset, tmp_path / "bundle", tuning=empty(dataset), reporting=dataset, embedder=embedder
    )
    model = fit_model(spec, dataset, empty(dataset), embedder).model
    texts = (*dataset.texts, "", "привет, 你好 😀", "x" * 5_000)
    found = Predictor(report.bundle).predict_raw(texts, embedder=embedder)
    np.testing.assert_allclose(found, model.predict_proba(texts), atol=1e-3)
    assert report.parity.same_decisions == 1.0


@every_learner
def test_a_label_without_examples_is_scored_low(family: str, dataset: Dataset) -> None:
    targets = dataset.targets.copy()
    kept = targets[:, 2] == 0
    texts = tuple(text for text, keep in zip(dataset.texts, kept, strict=True) if keep)
    scores = fitted(family, Dataset(dataset.schema, texts, targets[kept])).predict_proba(texts)
    assert np.median(scores[:, 2]) < 0.3


@every_family
def test_one_document_for_each_label_is_enough(family: str, task: Task) -> None:
    small = make_dataset(task, 90)
    rows = [int(np.flatnonzero(small.targets[:, j])[0]) for j in range(3)]
    chosen = Dataset(small.schema, tuple(small.texts[i] for i in rows), small.targets[rows])
    assert fitted(family, chosen).predict_proba(("card",)).shape == (1, 3)


@every_family
def test_five_hundred_labels_and_odd_texts_become_a_bundle(family: str, task: Task, tmp_path: Path) -> None:
    schema = LabelSchema(task, tuple(LabelSpec(str(j), f"topic {j}") for j in range(500)))
    texts = tuple(f"topic {j} and more" for j in range(500)) + ("", "  ", "\n", "word " * 2_000)
    targets = np.eye(500, dtype=np.float32)[[*range(500), 0, 1, 2, 3]]
    data = Dataset(schema, texts, targets)
    spec, few = RunSpec(family, quickly(family)), rows_of(data, np.arange(0, 504, 25))
    report = train_and_package(
        spec, data, tmp_path / "one", tuning=few, reporting=few, embedder=needed(family)
    )
    assert report.evaluation.documents == 21
    assert len(report.evaluation.per_class) == len(report.thresholds) == 500
    assert Predictor(report.bundle).predict_proba(texts[-4:], embedder=needed(family)).shape == (4, 500)


@every_family
def test_no_texts_give_no_rows(family: str, dataset: Dataset) -> None:
    assert fitted(family, dataset).predict_proba(()).shape == (0, 3)


@every_family
def test_an_unknown_parameter_is_refused_by_name(family: str) -> None:
    with pytest.raises(TrainingError, match="'wings'"):
        build_model(RunSpec(family, {"wings": 2}), needed(family))


@every_family
def test_its_usual_options_are_the_defaults_of_its_constructor(family: str) -> None:
    known = constructor_of(family)
    assert FAMILIES[family].usual == {name: known[name].default for name in FAMILIES[family].usual}


@every_family
def test_each_choice_that_is_offered_can_be_fitted_and_no_other(family: str, task: Task) -> None:
    small = make_dataset(task, 40)
    for option in FAMILIES[family].options:
        for value in option.values:
            spec = RunSpec(family, quickly(family) | {option.name: value})
            model = fit_model(spec, small, empty(small), needed(family)).model
            assert model.predict_proba(small.texts).shape == (40, 3)
        wrong = RunSpec(family, quickly(family) | {option.name: "wings"})
        with pytest.raises(TrainingError, match=re.escape(", ".join(option.values))):
            fit_model(wrong, small, empty(small), needed(family))


@every_family
def test_its_traits_are_those_of_its_class(family: str) -> None:
    entry, model, known = FAMILIES[family], FAMILIES[family].load(), constructor_of(family)
    assert entry.explains == hasattr(model, Explains.explain.__name__)
    assert entry.reads_vectors == ("embedder" in known)
    assert entry.takes_checkpoint == ("checkpoint" in known)
    if hasattr(model, LearnsSoftly.fit_softly.__name__):
        assert entry.learns
    if entry.is_slow:
        assert isinstance(build_model(RunSpec(family, {}), needed(family)), ReportsProgress)


@every_family
def test_it_starts_without_labels_where_its_entry_says_so(family: str, task: Task) -> None:
    without = empty(make_dataset(task, 1))
    if FAMILIES[family].starts_from_names or not FAMILIES[family].learns:
        assert fitted(family, without).predict_proba(("card",)).shape == (1, 3)
    else:
        with pytest.raises(TrainingError):
            fitted(family, without)
