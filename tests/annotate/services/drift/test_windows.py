"""Windows of what was predicted, the corridor that each is compared with, and the alarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from annotate.models import (
    AskedText,
    Assignment,
    Corridor,
    Document,
    DriftAlarm,
    Event,
    Mail,
    ModelVersion,
    Prediction,
    PredictionTally,
    PredictionWindow,
    Project,
    TrainingRun,
    User,
)
from annotate.models.annotations import Outcome
from annotate.models.queue import AssignmentState
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.drift import alarms, shown, strange_texts, windows
from annotate.services.labeling import queue
from annotate.services.mail import outbox
from training.types import Answer, FloatArray

pytestmark = pytest.mark.django_db
USUAL = {"red": 60, "green": 30, "blue": 10}
MOVED = {"red": 20, "green": 10, "blue": 70}
Traffic = Callable[..., None]


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=9, holdout_documents=0, stage="published"
    )


@pytest.fixture
def traffic(project: Project, version: ModelVersion) -> Traffic:
    """Count texts with so many of each label, and close every window that is full."""
    Corridor.objects.create(project=project, window=100, began_at=timezone.now())

    def traffic(*mixes: dict[str, int], texts: tuple[str, ...] = ()) -> None:
        keys = dict(project.labels.values_list("name", "pk"))
        for mix in mixes:
            tally = PredictionTally.objects.create(
                project=project,
                version=version,
                texts=sum(mix.values()),
                classes={str(keys[name]): n for name, n in mix.items()},
                moments={"characters": [sum(mix.values()), 1000.0, 11000.0]},
                began_at=timezone.now(),
                ended_at=timezone.now(),
            )
            AskedText.objects.bulk_create(
                AskedText(project=project, tally=tally, text=text) for text in texts
            )
            while windows.close_next(project) is not None:
                pass

    return traffic


@pytest.fixture
def _encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let texts about the moon lie at right angles to all others."""

    def embed(texts: list[str]) -> FloatArray:
        return np.array([[0.0, 1.0] if "moon" in text else [1.0, 0.0] for text in texts], np.float32)

    stub = SimpleNamespace(embed=embed, embed_unkept=embed)
    monkeypatch.setattr(strange_texts.vector_store, "embedder", lambda: stub)
    monkeypatch.setattr(strange_texts.vector_store, "site_fingerprint", lambda: "stub")


def test_a_window_waits_until_enough_texts_are_counted(traffic: Traffic, project: Project) -> None:
    traffic({"red": 99})
    assert not PredictionWindow.objects.exists()
    assert list(windows.due()) == []
    PredictionTally.objects.update(texts=100)
    assert list(windows.due()) == [project]
    traffic({"green": 1})  # the first tally is enough, and the next one waits
    assert PredictionWindow.objects.get().texts == 100
    PredictionTally.objects.update(texts=100)
    assert windows.close_next(project) is not None
    assert not PredictionTally.objects.exists()


def test_after_a_new_beginning_the_first_windows_are_learned(traffic: Traffic) -> None:
    traffic(*[USUAL] * 5)
    assert set(PredictionWindow.objects.values_list("is_usual", "limit")) == {(True, None)}
    traffic(USUAL)
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert newest.limit is not None
    assert newest.is_usual


def test_one_window_outside_is_no_alarm_and_two_in_a_row_are(traffic: Traffic, project: Project) -> None:
    traffic(*[USUAL] * 6, MOVED, USUAL)
    assert list(PredictionWindow.objects.values_list("is_outside", flat=True)[:3]) == [False, True, False]
    assert not DriftAlarm.objects.exists()
    traffic(MOVED, MOVED)
    alarm = DriftAlarm.objects.get()
    assert alarm.window == PredictionWindow.objects.first()
    moved = {one.name: (one.before, one.now) for one in shown.watched(project).alarms[0][1].moved}
    assert moved["blue"][1] == pytest.approx(0.7)
    assert moved["blue"][0] == pytest.approx(0.1, abs=0.02)


def test_a_window_outside_is_not_compared_with(traffic: Traffic) -> None:
    traffic(*[USUAL] * 6, MOVED)
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert not newest.is_usual


def test_without_a_beginning_the_documents_of_the_project_are_what_is_usual(
    traffic: Traffic, project: Project, add_documents: Callable[..., list[Document]], version: ModelVersion
) -> None:
    Corridor.objects.update(began_at=None)
    red = project.labels.get(name="red").pk
    for document in add_documents(project, *[f"text {n}" for n in range(60)]):
        Prediction(document=document, version=version, answer=Answer((red,))).save()
    traffic({"blue": 100})
    window = PredictionWindow.objects.get()
    assert window.is_outside
    assert window.moved[0][0] == str(project.labels.get(name="blue").pk)


@pytest.mark.parametrize("kept_quiet", ["open", "rest", "snoozed"])
def test_no_second_alarm(kept_quiet: str, traffic: Traffic, project: Project, lead: User) -> None:
    traffic(*[USUAL] * 6, MOVED, MOVED)
    alarm = DriftAlarm.objects.get()
    if kept_quiet != "open":
        alarms.take_as_usual(alarm=alarm, by=lead)
        Corridor.objects.update(began_at=timezone.now() - timedelta(hours=1))
    if kept_quiet == "snoozed":
        Corridor.objects.update(rest_hours=0)
        alarms.snooze(project=project, by=lead)
    traffic(MOVED, MOVED)
    assert DriftAlarm.objects.count() == 1
    Corridor.objects.update(rest_hours=0, snoozed_until=None)
    traffic(MOVED)
    assert DriftAlarm.objects.count() == (1 if kept_quiet == "open" else 2)


AHEAD = timedelta(days=400)  # by which a clock was wrong that somebody has set right meanwhile


def test_what_is_usual_does_not_begin_in_the_future(traffic: Traffic) -> None:
    Corridor.objects.update(began_at=timezone.now() + AHEAD)
    traffic(*[USUAL] * 7)  # the first of them began before the clock was looked at
    assert Corridor.objects.get().began_at < timezone.now()
    traffic(MOVED, MOVED)
    assert DriftAlarm.objects.exists()


@pytest.mark.parametrize("field", ["snoozed_until", "raised_at"])
def test_no_quiet_lasts_until_a_day_that_a_wrong_clock_has_named(
    field: str, traffic: Traffic, project: Project, lead: User
) -> None:
    traffic(*[USUAL] * 6)
    if field == "snoozed_until":
        alarms.snooze(project=project, by=lead)
        Corridor.objects.update(snoozed_until=timezone.now() + AHEAD)
        traffic(MOVED)
        left = Corridor.objects.get().snoozed_until - timezone.now()
        assert timedelta(days=6) < left < timedelta(days=8)
        Corridor.objects.update(snoozed_until=timezone.now())
    else:
        window = PredictionWindow.objects.first()
        DriftAlarm.objects.create(project=project, window=window, ended_at=timezone.now())
        DriftAlarm.objects.update(raised_at=timezone.now() + AHEAD)
    before = DriftAlarm.objects.count()
    traffic(MOVED, MOVED)
    assert DriftAlarm.objects.count() == before + 1


def test_what_a_lead_takes_as_usual_is_learned_anew(traffic: Traffic, project: Project, lead: User) -> None:
    traffic(*[USUAL] * 6, MOVED, MOVED)
    alarms.take_as_usual(alarm=DriftAlarm.objects.get(), by=lead)
    Corridor.objects.update(rest_hours=0)
    traffic(*[MOVED] * 7)
    assert DriftAlarm.objects.count() == 1
    assert not any(PredictionWindow.objects.values_list("is_outside", flat=True)[:7])
    assert Event.objects.filter(kind="alarm-usual", by=lead).count() == 1


@pytest.mark.usefixtures("_encoder")
def test_texts_unlike_all_labelled_ones_come_first_and_stay_there(
    traffic: Traffic, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    project.holdout_share = project.holdout_queue_share = 0.0
    project.save()
    labelled, *others = add_documents(project, *[f"text {n}" for n in range(5)])
    project.annotations.create(document=labelled, annotator=annotator, outcome=Outcome.ANSWERED)
    queue.refill(project=project, strategy="margin", version=None, documents=[one.pk for one in others])
    asked = tuple(f"a question {n}" for n in range(60)) + tuple(f"the moon {n}" for n in range(50))
    traffic(*[USUAL] * 6)
    traffic(MOVED, MOVED, texts=asked)
    alarm = DriftAlarm.objects.get()
    assert alarm.queued == 50
    front = Assignment.objects.waiting().order_by("rank").values_list("document__text", flat=True)
    assert {text.partition(" ")[2].partition(" ")[0] for text in front[:50]} == {"moon"}
    assert list(front[50:]) == [one.text for one in others]
    queue.refill(project=project, strategy="margin", version=None, documents=[others[3].pk])
    assert "moon" in front.all()[0]
    assert list(front.all()[50:]) == [others[3].text]
    assert project.documents.filter(text__startswith="a question").count() == 60


@pytest.mark.usefixtures("_encoder")
def test_texts_less_like_labelled_ones_leave_the_corridor(
    traffic: Traffic, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (labelled,) = add_documents(project, "text")
    project.annotations.create(document=labelled, annotator=annotator, outcome=Outcome.ANSWERED)
    usual = tuple(f"a question {n}" for n in range(95)) + ("moon",) * 5
    traffic(*[USUAL] * 7, texts=usual)
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert not newest.readings["similarity"]["is_outside"]
    traffic(USUAL, texts=usual[:50] + ("the moon",) * 50)
    strange = PredictionWindow.objects.first()
    assert strange is not None
    assert strange.readings["similarity"]["is_outside"]
    assert strange.is_outside


def test_more_words_that_no_labelled_text_has_leave_the_corridor_without_an_encoder(
    traffic: Traffic, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    (labelled,) = add_documents(project, "where is my card")
    project.annotations.create(document=labelled, annotator=annotator, outcome=Outcome.ANSWERED)
    usual = tuple(f"card {n}" for n in range(10)) + ("where is my card",) * 90
    traffic(*[USUAL] * 7, texts=usual)
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert not newest.readings["unknown_words"]["is_outside"]
    traffic(USUAL, texts=usual[:50] + ("crypto wallets froze",) * 50)
    strange = PredictionWindow.objects.first()
    assert strange is not None
    assert strange.readings["unknown_words"]["now"] > 0.5
    assert strange.is_outside
    assert "unknown_words" in b"".join(shown.csv_lines(project)).decode().splitlines()[0]


def test_an_alarm_ends_when_its_texts_are_answered_and_learned(
    traffic: Traffic, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    documents = add_documents(project, "the moon", "a moon")
    traffic(*[USUAL] * 6, MOVED, MOVED)
    batch = queue.put_first(project=project, version=None, documents=[one.pk for one in documents])
    DriftAlarm.objects.update(batch=batch, queued=2)
    learned = _publish(project, number=2)
    assert alarms.end_answered() == 0  # nobody has answered
    for document in documents:
        project.annotations.create(document=document, annotator=annotator, outcome=Outcome.ANSWERED)
    Assignment.objects.filter(batch=batch).update(state=AssignmentState.DONE)
    assert alarms.end_answered() == 0  # the version began to learn before they were answered
    learned.stage = "retired"
    learned.save()
    _publish(project, number=3)
    assert alarms.end_answered() == 1
    assert DriftAlarm.objects.get().ended_by is None
    assert Corridor.of(project).began_at is not None


@pytest.mark.parametrize("has_read_them", [True, False])
def test_answers_that_a_wrong_clock_dated_ahead_end_an_alarm_once_a_run_has_read_them(
    has_read_them: bool,
    traffic: Traffic,
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "the moon")
    traffic(*[USUAL] * 6, MOVED, MOVED)
    batch = queue.put_first(project=project, version=None, documents=[document.pk])
    DriftAlarm.objects.update(batch=batch, queued=1)
    answer = project.annotations.create(document=document, annotator=annotator, outcome=Outcome.ANSWERED)
    project.annotations.update(updated_at=timezone.now() + AHEAD)
    Assignment.objects.filter(batch=batch).update(state=AssignmentState.DONE)
    run = _publish(project, number=2).run
    assert run is not None
    run.snapshot = SnapshotSummary(annotation=answer.pk - (not has_read_them)).dump()
    run.save()
    assert alarms.end_answered() == has_read_them


def _publish(project: Project, *, number: int) -> ModelVersion:
    project.versions.update(stage="retired")
    run = TrainingRun.objects.create(
        project=project, family="tfidf", state="succeeded", started_at=timezone.now()
    )
    return ModelVersion.objects.create(
        project=project, run=run, number=number, family="tfidf", labelled=9, holdout_documents=0,
        stage="published",
    )  # fmt: skip


def test_an_alarm_trains_a_model_where_the_project_says_so(
    traffic: Traffic, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    Corridor.objects.update(retrains=True)
    for document, name in zip(add_documents(project, "a", "b"), ("red", "green"), strict=True):
        answer = project.annotations.create(document=document, annotator=annotator, outcome=Outcome.ANSWERED)
        answer.labels.add(project.labels.get(name=name))
    traffic(*[USUAL] * 6, MOVED, MOVED)
    assert DriftAlarm.objects.get().run == TrainingRun.objects.last()


def test_leads_with_an_address_get_a_mail_in_their_language(
    traffic: Traffic, lead: User, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.EMAIL_HOST, settings.SITE_URL = "mail.example", "https://winnow.example"
    User.objects.filter(pk=lead.pk).update(email="lena@example.org", language="ru")
    traffic(*[USUAL] * 6, MOVED, MOVED)
    outbox.run(Mail.objects.get().pk)
    (letter,) = mailoutbox
    assert letter.to == ["lena@example.org"]
    assert letter.subject == "Дрейф в проекте «Colours»"
    assert "https://winnow.example/projects/colours/drift/" in letter.body


def test_a_window_of_one_label_is_no_fault(traffic: Traffic) -> None:
    traffic(*[{"red": 100}] * 7)
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert not newest.is_outside


def test_counts_of_a_merged_label_are_those_of_what_it_became(traffic: Traffic, project: Project) -> None:
    traffic(*[USUAL] * 6)
    red, blue = project.labels.get(name="red"), project.labels.get(name="blue")
    blue.archived_at, blue.merged_into = timezone.now(), red
    blue.save()
    traffic({"red": 70, "green": 30})
    newest = PredictionWindow.objects.first()
    assert newest is not None
    assert not newest.is_outside
    assert str(blue.pk) not in {key for key, _before, _now in newest.moved}


def test_the_file_holds_every_window(traffic: Traffic, project: Project) -> None:
    traffic(*[USUAL] * 6, MOVED)
    lines = b"".join(shown.csv_lines(project)).decode("utf-8-sig").splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("began_at,ended_at,version,texts,imported,distance,limit,kl")
    cells: dict[str, Any] = dict(zip(lines[0].split(","), lines[-1].split(","), strict=False))
    assert (cells["outside"], cells["texts"], cells["imported"]) == ("1", "100", "0")
    assert cells["characters"] == "10.0"
