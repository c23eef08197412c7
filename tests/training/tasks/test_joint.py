"""A task of labels of whole documents and of spans: what an answer is, and how its two halves are kept."""

from __future__ import annotations

import numpy as np
import pytest

from training.bundles.bundle import read_schema
from training.figures.evaluate import PairedDifference
from training.tagging.answers import IDENTITY, Decoder
from training.tagging.whole import LabelDecoder, mean_difference
from training.tasks import JOINT, MULTI, find
from training.tasks.joint import calibration_of, decoder_of, halves, schema_of, thresholds_of
from training.types import Answer, LabelSpec, Schema, Span, TrainingError

LABELS = (LabelSpec("a", "Asks"), LabelSpec("b", "Thanks"), LabelSpec("per", "Person", of_spans=True))
TEXT = "Anna met Bob"


def answer(*labels: str, spans: tuple[tuple[int, int], ...] = ()) -> Answer:
    return Answer(labels, tuple(Span(start, end, "per") for start, end in spans))


def test_labels_and_spans_are_one_answer_and_so_is_nothing_at_all() -> None:
    assert find("joint") is JOINT
    assert JOINT.fault(Answer()) == ""
    assert JOINT.fault(answer("a", "b", spans=((0, 4), (9, 12)))) == ""
    assert "overlap" in JOINT.fault(answer("a", spans=((0, 4), (3, 6))))
    assert "ends behind the text" in JOINT.text_fault(answer("a", spans=((9, 13),)), TEXT)
    assert JOINT.text_fault(answer("a", spans=((9, 12),)), TEXT) == ""


def test_people_agree_in_either_half_by_itself() -> None:
    given = [answer("a", spans=((0, 4),)), answer("a", "b"), answer("b", spans=((0, 4), (9, 12)))]
    assert JOINT.agreed(given) == answer("a", "b", spans=((0, 4),))


def test_a_label_has_one_kind() -> None:
    dataset = JOINT.dataset(LABELS, [TEXT, "Thanks"], [answer("a", spans=((0, 4),)), answer("b")])
    assert dataset.labels is not None
    assert dataset.labels.targets.tolist() == [[1, 0], [0, 1]]
    assert (dataset.schema.keys, dataset.label_counts.tolist()) == (("per",), [1, 1, 1])
    assert dataset.rows([1]).label_counts.tolist() == [0, 1, 0]
    with pytest.raises(TrainingError, match="'per'"):
        JOINT.dataset(LABELS, [TEXT], [answer("per")])
    with pytest.raises(TrainingError, match="'a'"):
        JOINT.dataset(LABELS, [TEXT], [Answer(spans=(Span(0, 4, "a"),))])


def test_a_schema_keeps_its_kinds_and_those_of_whole_documents_come_first() -> None:
    schema = schema_of(JOINT.dataset(LABELS, [TEXT], [answer("a")]))
    assert read_schema(schema.dump()) == schema
    whole, pieces = halves(schema)
    assert (whole.task, whole.keys, pieces.keys) == (MULTI, ("a", "b"), ("per",))
    with pytest.raises(TrainingError, match="come before"):
        halves(Schema(JOINT, LABELS[::-1]))


def test_a_bundle_keeps_the_decoders_of_both_halves() -> None:
    schema = Schema(JOINT, LABELS)
    cuts = np.array([0.25, 0.75], np.float32)
    whole = LabelDecoder(halves(schema)[0], cuts, {"method": "temperature", "temperature": 2.0})
    decoder = Decoder(("per",), np.array([1.5], np.float32), IDENTITY, whole)
    assert thresholds_of(decoder) == (0.25, 0.75, 1.5)
    again = decoder_of(schema, thresholds_of(decoder), calibration_of(decoder))
    assert (again.keys, again.bias.tolist(), again.calibration) == (("per",), [1.5], IDENTITY)
    assert again.whole is not None
    assert (again.whole.thresholds.tolist(), again.whole.calibration) == ([0.25, 0.75], whole.calibration)


def test_models_are_compared_by_the_mean_of_both_halves_whose_errors_may_go_together() -> None:
    labels, spans = PairedDifference(0.1, 0, 0.2, 0.9, 0.05), PairedDifference(-0.02, 0, 0, 0.5, 0.03)
    mean = mean_difference(labels, spans)
    assert mean.difference == pytest.approx(0.04)
    assert mean.error == pytest.approx(0.04)
    assert mean.low < 0 < mean.high
    assert mean.probability_better == pytest.approx(0.8413, abs=1e-3)
