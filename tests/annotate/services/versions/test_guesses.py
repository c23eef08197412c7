"""Before the first label a version only guesses from label names: without a figure, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.models import Document, ModelVersion, Prediction, Project, User
from annotate.services.corpus import vector_store
from annotate.services.labeling import queue
from annotate.services.runs import execution, schedule
from annotate.services.versions import guesses, predictions, rescore
from training.types import Answer

pytest.importorskip("torch")
TEXTS = ("I have a question about a refund.", "xxxxx", "Где мой заказ и когда он придёт домой")


@pytest.fixture
def named(
    make_project: Callable[..., Project],
    request: pytest.FixtureRequest,
    add_documents: Callable[..., list[Document]],
    settings: Any,
    tmp_path: Path,
    task: str,
) -> Iterator[ModelVersion]:
    """A published version that knows two names, by the site's own encoder; nothing is labelled."""
    settings.ENCODER_ROOT = Path(request.config.cache.mkdir("winnow-encoders"))  # type: ignore[union-attr]
    settings.BUNDLE_ROOT, settings.SCRATCH_ROOT = tmp_path / "bundles", tmp_path / "scratch"
    for cached in (vector_store.embedder, vector_store._store):
        cached.cache_clear()
    project = make_project(slug="mail", task=task, families=["embedding"], holdout_queue_share=0.0)
    project.labels.all().delete()
    for position, name in enumerate(("refund", "delivery date")):
        project.labels.create(name=name, position=position)
    add_documents(project, *TEXTS)
    vector_store.embed(project=project, encoder=vector_store.embedder())
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.NAMES)
    version = execution.execute(run_id=run.pk)
    assert version is not None
    yield version
    for cached in (vector_store.embedder, vector_store._store):
        cached.cache_clear()
    predictions.CACHE.clear()


def refund(version: ModelVersion) -> int:
    return version.project.labels.get(name="refund").pk


@pytest.mark.parametrize("task", ["single", "multi"])
def test_strange_texts_have_no_prediction_and_the_others_no_figure(named: ModelVersion) -> None:
    strange = named.project.documents.get(text="xxxxx")
    Prediction.objects.create(document=strange, version=named, answer=Answer((refund(named),)))
    assert rescore.prelabel(version=named) == 1
    (kept,) = Prediction.objects.all()
    assert kept.document.text == TEXTS[0]
    assert kept.answer.scores[0] == (refund(named), None)
    assert {score for _label, score in kept.answer.scores} == {None}


@pytest.mark.parametrize("task", ["single", "multi"])
def test_the_api_is_silent_about_strange_texts(named: ModelVersion) -> None:
    found = predictions.predict(project=named.project, texts=TEXTS, explain=True)
    assert (found.guess, found.thresholds) == ("guess from label names", {})
    about, *strange = found.texts
    assert about.answer.scores[0] == (refund(named), None)
    assert [text.is_silent for text in found.texts] == [False, True, True]
    assert {text.answer for text in strange} == {Answer()}


@pytest.mark.parametrize("task", ["single", "multi"])
def test_a_card_of_a_strange_text_suggests_nothing(
    named: ModelVersion, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    rescore.prelabel(version=named)
    client = sign_in(annotator)
    suggested = {}
    for document in named.project.documents.all():
        named.project.assignments.all().delete()
        queue.refill(project=named.project, strategy="random", version=named, documents=[document.pk])
        suggested[document.text] = client.get("/projects/mail/label/").content.decode()
    assert {text: 'id="suggestion"' in html for text, html in suggested.items()} == {
        TEXTS[0]: True,
        TEXTS[1]: False,  # not even that none of the labels applies
        TEXTS[2]: False,
    }
    assert "Guess from label names" in suggested[TEXTS[0]]


@pytest.mark.parametrize(
    ("calibrated", "labelled", "family", "called"),
    [
        (True, 0, "embedding", ""),
        (False, 0, "embedding", "guess from label names"),
        (False, 1, "embedding", "guess from few labels"),
        (False, 9, "zero_shot", "guess from label names"),
        (False, 9, "cascade", "guess from few labels"),
    ],
)
def test_what_answers_are_called(calibrated: bool, labelled: int, family: str, called: str) -> None:
    version = ModelVersion(calibrated=calibrated, labelled=labelled, family=family)
    assert guesses.called(version) == called


def test_only_a_calibrated_version_tells_its_scores(project: Project) -> None:
    answer = Answer((1,), scores=((1, 0.8), (2, 0.2)))
    for number, calibrated in enumerate((True, False)):
        version = ModelVersion.objects.create(
            project=project,
            number=number,
            family="tfidf",
            labelled=9,
            holdout_documents=0,
            calibrated=calibrated,
        )
        expected = answer if calibrated else Answer((1,), scores=((1, None), (2, None)))
        assert guesses.told(answer, version.pk) == expected
        assert Answer.load(expected.dump()) == expected
