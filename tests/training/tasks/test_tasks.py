"""What each task takes for an answer, makes of scores, and needs before it is tuned."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.tasks import MULTI, SINGLE, find
from training.types import Answer, Json, Objective, Span, Task, TrainingError


@pytest.mark.parametrize("labels", [(), ("a",), ("a", "b")])
def test_one_label_answers_a_single_label_task_and_any_number_a_multi_label_one(
    labels: tuple[str, ...],
) -> None:
    assert (SINGLE.fault(Answer(labels)) == "") is (len(labels) == 1)
    assert MULTI.fault(Answer(labels)) == ""


def test_neither_task_takes_a_span(task: Task) -> None:
    assert task.fault(Answer(("a",), spans=(Span(0, 4, "a"),)))


@pytest.mark.parametrize(
    ("answers", "single", "multi"),
    [
        (["a"], "a", "a"),
        (["a", "b"], "b", "b"),
        (["a", "a", "b"], "a", "a"),
        (["a", "b", "b", "a"], "a", "a"),
        (["a", "b", "c"], "c", ""),
        (["ab", "b"], None, "b"),
        (["b", "ab"], None, "ab"),
        (["ab", "bc", "b", ""], None, "b"),
    ],
)
def test_of_several_answers_the_majority_counts_and_the_latest_breaks_a_tie(
    answers: list[str], single: str | None, multi: str
) -> None:
    given = [Answer(tuple(labels)) for labels in answers]
    assert MULTI.agreed(given).labels == tuple(multi)
    if single is not None:
        assert SINGLE.agreed(given).labels == tuple(single)


def test_without_documents_or_labels_nothing_is_decided(task: Task) -> None:
    for shape in ((0, 3), (2, 0), (0, 0)):
        found = task.decide(np.zeros(shape, np.float32), np.zeros(shape[1], np.float32))
        assert (found.shape, found.any()) == (shape, False)


def test_the_confusion_of_no_document_is_zeros_and_of_no_label_is_empty() -> None:
    nothing = np.zeros((0, 2), np.float32)
    assert SINGLE.confusion(nothing, nothing > 0) == ((0, 0), (0, 0))
    assert SINGLE.confusion(nothing[:, :0], nothing[:, :0] > 0) == ()


def test_only_a_task_with_thresholds_tunes_them() -> None:
    data = make_dataset(SINGLE, 30)
    assert SINGLE.tune(data.targets, data.targets, Objective.F1).tolist() == [0.0, 0.0, 0.0]
    assert (MULTI.tune(data.targets, data.targets, Objective.F1) > 0).all()


def test_confidence_is_the_best_score_or_the_product_of_every_yes_and_no() -> None:
    scores = np.array([[0.7, 0.2], [0.1, 0.5]], np.float32)
    assert SINGLE.confidence(scores).tolist() == pytest.approx([0.7, 0.5])
    assert MULTI.confidence(scores).tolist() == pytest.approx([0.7 * 0.8, 0.9 * 0.5])


def test_the_margin_is_the_lead_over_the_second_label_or_the_way_to_the_nearest_threshold() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.4, 0.1, 0.5]], np.float32)
    thresholds = np.array([0.5, 0.4, 0.3], np.float32)
    assert SINGLE.margin(scores, thresholds).tolist() == pytest.approx([0.5, 0.1])
    assert MULTI.margin(scores, thresholds).tolist() == pytest.approx([0.2, 0.1])
    assert SINGLE.margin(scores[:, :1], thresholds[:1]).tolist() == pytest.approx([0.7, 0.4])


def test_a_single_label_task_is_judged_by_its_best_scores_and_a_multi_label_one_by_all() -> None:
    scores, targets = np.array([[0.7, 0.2]], np.float32), np.array([[0.0, 1.0]], np.float32)
    for task, seen, right in ((SINGLE, [0.7], [False]), (MULTI, [0.7, 0.2], [False, True])):
        found = task.judged(scores, targets)
        assert (found[0].tolist(), found[1].tolist()) == (pytest.approx(seen), right)


@pytest.mark.parametrize(("documents", "enough"), [(99, False), (100, True)])
def test_a_hundred_documents_are_enough_for_the_temperature_of_one_label_each(
    documents: int, enough: bool
) -> None:
    assert SINGLE.is_enough_to_tune(make_dataset(SINGLE, documents).targets) is enough


@pytest.mark.parametrize(("positives", "enough"), [((90, 19, 19), False), ((1, 20, 20), True)])
def test_twenty_positives_of_the_median_label_are_enough_for_thresholds(
    positives: tuple[int, ...], enough: bool
) -> None:
    targets = (np.arange(100)[:, None] < np.array(positives)).astype(np.float32)
    assert MULTI.is_enough_to_tune(targets) is enough


@pytest.mark.parametrize("content", [None, "label", ["label"], ["labels"], {}, {"other": "a"}])
def test_a_reply_that_is_no_object_with_the_one_field_is_refused(task: Task, content: Json) -> None:
    with pytest.raises(ValueError, match="must have the field “labels?” only"):
        task.read_reply(content)


@pytest.mark.parametrize("given", [None, 1, ["a", 1], {"a": "b"}])
def test_a_field_of_another_kind_is_refused(given: Json) -> None:
    for task, field in ((SINGLE, "label"), (MULTI, "labels")):
        with pytest.raises(ValueError, match=f"“{field}” must be a"):
            task.read_reply({field: given})
        with pytest.raises(ValueError, match="only"):
            task.read_reply({field: "a", "why": "b"})


def test_a_reply_in_the_form_that_was_asked_for_is_read() -> None:
    assert SINGLE.read_reply({"label": "a"}) == ("a",)
    assert MULTI.read_reply({"labels": ["a", "b"]}) == ("a", "b")
    assert MULTI.read_reply({"labels": []}) == ()


def test_a_task_that_does_not_exist_is_an_error_that_names_those_that_do(task: Task) -> None:
    assert find(task.key) is task
    with pytest.raises(
        TrainingError, match="no task 'rank'; choose one of single, multi, span, overlapping_span"
    ):
        find("rank")
