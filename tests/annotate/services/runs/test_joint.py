"""A project of labels and spans, from answers to a version that serves both and chooses by both."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.models import Annotation, ModelVersion, Prediction, Project, User
from annotate.services.corpus import snapshots, word_vectors
from annotate.services.exports import formats
from annotate.services.labeling import api_decisions, decisions
from annotate.services.projects import labels as label_service
from annotate.services.projects import merging
from annotate.services.projects.refused import Refused
from annotate.services.runs import execution, schedule, tagging
from annotate.services.versions import predictions, publication, reportcards, rescore
from tests.annotate.made.marked import mark
from tests.training.families.spans_made import LetterEncoder, joint_data
from training.bundles.span_predictor import SpanPredictor
from training.reportcard import span_measurement
from training.reportcard.card import Speed
from training.types import Answer, Span

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BUNDLE_ROOT, settings.ENCODER_ROOT = tmp_path / "bundles", tmp_path / "encoders"
    monkeypatch.setattr(word_vectors, "_encoder", lambda fingerprint: LetterEncoder())
    predictions.CACHE.clear()


@pytest.fixture
def joint(make_project: Callable[..., Project], annotator: User, add_documents: Any) -> Project:
    """Ninety labelled texts, sixty in the holdout lane, and thirty that nobody has labelled."""
    project = make_project(slug="joint", labels=("home", "moves"), task="joint")
    label_service.add_labels(project=project, labels=[("per", ""), ("loc", "")], of_spans=True)
    mark(project, annotator, add_documents, joint_data(90))
    mark(project, annotator, add_documents, joint_data(60, seed=1), tag="1", lane="holdout")
    add_documents(project, *(f"{text} {i}" for i, text in enumerate(joint_data(30, seed=2).texts)))
    return project


def train(project: Project) -> ModelVersion:
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
    version = execution.execute(run_id=run.pk)
    run.refresh_from_db()
    assert version is not None, run.error
    return version


class LetterPredictor(SpanPredictor):
    def answers(self, texts: Any, *, encoder: Any = None) -> list[Answer]:
        return super().answers(texts, encoder=LetterEncoder())


def test_it_publishes_a_version_of_both_that_serves_and_chooses_what_comes_next(
    joint: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = snapshots.take(project=joint)
    assert snapshot.dataset.labels.targets.sum() > 0
    assert snapshot.dataset.schema.keys == tuple(str(pk) for pk in snapshot.label_ids[2:])

    version = train(joint)
    assert (version.stage, version.labelled, version.holdout_documents) == ("published", 90, 30)
    assert version.macro_f1 is not None
    assert version.micro_f1 is not None
    assert version.f1 == pytest.approx((version.macro_f1 + version.micro_f1) / 2)
    assert version.f1_low is not None
    assert version.f1_low <= version.f1
    kept = {row.label.name: row.threshold for row in version.class_metrics.select_related("label")}
    assert set(kept) == {"home", "moves", "per", "loc"}
    assert list(version.report["thresholds"]) == [kept[name] for name in ("home", "moves", "per", "loc")]
    batch = joint.batches.get()
    assert (batch.version, batch.strategy) == (version, "both_margins")
    assert tagging.signs_of(version, snapshot.pool_texts[:5]).shape == (5, 4)

    assert rescore.rescore(project=joint, version=version) == joint.documents.count()
    said = Prediction.objects.get(document=joint.documents.filter(text__contains="went to").first())
    keys = dict(joint.labels.values_list("pk", "name"))
    assert {keys[int(label)] for label in said.answer.labels} <= {"home", "moves"}
    assert len(said.answer.label_scores) == 2

    # The bundle's encoder is no file here, so that it is given to what serves.
    monkeypatch.setattr(predictions, "_load", lambda of: LetterPredictor(of.bundle_folder))
    text = "Anna went to the old house."
    (told,) = predictions.predict(project=joint, texts=[text]).texts
    assert "moves" in {keys[int(label)] for label in told.answer.labels}
    found = [(text[one.start : one.end], keys[int(one.label)]) for one in told.answer.spans]
    assert found == [("Anna", "per")]


def test_versions_are_compared_and_measured_side_by_side_by_the_mean_of_both(
    joint: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Speed is that of the bundle's own encoder, which is no file here.
    monkeypatch.setattr(span_measurement, "timed", lambda *_of: Speed(1.0, 2.0, 3.0, 1))
    first = train(joint)
    second = train(joint)
    assert "Joint F1" in second.verdict
    assert f"version {first.number}" in second.verdict
    card = reportcards.make(project=joint)
    assert card is not None
    (candidate,) = card.content["candidates"]
    assert candidate["problem"] == ""
    assert candidate["evaluation"]["judged_by"] == "both"
    assert candidate["evaluation"]["macro_f1"] == second.macro_f1
    assert publication.served_before(project=joint)


def test_a_label_of_one_kind_is_never_given_to_the_other(joint: Project, lead: User) -> None:
    keys = dict(joint.labels.values_list("name", "pk"))
    document = joint.documents.filter(annotations=None, lane="pool").first()
    assert document is not None

    def submit(answer: Answer) -> Annotation:
        return api_decisions.submit(
            document=document, annotator=lead, key=uuid.uuid4(), outcome="answered", answer=answer
        )

    with pytest.raises(decisions.Rejected, match="whole document"):
        submit(Answer((keys["per"],)))
    with pytest.raises(decisions.Rejected, match="piece of the text"):
        submit(Answer(spans=(Span(0, 2, keys["home"]),)))
    kept = submit(Answer((keys["home"],), (Span(0, 2, keys["per"]),)))
    assert kept.answer == Answer((keys["home"],), (Span(0, 2, keys["per"]),))
    home, per = (joint.labels.get(name=name) for name in ("home", "per"))
    with pytest.raises(Refused, match="cannot become one"):
        merging.merge(label=home, into=per)


def test_files_hold_both_halves_or_are_not_offered(joint: Project) -> None:
    assert "conll" not in formats.known(joint.task_type)
    assert "fasttext" not in formats.known(joint.task_type)
    rows = list(formats.rows(joint))
    assert {"labels", "spans"} <= rows[0].keys()
    assert any(row["labels"] and row["spans"] for row in rows)
    lines = b"".join(formats.stream(joint, "csv")).decode("utf-8-sig").splitlines()
    assert lines[0].split(",")[4:6] == ["labels", "spans"]
