"""fastText: rows numbered as the library numbers them, a training file that texts cannot break, bad input."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.bundles.predictor import Predictor
from training.families.fasttext.model import FasttextModel
from training.families.fasttext.subwords import (
    LABEL,
    Learned,
    SubwordRecipe,
    buckets_for,
    learn,
    usual_epochs,
)
from training.preprocess import subwords
from training.preprocess.subwords import SubwordPreprocessor, SubwordSettings, tokens
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec, Task, TrainingError

SCHEMA = LabelSchema(SINGLE, (LabelSpec("card", "Card"), LabelSpec("rate", "Rate")))
TEXTS = ("Lost my card!", "card is LOST", "Какой курс евро?", "курс 汇率 today", "💳 gone", "हिन्दी rate")
BUCKETS = buckets_for(8)
ANSWERS = (("card",), ("card",), ("rate",), ("rate",), ("card",), ("rate",))
UNSEEN = ("", "   ", "ﬁne Straße, _x_", "ё" * 200, "\ud800 lone", "a\x00b\u2028c", "lost lost card, курс")


def small() -> Dataset:
    return Dataset(SCHEMA, TEXTS, SCHEMA.encode(ANSWERS))


def fitted(dataset: Dataset, **settings: Any) -> FasttextModel:
    return FasttextModel(**settings).fit(dataset, valid=dataset)


def learned(settings: SubwordSettings, texts: tuple[str, ...] = TEXTS) -> Learned:
    recipe = SubwordRecipe(SINGLE, settings, learning_rate=0.5, epochs=5, dimension=8, seed=0)
    return learn(texts, SCHEMA.encode(ANSWERS), recipe)


@pytest.mark.parametrize(
    ("word_max", "char_min", "char_max"), [(1, 3, 5), (2, 3, 5), (3, 2, 4), (2, 0, 0), (5, 10, 10)]
)
def test_rows_are_those_of_the_library(word_max: int, char_min: int, char_max: int) -> None:
    found = learned(SubwordSettings(word_max, char_min, char_max, BUCKETS))
    for text in (*TEXTS, *UNSEEN):
        mean = found.table[found.subwords.rows(text)].mean(axis=0)
        expected = found.library.get_sentence_vector(" ".join(tokens(text)))
        np.testing.assert_allclose(mean, expected, atol=1e-6)


def test_scores_of_known_texts_are_those_of_the_library() -> None:
    model, found = (
        FasttextModel(dimension=8, epochs=5, learning_rate=0.5),
        learned(SubwordSettings(buckets=BUCKETS)),
    )
    scores = model.fit(small(), valid=small()).predict_proba(TEXTS)
    for text, row in zip(TEXTS, scores, strict=True):
        labels, expected = found.library.predict(" ".join(tokens(text)), k=-1)
        columns = [int(label.removeprefix(LABEL)) for label in labels]
        np.testing.assert_allclose(row[columns], expected, atol=1e-3)


def test_a_library_that_numbers_rows_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subwords, "_RUN_FACTOR", np.uint64(31))
    with pytest.raises(TrainingError, match="does not number words"):
        fitted(small())


def test_a_text_cannot_name_a_label() -> None:
    texts = (f"lost {LABEL}1 __label__1 </s>", *TEXTS[1:])
    found = learned(SubwordSettings(buckets=BUCKETS), texts)
    assert set(found.library.get_labels()) == {f"{LABEL}0", f"{LABEL}1"}
    assert found.library.get_labels(include_freq=True)[1].tolist() == [3, 3]


@pytest.mark.parametrize("space", ["\n", "\r\n", "\t", "\x00", "\u2029", "\x0b"])
def test_any_space_within_a_text_is_a_space_in_the_training_file(space: str) -> None:
    broken = Dataset(SCHEMA, tuple(text.replace(" ", space) for text in TEXTS), small().targets)
    np.testing.assert_array_equal(fitted(broken).predict_proba(TEXTS), fitted(small()).predict_proba(TEXTS))


def test_documents_sorted_by_label_are_shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def stop(path: str, **arguments: Any) -> None:
        lines.extend(Path(path).read_text("utf-8").splitlines())
        raise RuntimeError("no space left")

    monkeypatch.setattr("fasttext.train_supervised", stop)
    targets = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    with pytest.raises(TrainingError, match="cannot train on these texts: no space left"):
        fitted(Dataset(SCHEMA, tuple(f"text {i}" for i in range(40)), targets))
    assert len(lines) == len(set(lines)) == 40
    assert lines != sorted(lines)
    assert lines.count("<label>0 text 0") == lines.count("<label>1 text 39") == 1
    assert len({line.split()[0] for line in lines[:20]}) == 2


def test_texts_without_any_label_are_learned_from() -> None:
    dataset = make_dataset(MULTI, 90)
    without = ~dataset.targets.any(axis=1)
    assert without.any()
    scores = fitted(dataset).predict_proba(dataset.texts)
    assert scores[without].max() < 0.3


def test_only_rows_that_training_touched_are_kept(tmp_path: Path) -> None:
    model = fitted(make_dataset(SINGLE, 60))
    model.export(tmp_path)
    assert model.table_.shape == (len(model.subwords_), 3)
    assert len(model.subwords_) < 1_000
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "subwords.json", "buckets.npy"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 50_000


def test_what_is_not_known_of_a_text_makes_the_model_less_sure() -> None:
    model = fitted(small())
    known, half, nothing = model.predict_proba(("lost card", "lost card zzz qqq", "zzz qqq www vvv")).max(
        axis=1
    )
    assert known > half > nothing
    assert nothing == pytest.approx(0.5, abs=0.1)


def test_more_labels_than_dimensions_are_served_from_two_matrices(task: Task, tmp_path: Path) -> None:
    dataset = make_dataset(task, 200)
    spec = RunSpec("fasttext", {"dimension": 2})
    report = train_and_package(spec, dataset, tmp_path / "b", tuning=dataset, reporting=dataset)
    assert report.parity.max_difference < 1e-4
    model = fitted(dataset, dimension=2)
    assert (model.table_.shape[1], model.output_ is None) == (2, False)
    model.save(tmp_path)
    loaded = FasttextModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(UNSEEN), model.predict_proba(UNSEEN))


def test_nothing_is_left_of_the_training_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fitted(small())
    assert list(tmp_path.iterdir()) == []


def test_what_was_in_memory_before_does_not_change_the_model() -> None:
    before = fitted(small(), epochs=5).predict_proba(TEXTS)
    junk = [bytearray(b"\x7f" * 2_000) for _ in range(100_000)]  # 200 MB of 3e38 as a float
    last = bytearray(2_000)  # keeps the heap from shrinking when the rest is freed
    del junk
    np.testing.assert_array_equal(fitted(small(), epochs=5).predict_proba(TEXTS), before)
    assert len(last) == 2_000


@pytest.mark.parametrize(("times", "junk"), [(2, 1e7), (2, 1e-3), (3, 1e7)])
def test_memory_that_was_not_empty_is_found_out_and_other_memory_is_tried(
    times: int, junk: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt: list[Learned] = []

    def learn_from_junk(*of: Any) -> Learned:
        found = learn(*of)
        if len(spoilt) < times:
            found.table[-1] = junk
            spoilt.append(found)
        return found

    expected = fitted(small()).predict_proba(TEXTS)
    monkeypatch.setattr("training.families.fasttext.model.learn", learn_from_junk)
    if times == 2:
        np.testing.assert_array_equal(fitted(small()).predict_proba(TEXTS), expected)
    else:
        with pytest.raises(TrainingError, match="not empty"):
            fitted(small())


def test_a_learning_rate_that_overflows_is_halved_and_the_report_says_so() -> None:
    model = fitted(small(), learning_rate=200.0)
    assert model.details_["learning_rate"] < 200
    assert np.isfinite(model.predict_proba(UNSEEN)).all()


def test_a_learning_rate_that_never_works_is_told() -> None:
    with pytest.raises(TrainingError, match="smaller learning_rate"):
        fitted(small(), learning_rate=1e12)


def test_a_megabyte_is_one_text_among_others(tmp_path: Path) -> None:
    dataset, tuning = make_dataset(SINGLE, 60), make_dataset(SINGLE, 120, seed=1)
    texts = ("lost card " * 100_000, "x" * 1_000_000, *dataset.texts[2:])
    long = Dataset(dataset.schema, texts, dataset.targets)
    spec = RunSpec("fasttext", {"epochs": 1})
    report = train_and_package(spec, long, tmp_path / "b", tuning=tuning, reporting=long)
    assert report.parity.max_difference < 1e-4
    assert np.isfinite(Predictor(report.bundle).predict_proba(texts[:2])).all()


def test_repeated_rows_of_a_long_text_are_summed_up() -> None:
    kept = fitted(small()).subwords_
    ids, values = kept.weights("lost card " * 5_000)
    assert len(set(ids.tolist())) == len(ids)
    assert values.sum() == pytest.approx((kept.rows("lost card " * 5_000) >= 0).mean(), abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "answers", "sentence"),
    [
        ((), (), "no labelled document"),
        (("lost card", "my card"), (("card",), ("card",)), "the same label"),
        (("", " \n"), (("card",), ("rate",)), "any text to learn from"),
    ],
)
def test_data_that_cannot_be_learned_from_is_told(
    texts: tuple[str, ...], answers: tuple[tuple[str, ...], ...], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        fitted(Dataset(SCHEMA, texts, SCHEMA.encode(answers)))


def test_documents_without_any_label_are_told() -> None:
    schema = LabelSchema(MULTI, SCHEMA.labels)
    with pytest.raises(TrainingError, match="has any label"):
        fitted(Dataset(schema, ("one", "two"), schema.encode([(), ()])))


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"epochs": -1},
        {"dimension": 0},
        {"word_max": 0},
        {"char_max": 0, "word_max": 1},
        {"char_min": 1},
        {"char_min": 6, "char_max": 5},
    ],
)
def test_a_setting_that_cannot_be_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=next(reversed(settings))):
        fitted(small(), **settings)


def test_empty_texts_among_others_are_scored() -> None:
    dataset = Dataset(SCHEMA, ("", *TEXTS[1:]), small().targets)
    assert fitted(dataset).predict_proba(("",)).sum() == pytest.approx(1)


def test_few_documents_are_read_more_often() -> None:
    assert [usual_epochs(n) for n in (1, 1_000, 10_003, 100_000)] == [200, 200, 20, 5]


def test_any_seed_can_be_given() -> None:
    assert fitted(small(), seed=2**40 + 1).predict_proba(TEXTS).shape == (6, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't PAY €5!", ["don", "'", "t", "pay", "€5", "!"]),
        ("__label__0", ["_", "_", "label", "_", "_", "0"]),
        ("</s>", ["<", "/", "s", ">"]),
        ("x" * 65, ["x" * 64, "x"]),
        ("में।", ["में।"]),
        ("a\ud800b", ["a", "?", "b"]),
    ],
)
def test_texts_are_cut_into_words_and_symbols(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize("buckets", [[-1, 3], [3, 7]])
def test_buckets_out_of_range_are_refused(buckets: list[int]) -> None:
    with pytest.raises(ValueError, match="from 0 to 6"):
        SubwordPreprocessor(SubwordSettings(buckets=7), ["card"], np.array(buckets))
