"""A fast family of spans learns from a strong one's answers where that finds more in texts held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.families.spans_made import LetterEncoder, joint_data, span_data
from training.bundles.span_predictor import SpanPredictor
from training.families.fast_spans.model import FastSpansModel
from training.families.fast_spans.teaching import soft_tags
from training.preprocess.words import words
from training.runs.distillation import teach_spans
from training.runs.span_pipeline import train_spans, tune_decoder
from training.spans import SpanDataset, WordScores
from training.tagging.figures import entity_f1
from training.types import RunSpec, TrainingError

POOL = span_data(150, seed=3).texts


def teacher_from(dataset: SpanDataset, folder: Path) -> SpanPredictor:
    train_spans(
        RunSpec("fast_spans"), dataset, folder / "teacher",
        tuning=dataset.rows([]), reporting=dataset.rows([]), encoder=LetterEncoder(),
    )  # fmt: skip
    return SpanPredictor(folder / "teacher")


def of_two_names() -> SpanDataset:
    """Return texts that name nobody but Anna and nothing but Rome, so that other names stay unknown."""
    data = span_data(400)
    known = [
        i for i, (text, spans) in enumerate(zip(data.texts, data.spans, strict=True))
        if all(text[span.start : span.end] in ("Anna", "Rome") for span in spans)
    ]  # fmt: skip
    return data.rows(known)


def reached(model: FastSpansModel, dataset: SpanDataset) -> float:
    test = span_data(80, seed=1)
    decoder = tune_decoder(model, dataset, dataset.rows([])).decoder
    return entity_f1(test.spans, decoder.spans(model.word_scores(test.texts)))


def test_a_student_finds_what_its_labels_alone_do_not_tell(tmp_path: Path) -> None:
    labelled, valid = of_two_names(), span_data(120, seed=5)
    taught = teach_spans(teacher_from(span_data(200), tmp_path), labelled, POOL, encoder=LetterEncoder())
    alone = FastSpansModel(encoder=LetterEncoder()).fit(labelled, valid=valid)
    student = FastSpansModel(encoder=LetterEncoder()).fit(taught, valid=valid)
    assert student.details_["is_taught"] is True
    assert student.details_["taught_texts"] == len(POOL)
    assert reached(student, labelled) > reached(alone, labelled) + 0.1
    assert len(student.held_back()[0]) == len(labelled)  # of people's texts alone


def test_a_teacher_that_is_wrong_is_not_followed(tmp_path: Path) -> None:
    data = span_data(150)
    other = {"per": "loc", "loc": "per"}
    wrong = tuple(
        tuple(replace(span, label=other[str(span.label)]) for span in spans) for spans in data.spans
    )
    taught = teach_spans(
        teacher_from(replace(data, spans=wrong), tmp_path), data, POOL, encoder=LetterEncoder()
    )
    valid = span_data(120, seed=5)
    alone = FastSpansModel(encoder=LetterEncoder()).fit(data, valid=valid)
    student = FastSpansModel(encoder=LetterEncoder()).fit(taught, valid=valid)
    assert student.details_["is_taught"] is False
    assert student.details_["f1_taught"] <= student.details_["f1_alone"]  # type: ignore[operator]
    for one, theirs in zip(student.word_scores(POOL[:9]), alone.word_scores(POOL[:9]), strict=True):
        np.testing.assert_array_equal(one.logs, theirs.logs)


def test_where_too_few_spans_are_held_out_people_alone_are_followed(tmp_path: Path) -> None:
    labelled = of_two_names()
    taught = teach_spans(teacher_from(span_data(200), tmp_path), labelled, POOL, encoder=LetterEncoder())
    student = FastSpansModel(encoder=LetterEncoder()).fit(taught, valid=span_data(60, seed=5))
    assert student.details_["is_taught"] is False
    assert student.details_["f1_taught"] is None


def test_labels_of_whole_texts_are_taught_as_well(tmp_path: Path) -> None:
    data, labelled = joint_data(200), joint_data(90, seed=4)
    texts = joint_data(60, seed=3).texts
    taught = teach_spans(teacher_from(data, tmp_path), labelled, texts, encoder=LetterEncoder()).taught
    assert taught is not None
    assert len(taught.said) == 60
    assert all(said.whole.shape == (2,) for said in taught.said)
    student = FastSpansModel(encoder=LetterEncoder())
    student.fit(replace(labelled, taught=taught), valid=joint_data(120, seed=6))
    assert student.details_["f1_taught"] is not None
    assert len(student.word_scores(("Anna went.",))[0].whole) == 2


def test_a_teacher_of_other_labels_and_an_empty_pool_are_refused(tmp_path: Path) -> None:
    data = span_data(60)
    teacher = teacher_from(data, tmp_path)
    with pytest.raises(TrainingError, match="other labels than the teacher"):
        teach_spans(teacher, joint_data(60), POOL)
    with pytest.raises(TrainingError, match="add unlabelled texts"):
        teach_spans(teacher, data, ())


def test_a_teacher_that_cuts_other_words_tags_those_that_its_spans_touch() -> None:
    text = "Anna-Lena met Bob."
    logs = np.log(np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]))
    blanks = [(0, 9), (10, 13), (14, 18)]
    shares = soft_tags(WordScores(blanks, logs), words(text), 1)
    tagged = [text[start:end] for (start, end), row in zip(words(text), shares, strict=True) if row[0] < 0.5]
    assert "".join(tagged) == "Anna-Lena"
    np.testing.assert_allclose(soft_tags(WordScores(blanks, logs), blanks, 1), np.exp(logs), rtol=1e-5)
    assert soft_tags(WordScores([], np.zeros((0, 3))), [], 1).shape == (0, 3)
