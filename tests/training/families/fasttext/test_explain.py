"""fastText explained: the features of each word, what they add up to, bundles of one and of two matrices."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.bundles.predictor import Predictor
from training.families.fasttext.model import FasttextModel
from training.preprocess.explaining import by_place, contributions
from training.preprocess.subwords import END, SubwordPreprocessor, SubwordSettings, tokens
from training.protocol import Explains
from training.runs.pipeline import train_and_package
from training.tasks import SINGLE
from training.types import Dataset, FloatArray, RunSpec, Task

TEXTS = (
    "",
    "card",
    "my card is my CARD, send the iban",
    "ﬁne Straße и КАРТА: card",
    "\ud83d\ude00 lone card",
    "x" * 130 + " card",
)
FORMS = pytest.mark.parametrize("dimension", [50, 2], ids=["one matrix", "two matrices"])


def none_of(dataset: Dataset) -> Dataset:
    return Dataset(dataset.schema, (), dataset.targets[:0])


@lru_cache
def fitted(task: Task, dimension: int, word_max: int = 2, epochs: int = 5) -> FasttextModel:
    """Return a model that is not so sure of anything that a logit cannot be told from its score."""
    dataset = make_dataset(task, 90)
    model = FasttextModel(dimension=dimension, word_max=word_max, epochs=epochs)
    return model.fit(dataset, valid=none_of(dataset))


def packaged(task: Task, folder: Path, dimension: int = 50, word_max: int = 2) -> Predictor:
    dataset = make_dataset(task, 90)
    spec = RunSpec("fasttext", {"dimension": dimension, "word_max": word_max, "epochs": 5})
    tuning = make_dataset(task, 120, seed=1)  # enough, so nothing is fitted again for the thresholds
    report = train_and_package(spec, dataset, folder, tuning=tuning, reporting=none_of(dataset))
    return Predictor(report.bundle)


def logits_of(task: Task, scores: FloatArray) -> FloatArray:
    """Return the logits that probabilities come from; of a softmax, less the labels' mean."""
    logits = np.log(scores)
    return logits - (logits.mean() if task is SINGLE else np.log1p(-scores))


@FORMS
def test_all_words_and_the_end_of_the_text_add_up_to_the_logit(
    dimension: int, task: Task, tmp_path: Path
) -> None:
    # Without runs no two parts overlap, so the bundle tells them all.
    predictor = packaged(task, tmp_path / "b", dimension, word_max=1)
    end = logits_of(task, predictor.predict_raw([""])[0])
    for text in (*make_dataset(task, 5).texts, "my card, the iban and my other CARD unheard-of"):
        features = len(SubwordPreprocessor.load(predictor.bundle).rows(text))
        expected = logits_of(task, predictor.predict_raw([text])[0])
        for label in range(3):
            (told,) = predictor.explain([text], [label], 100)
            found = sum(weight.contribution for weight in told) + end[label] / features
            assert found == pytest.approx(expected[label], abs=1e-3)


@FORMS
@pytest.mark.parametrize("word_max", [2, 4])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_words_and_runs_of_words_add_up_to_the_logit(
    text: str, word_max: int, dimension: int, task: Task
) -> None:
    model = fitted(task, dimension, word_max)
    parts = model.subwords_.parts(text)
    rows = model.table_[parts.ids]
    weights = rows if model.output_ is None else rows @ model.output_
    expected = logits_of(task, model.predict_proba((text,))[0])
    for label in range(3):
        added = contributions(task, parts.values, weights, label)
        end = added[parts.owners < 0].sum()
        assert by_place(parts, added).sum() + end == pytest.approx(expected[label], abs=1e-3)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_features_of_all_parts_are_those_of_the_text(text: str) -> None:
    words = [END, *sorted({word for text in TEXTS for word in tokens(text)})]
    subwords = SubwordPreprocessor(SubwordSettings(buckets=5_000), words, np.arange(5_000))
    parts = subwords.parts(text)
    np.testing.assert_array_equal(parts.ids, subwords.weights(text)[0])
    np.testing.assert_allclose(parts.values, subwords.weights(text)[1])
    assert parts.ids[parts.owners < 0].tolist() == [0]
    assert set(parts.owners) == set(range(-1, len(parts.places)))


def test_a_word_owns_its_row_and_its_parts_and_a_run_is_its_own_entry() -> None:
    subwords = SubwordPreprocessor(
        SubwordSettings(word_max=3, char_min=3, char_max=3, buckets=100), ["lost", END], np.arange(100)
    )
    parts = subwords.parts("Lost card")
    assert [place.ngram for place in parts.places] == ["lost", "card", "lost card"]
    # "lost" and four parts; four parts of "card" and "card </s>"; "lost card" and "lost card </s>".
    assert [int((parts.owners == place).sum()) for place in (0, 1, 2, -1)] == [5, 5, 2, 1]
    assert parts.ids[parts.owners == -1].tolist() == [1]
    np.testing.assert_allclose(parts.values, 1 / 13)


@pytest.mark.parametrize("text", TEXTS[1:], ids=range(1, len(TEXTS)))
def test_a_span_is_the_word_where_it_first_stands_in_the_given_text(text: str) -> None:
    parts = SubwordPreprocessor(SubwordSettings(word_max=1), [END], np.arange(9)).parts(text)
    assert [place.ngram for place in parts.places] == list(dict.fromkeys(tokens(text)))
    for place in parts.places:
        assert place.span is not None
        start, end = place.span
        assert tokens(text[start:end]) == [place.ngram]
        assert place.ngram not in tokens(text[:start])


def test_spans_are_those_of_the_text_before_normalising() -> None:
    text = "ﬁne Straße; и КАРТА"
    places = SubwordPreprocessor(SubwordSettings(word_max=2), [END], np.arange(9)).parts(text).places
    found = {place.ngram: text[slice(*place.span)] for place in places if place.span}
    assert [found[word] for word in ("fine", "strasse", ";", "карта")] == ["ﬁne", "Straße", ";", "КАРТА"]
    assert found["fine strasse"] == "ﬁne Straße"


@FORMS
def test_the_bundle_explains_like_its_model_and_the_same_again(
    dimension: int, task: Task, tmp_path: Path
) -> None:
    predictor, model = packaged(task, tmp_path / "b", dimension), fitted(task, dimension)
    texts = (*make_dataset(task, 10).texts, *TEXTS)
    labels = [i % 3 for i in range(len(texts))]
    assert predictor.explains
    assert isinstance(model, Explains)
    found = predictor.explain(texts, labels, 4)
    assert predictor.explain(texts, labels, 4) == found
    assert Predictor(predictor.bundle).explain(texts, labels, 4) == found
    for one, other in zip(found, model.explain(texts, labels, 4), strict=True):
        told, expected = (
            {weight.ngram: weight.contribution for weight in weights} for weights in (one, other)
        )
        assert told == pytest.approx(expected, abs=1e-4)


@FORMS
def test_the_word_that_decides_is_told_first_with_its_span(dimension: int, task: Task) -> None:
    text, label = "please, the IBAN today", 1
    ((first, *rest),) = fitted(task, dimension, epochs=40).explain([text], [label], 5)
    assert first.contribution > 0
    assert first.span is not None
    assert "IBAN" in text[slice(*first.span)]
    spans = sorted(weight.span for weight in (first, *rest) if weight.span)
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))


def test_a_book_is_explained_in_parts_that_say_the_same(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = packaged(task, tmp_path / "b")
    text = "lost card iban " * 20
    whole = predictor.explain([text], [1], 5)
    monkeypatch.setattr("training.bundles.predictor._FEATURES_AT_ONCE", 7)
    for one, other in zip(predictor.explain([text], [1], 5)[0], whole[0], strict=True):
        assert (one.ngram, one.span) == (other.ngram, other.span)
        assert one.contribution == pytest.approx(other.contribution, abs=1e-5)


def test_an_explanation_adds_no_second_copy_of_the_weights(task: Task, tmp_path: Path) -> None:
    predictor, model = packaged(task, tmp_path / "b", dimension=2), fitted(task, dimension=2)
    assert model.output_ is not None
    size = (predictor.bundle / "model.onnx").stat().st_size
    assert size < model.table_.nbytes + model.output_.nbytes + 2_000


def test_a_text_of_nothing_has_no_explanation(task: Task, tmp_path: Path) -> None:
    assert packaged(task, tmp_path / "b").explain(["", " \n"], [0, 1], 3) == ((), ())
