"""What every family of spans must hold, and the run that makes a bundle of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.spans_made import FILLER, NAMES, LetterEncoder, joint_data, span_data
from training.bundles.bundle import BundleError, read_manifest
from training.bundles.predictor import Predictor
from training.bundles.span_predictor import SpanPredictor
from training.families.build import build_span_model
from training.protocol import SpanModel
from training.registry import FAMILIES
from training.runs.span_pipeline import train_spans, tune_decoder
from training.spans import SpanDataset
from training.tagging.figures import entity_f1
from training.tagging.ways import usual_way
from training.tasks import SPAN
from training.types import Pool, RunSpec, Span, TrainingError

KEYS = sorted(key for key, family in FAMILIES.items() if family.suits(SPAN))
every_family = pytest.mark.parametrize("family", KEYS)
PARAMS: dict[str, dict[str, Any]] = {}


@pytest.fixture(scope="module", autouse=True)
def known_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> None:
    names = " ".join(name for some in NAMES.values() for name in some).lower().split()
    plain = [word.replace("ö", "o").replace("ë", "e") for word in (*names, *FILLER, ".")]
    folder = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), plain)
    PARAMS["token_classifier"] = {
        "checkpoint": str(folder), "learning_rate": 1e-2, "epochs": 20, "int8": False,
    }  # fmt: skip


def spec(family: str, **params: Any) -> RunSpec:
    return RunSpec(family, PARAMS.get(family, {}) | (params if family in PARAMS else {}))


def encoder(family: str) -> LetterEncoder | None:
    return LetterEncoder() if FAMILIES[family].reads_word_vectors else None


def fitted(family: str, dataset: SpanDataset) -> SpanModel:
    return build_span_model(spec(family), encoder(family)).fit(dataset, valid=dataset.rows([]))


@every_family
def test_it_learns_spans_from_few_texts_and_keeps_to_its_seed(family: str) -> None:
    data, test = span_data(90), span_data(40, seed=1)
    model = fitted(family, data)
    decoder = tune_decoder(model, data, data.rows([])).decoder
    found = model.word_scores(test.texts)
    assert entity_f1(test.spans, decoder.spans(found)) > 0.8
    again = fitted(family, data).word_scores(test.texts[:5])
    for one, other in zip(found, again, strict=False):
        np.testing.assert_allclose(one.logs, other.logs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make_data", [span_data, joint_data])
@every_family
def test_a_saved_model_says_the_same(
    family: str, make_data: Callable[[int], SpanDataset], tmp_path: Path
) -> None:
    data = make_data(60)
    model = fitted(family, data)
    model.save(tmp_path)
    given = {"encoder": encoder(family)} if FAMILIES[family].reads_word_vectors else {}
    loaded = FAMILIES[family].load().load(tmp_path, **given)
    for one, other in zip(model.word_scores(data.texts), loaded.word_scores(data.texts), strict=True):
        np.testing.assert_allclose(one.logs, other.logs, atol=1e-5)
        np.testing.assert_allclose(one.whole, other.whole, atol=1e-5)
        assert np.count_nonzero(one.whole) == (0 if data.labels is None else len(data.labels.schema))


@every_family
def test_a_bundle_finds_what_its_model_does_and_offsets_are_of_the_text_as_it_came(
    family: str, tmp_path: Path
) -> None:
    data, test = span_data(90), span_data(40, seed=1)
    report = train_spans(
        spec(family), data.with_pool(Pool(test.texts)), tmp_path / "bundle",
        tuning=data.rows([]), reporting=test, encoder=encoder(family),
    )  # fmt: skip
    assert report.evaluation.f1 is not None
    assert report.evaluation.f1 > 0.8
    assert report.parity.max_difference < 1e-3
    assert report.pool_signs is not None
    assert report.pool_signs.shape == (40, 3)
    predictor = SpanPredictor(tmp_path / "bundle")
    text = "  👩‍👧\r\nsaw Zoë Bell and the old house."
    (answer,) = predictor.answers([text], encoder=encoder(family))
    assert [text[span.start : span.end] for span in answer.spans] == ["Zoë Bell"]
    assert [label for label, _score in answer.scores] == [span.label for span in answer.spans]
    assert all(0 <= score <= 1 for _label, score in answer.scores if score is not None)
    assert [one.spans for one in predictor.answers(["", " \n"], encoder=encoder(family))] == [(), ()]
    json.dumps(read_manifest(tmp_path / "bundle").to_json())
    with pytest.raises(BundleError, match="stretches of text"):
        Predictor(tmp_path / "bundle")


def test_spans_that_are_rarer_in_the_pool_than_where_it_learned_are_given_less_readily() -> None:
    data, rich = span_data(90), span_data(60, seed=1)
    sparse = replace(rich, texts=tuple("went to the old house and saw." for _ in rich.texts))
    model = fitted("fast_spans", data)
    usual, like, rarer = (
        tune_decoder(model, data, data.rows([]), pool).decoder.bias
        for pool in ([], model.word_scores(rich.texts), model.word_scores(sparse.texts))
    )
    np.testing.assert_allclose(like, usual, atol=0.3)
    assert (rarer < usual - 0.2).all()


def test_every_text_is_held_back_from_one_head_and_scored_by_it() -> None:
    data = span_data(90)
    model = fitted("fast_spans", data)
    rows, found = model.held_back()
    assert sorted(rows) == [*range(90)]
    told = model.word_scores([data.texts[i] for i in rows])
    for row, unseen, said in zip(rows, found, told, strict=True):
        assert [data.texts[row][start:end] for start, end in unseen.places]
        assert unseen.places == said.places
        assert not np.allclose(unseen.logs, said.logs, atol=1e-6)
    few = fitted("fast_spans", span_data(30))
    assert len(few.held_back()[0]) == 0


@every_family
def test_labels_of_whole_texts_come_of_the_same_pass_and_the_same_graph(family: str, tmp_path: Path) -> None:
    data, test = joint_data(150), joint_data(60, seed=1)
    report = train_spans(
        spec(family, learning_rate=3e-3, epochs=40), data.with_pool(Pool(test.texts)), tmp_path / "bundle",
        tuning=data.rows([]), reporting=test, encoder=encoder(family),
    )  # fmt: skip
    assert report.labels is not None
    assert report.labels.macro_f1 is not None
    assert report.labels.macro_f1 > 0.7
    assert report.evaluation.f1 is not None
    assert report.evaluation.f1 > 0.5
    assert report.figures.judged == pytest.approx((report.labels.macro_f1 + report.evaluation.f1) / 2)
    assert [one.key for one in report.figures.per_class] == ["home", "moves", "per", "loc"]
    assert report.parity.max_difference < 1e-3
    assert report.pool_signs is not None
    assert report.pool_signs.shape == (60, 4)
    predictor = SpanPredictor(tmp_path / "bundle")
    text = "Anna went to the old house."
    answer, nothing = predictor.answers([text, ""], encoder=encoder(family))
    assert "moves" in answer.labels
    assert len(answer.span_scores) == len(answer.spans)
    assert {label for label, _score in answer.label_scores} == {"home", "moves"}
    assert (nothing.labels, nothing.spans) == ((), ())


@every_family
def test_without_a_span_there_is_nothing_to_learn(family: str) -> None:
    data = span_data(30)
    nothing = replace(data, spans=tuple(() for _ in data.texts))
    with pytest.raises(TrainingError, match="span"):
        fitted(family, nothing)


@every_family
def test_a_text_without_words_and_a_label_of_one_span_are_learned_from(family: str) -> None:
    data = span_data(40)
    one = Span(0, 1, "loc")
    texts, spans = (*data.texts, "", "  "), (*data.spans, (), ())
    few = tuple(tuple(span for span in said if span.label == "per") for said in spans)
    model = fitted(family, replace(data, texts=("X!", *texts), spans=((one,), *few)))
    assert len(model.word_scores(("", "a"))[1].places) == 1


def test_a_family_of_documents_tags_no_words() -> None:
    with pytest.raises(TrainingError, match="whole documents"):
        build_span_model(RunSpec("tfidf"))
    with pytest.raises(TrainingError, match="needs an encoder"):
        build_span_model(RunSpec("fast_spans"))


def test_texts_made_of_tokens_are_cut_at_blanks_and_others_at_words() -> None:
    data = span_data(90)
    assert usual_way(data) == "words"
    tokens = replace(data, texts=tuple(text.replace(".", " .") for text in data.texts))
    assert usual_way(tokens) == "blanks"
    assert usual_way(tokens.rows(range(10))) == "words"
    shorter = tuple(tuple(replace(span, end=span.end - 1) for span in said) for said in tokens.spans)
    assert usual_way(replace(tokens, spans=shorter)) == "words"
