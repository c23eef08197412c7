"""A request is told by one id: in its lines, in its answer, and by the workers that it wakes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.test import Client

from annotate import kinds, tasks
from annotate.celery import app, know_request_id
from annotate.logs import context as log_context
from annotate.models import Project, TrainingRun
from annotate.services.work import perform

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, str]]]:
    """What each line of the log was told beside its message."""
    found: list[dict[str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(dict(log_context.told()))

    listener = Listener()
    logging.getLogger().addHandler(listener)
    yield found
    logging.getLogger().removeHandler(listener)


def test_each_request_has_an_id_of_its_own(client: Client, told: list[dict[str, str]]) -> None:
    answers = [client.get("/nothing-is-here/") for _ in range(2)]
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert ids[0] != ids[1]
    assert [line["request_id"] for line in told] == ids
    assert log_context.told() == {}


@pytest.mark.parametrize(
    ("behind_proxy", "sent", "is_taken"),
    [(True, "ab-12", True), (False, "ab-12", False), (True, "a b", False), (True, "x" * 65, False)],
)
def test_only_a_proxy_may_name_a_request_and_only_plainly(
    client: Client, settings: Any, behind_proxy: bool, sent: str, is_taken: bool
) -> None:
    settings.BEHIND_PROXY = behind_proxy
    answer = client.get("/login/", headers={"X-Request-ID": sent})
    found = answer.headers["X-Request-ID"]
    assert (found == sent) == is_taken
    assert re.fullmatch(r"[0-9A-Za-z-]{1,64}", found)


def test_the_id_reaches_the_worker_and_the_lines_about_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, str]]
) -> None:
    sent: list[dict[str, str]] = []

    def publish(producer: Any, name: str, message: Any, **options: Any) -> None:
        before_task_publish.send(name, headers=message.headers)
        sent.append(message.headers)

    monkeypatch.setattr(app.amqp, "send_task_message", publish)
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    with log_context.bound(request_id="ab12"):
        tasks.send(kinds.kind_of(run), run.pk)
    assert sent[0][log_context.MESSAGE_HEADER] == "ab12"

    class Task:
        request = sent[0]

    know_request_id(Task())
    assert log_context.told() == {"request_id": "ab12"}

    def work(row: TrainingRun) -> None:
        raise ValueError("nothing fits")

    told.clear()
    perform.perform(TrainingRun, run.pk, work)
    assert told[0] == {"request_id": "ab12", "work": f"TrainingRun-{run.pk}"}
    assert log_context.told() == {"request_id": "ab12"}


def test_a_task_without_a_request_forgets_the_one_before() -> None:
    log_context.begin("ab12")
    tasks.tick.apply()
    assert log_context.told() == {}
