"""Explanations: the n-grams that weigh most, where they stand, and the bundle saying what the model says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WORDS, WordEmbedder, make_dataset
from training.bundles.bundle import BundleError
from training.bundles.predictor import Predictor
from training.families.tfidf.model import TfidfModel
from training.preprocess.explaining import by_place, contributions, weightiest
from training.preprocess.ngrams import NgramPreprocessor, NgramSettings, normalise
from training.preprocess.places import Place, TextParts, original_spans
from training.protocol import Explains
from training.runs.pipeline import train_and_package
from training.tasks import SINGLE
from training.types import Dataset, FloatArray, NgramWeight, RunSpec, Task, TrainingError

TEXTS = (
    "Why is my card not accepted?",
    "Почему моя КАРТА не принята? card",
    "café naïve ﬁne STRASSE straße",
    "दिल्ली में कार्ड खो गया",
    "我的卡丢了 lost card",
    "  two\tspaces\n\nand lines ",
    "",
)


def bare(text: str) -> str:
    """Return a text without what stands between words; an n-gram of words has a space for it."""
    return re.sub(r"[\s?]", "", text)


def fitted(dataset: Dataset, **params: Any) -> TfidfModel:
    return TfidfModel(**params).fit(dataset, valid=Dataset(dataset.schema, (), dataset.targets[:0]))


def packaged(dataset: Dataset, folder: Path, family: str = "tfidf", **params: Any) -> Predictor:
    nothing = Dataset(dataset.schema, (), dataset.targets[:0])
    embedder = WordEmbedder() if family == "embedding" else None
    report = train_and_package(
        RunSpec(family, params), dataset, folder, tuning=nothing, reporting=nothing, embedder=embedder
    )
    return Predictor(report.bundle)


@pytest.mark.parametrize("text", TEXTS)
def test_the_places_are_those_of_exactly_the_ngrams_that_are_counted(text: str) -> None:
    ngrams = NgramPreprocessor.fit(TEXTS, NgramSettings())
    places = ngrams.places(text)
    assert set(places) == set(ngrams.weights(text)[0])
    for place in places.values():
        start, end = place.normalised
        assert bare(place.ngram) == bare(normalise(text)[start:end])


@pytest.mark.parametrize("text", TEXTS)
def test_a_span_is_the_part_of_the_given_text_that_became_the_ngram(text: str) -> None:
    for place in NgramPreprocessor.fit(TEXTS, NgramSettings()).places(text).values():
        assert place.span is not None
        assert bare(place.ngram) in bare(normalise(text[slice(*place.span)]))


def test_spans_are_told_in_characters_of_the_text_before_normalising() -> None:
    text = "Straße ﬁx e\u0301te\u0301"  # a sharp s, a ligature, and accents as characters of their own
    spans = original_spans(text, normalise(text), normalise)
    assert spans is not None
    assert normalise(text) == "strasse fix été"
    assert [spans[i] for i in (4, 5, 8, 9, 12)] == [(4, 5), (4, 5), (7, 8), (7, 8), (10, 12)]


def test_no_span_is_told_where_normalising_joins_what_stood_apart() -> None:
    jamo = "\u1112\u1161\u11ab"  # three letters that become one syllable
    assert original_spans(jamo, normalise(jamo), normalise) is None
    places = NgramPreprocessor.fit((jamo,), NgramSettings()).places(jamo)
    assert {place.span for place in places.values()} == {None}


def test_the_word_that_decides_is_told_first_with_its_span(task: Task) -> None:
    data = make_dataset(task, 200)
    (first, *_), *_ = fitted(data).explain(["please send the payee"], [data.schema.keys.index("transfer")], 3)
    assert first.contribution > 0
    assert first.span is not None
    assert "please send the payee"[slice(*first.span)] in {"send", "payee", "end", "send the"} | {
        word[i:j] for word in WORDS["transfer"] for i in range(5) for j in range(i + 2, 9)
    }


def test_a_word_of_another_label_speaks_against(task: Task) -> None:
    data = make_dataset(task, 200)
    label = data.schema.keys.index("rate")
    (told,) = fitted(data).explain(["iban currency"], [label], 10)
    signs = {("currency iban".find(weight.ngram.strip()[:3]) < 8): weight.contribution > 0 for weight in told}
    assert signs[True] is True
    assert any(weight.contribution < 0 for weight in told)


@pytest.mark.parametrize("head", ["logistic", "svm"])
def test_contributions_of_all_ngrams_and_the_bias_add_up_to_the_score(head: str, task: Task) -> None:
    data = make_dataset(task, 90)
    model = fitted(data, head=head)
    parts = model.ngrams_.parts(data.texts[0])
    rows = model.head_.weights[parts.ids]  # type: ignore[union-attr]
    added = [by_place(parts, contributions(task, parts.values, rows, label)).sum() for label in range(3)]
    bias = model.head_.bias  # type: ignore[union-attr]
    logits = np.array(added) + bias - (bias.mean() if task is SINGLE else 0)
    expected = model.predict_proba(data.texts[:1])[0]
    odds = np.exp(logits)
    found = odds / odds.sum() if task is SINGLE else odds / (1 + odds)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_no_two_ngrams_of_one_explanation_overlap(dataset: Dataset) -> None:
    for told in fitted(dataset).explain(dataset.texts[:20], [0] * 20, 5):
        spans = sorted(weight.span for weight in told if weight.span)
        assert len(spans) == len(told)
        assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))


def test_weights_come_by_size_and_none_for_nothing() -> None:
    places = (Place("a", (0, 1), (0, 1)), Place("b", (2, 3), None), Place("c", (4, 5), (4, 5)))
    added = np.array([0.1, -0.5, 0.0], np.float32)
    told = weightiest(places, added, 5)
    assert told == (NgramWeight("b", -0.5, None), NgramWeight("a", pytest.approx(0.1), (0, 1)))
    assert weightiest(places, added, 1) == told[:1]


def test_features_of_one_place_add_up_and_those_of_none_are_left_out() -> None:
    places = (Place("a", (0, 1), (0, 1)), Place("b", (2, 3), (2, 3)), Place("c", (4, 5), (4, 5)))
    owners = np.array([1, 0, -1, 1])
    parts = TextParts(places, np.arange(4), np.ones(4, np.float32), owners)
    found = by_place(parts, np.array([1, 2, 4, -3], np.float32))
    np.testing.assert_array_equal(found, [2, -2, 0])


@pytest.mark.parametrize("head", ["logistic", "svm"])
def test_the_bundle_explains_like_its_model(head: str, dataset: Dataset, tmp_path: Path) -> None:
    predictor = packaged(dataset, tmp_path / "b", head=head)
    model = fitted(dataset, head=head)
    texts = (*dataset.texts[:10], "", "неизвестно", "Card")
    labels = [i % 3 for i in range(len(texts))]
    assert predictor.explains
    assert isinstance(model, Explains)
    for found, expected in zip(
        predictor.explain(texts, labels, 4), model.explain(texts, labels, 4), strict=True
    ):
        assert [replace(x, contribution=0) for x in found] == [replace(x, contribution=0) for x in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.contribution == pytest.approx(other.contribution, abs=1e-4)


def test_a_text_of_unknown_words_has_no_explanation(dataset: Dataset, tmp_path: Path) -> None:
    assert packaged(dataset, tmp_path / "b").explain(["", "???"], [0, 1], 3) == ((), ())


def test_an_explanation_adds_no_second_copy_of_the_weights(dataset: Dataset, tmp_path: Path) -> None:
    predictor = packaged(dataset, tmp_path / "b")
    weights: FloatArray = fitted(dataset).head_.weights  # type: ignore[union-attr]
    size = (predictor.bundle / "model.onnx").stat().st_size
    assert size < weights.nbytes + 2_000


@pytest.mark.parametrize(("family", "params"), [("tfidf", {"head": "lightgbm"}), ("embedding", {})])
def test_a_bundle_that_cannot_explain_says_so(
    family: str, params: dict[str, str], dataset: Dataset, tmp_path: Path
) -> None:
    predictor = packaged(dataset, tmp_path / "b", family, **params)
    assert not predictor.explains
    with pytest.raises(BundleError, match="cannot explain"):
        predictor.explain(["card"], [0], 3)


def test_trees_say_that_they_cannot_explain(dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match="Trees weigh n-grams together"):
        fitted(dataset, head="lightgbm").explain(["card"], [0], 3)
