"""Suggestions by an LLM: asked of a real server that speaks the protocol, shown on a real card."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.core.cache import cache
from django.db.backends.signals import connection_created
from django.test import Client

from annotate import checks, tasks
from annotate.models import Annotation, Card, LlmAnswer, ModelVersion, Project, User
from annotate.models.versions import Stage
from annotate.services.corpus import vector_store
from annotate.services.llm import answers
from tests.annotate.made.fakes import HashEmbedder
from tests.annotate.services.llm.llm_site import Add
from tests.annotate.services.llm.llm_site import asking as asking
from tests.annotate.services.llm.llm_site import configured as configured
from tests.training.llm.conftest import KEY, Act, Server, after, labels, replies, says, until
from tests.training.llm.conftest import ctrl_c as ctrl_c
from tests.training.llm.conftest import server as server
from training.types import Answer


def texts(server: Server) -> list[str]:
    return [json.loads(sent["messages"][-1]["content"])["text"] for sent in server.requests]


def test_pool_documents_of_the_queue_are_answered_and_holdout_ones_never(
    asking: Project, server: Server
) -> None:
    assert answers.suggest(project=asking) == 3
    assert sorted(texts(server)) == ["leaf", "lime", "moss"]
    green = asking.labels.get(name="green").pk
    assert list(asking.llm_answers.values_list("answer", "outcome")) == [(Answer((green,)), "answered")] * 3
    assert answers.suggest(project=asking) == 0
    assert len(server.requests) == 3


def test_cost_tokens_and_seconds_are_recorded(asking: Project) -> None:
    answers.suggest(project=asking)
    found = answers.spent(project=asking)
    assert found is not None
    assert (found.documents, found.answered, found.tokens) == (3, 3, 330)
    assert found.cost == pytest.approx(3 * (100 + 10 * 10) / 1e6)
    assert found.seconds > 0


def test_several_are_asked_at_once_and_only_this_thread_uses_the_database(
    asking: Project, server: Server, settings: Any
) -> None:
    settings.LLM_CONCURRENCY = 3
    server.delay = 0.2
    opened = []

    def on_open(**kwargs: Any) -> None:
        opened.append(threading.current_thread().name)

    connection_created.connect(on_open)
    try:
        assert answers.suggest(project=asking) == 3
    finally:
        connection_created.disconnect(on_open)
    assert (server.at_once, opened) == (3, [])
    assert asking.llm_answers.count() == 3


def test_one_at_a_time_they_are_asked_in_the_order_of_the_queue(
    asking: Project, server: Server, settings: Any
) -> None:
    settings.LLM_CONCURRENCY = 1
    places = asking.assignments.filter(document__lane="pool").order_by("rank")
    answers.suggest(project=asking)
    assert texts(server) == list(places.values_list("document__text", flat=True))


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_all_that_was_asked(asking: Project, server: Server, settings: Any) -> None:
    settings.LLM_CONCURRENCY = 2
    main = threading.main_thread().ident
    assert main is not None

    def late(handler: BaseHTTPRequestHandler) -> None:
        until(lambda: len(server.requests) == 2)
        after(0.2, labels("green"))(handler)

    def choose(text: str) -> Act:
        if len(server.requests) == 2:
            signal.pthread_kill(main, signal.SIGINT)
        return late

    server.choose = choose
    with pytest.raises(KeyboardInterrupt):
        answers.suggest(project=asking)
    kept = asking.llm_answers.values_list("document__text", flat=True)
    assert sorted(kept) == sorted(server.texts)
    assert len(kept) == 2


@pytest.mark.parametrize(("status", "kept"), [(500, 0), (400, 1)])
def test_a_failure_is_asked_again_later_and_a_rejected_text_is_not(
    asking: Project, server: Server, settings: Any, status: int, kept: int
) -> None:
    settings.LLM_CONCURRENCY = 1
    server.choose = lambda text: replies(status, "{}") if text == "leaf" else labels("green")
    assert answers.suggest(project=asking) == 2 + kept
    assert asking.llm_answers.filter(document__text="leaf").count() == kept
    server.choose = None
    assert answers.suggest(project=asking) == 1 - kept


def test_a_raised_budget_goes_on_at_once(asking: Project, server: Server) -> None:
    asking.llm_budget = 1_000
    assert answers.suggest(project=asking) < 3
    assert not answers.is_wanted(project=asking)
    asking.llm_budget = 100_000
    assert answers.is_wanted(project=asking)


def test_it_stops_at_the_budget_and_says_so(asking: Project, server: Server) -> None:
    asking.llm_budget = 1_000
    asking.save()
    done = answers.suggest(project=asking)
    assert 0 < done < 3
    found = answers.spent(project=asking)
    assert found is not None
    assert found.tokens <= 1_000
    assert "Raise the limit" in found.problem
    assert not answers.is_wanted(project=asking)


@pytest.mark.parametrize("off", ["budget", "address", "published"])
def test_nobody_is_asked_where_it_is_off_or_a_model_is_published(
    asking: Project, server: Server, settings: Any, off: str
) -> None:
    if off == "budget":
        asking.llm_budget = 0
    if off == "address":
        settings.LLM_URL = ""
    if off == "published":
        ModelVersion.objects.create(
            project=asking, number=1, family="tfidf", stage=Stage.PUBLISHED, labelled=0, holdout_documents=0
        )
    assert not answers.is_wanted(project=asking)
    assert not server.requests


def test_an_invented_label_is_kept_as_an_outcome_and_never_shown(
    asking: Project, server: Server, annotator: User
) -> None:
    server.plan = [labels("purple")]
    answers.suggest(project=asking)
    kept = LlmAnswer.objects.all()
    assert {(row.outcome, row.answer.labels, row.calls) for row in kept} == {
        ("a label that does not exist", (), 2)
    }
    assert all(answers.suggested(project=asking, document=row.document) is None for row in kept)


def test_an_endpoint_that_refuses_the_key_is_left_alone_for_a_while(
    asking: Project, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = [replies(401, f"bad key {KEY}")]
    assert answers.suggest(project=asking) == 0
    asked = len(server.requests)
    assert 1 <= asked <= 3  # those that were under way together
    assert answers.suggest(project=asking) == 0
    assert len(server.requests) == asked
    found = answers.spent(project=asking)
    assert found is not None
    assert "refuses the key" in found.problem
    assert KEY not in found.problem + caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"LLM_URL": "host/v1"},
        {"LLM_URL": "https://me:secret@host/v1"},
        {"LLM_MODEL": ""},
        {"LLM_API_KEY": "secret\n"},
        {"LLM_OUTPUT_PRICE": -1.0},
        {"LLM_CONCURRENCY": 0},
        {"LLM_CONCURRENCY": 1_000},
    ],
)
def test_settings_that_would_not_work_are_named(settings: Any, wrong: dict[str, Any]) -> None:
    assert checks.llm_can_be_asked(None) == []
    for name, value in wrong.items():
        setattr(settings, name, value)
    (found,) = checks.llm_can_be_asked(None)
    assert found.id == "annotate.E008"
    assert "secret" not in found.msg


@pytest.mark.parametrize("is_sent", [True, False])
def test_an_endpoint_that_knows_no_response_format_is_not_sent_one(
    asking: Project, server: Server, settings: Any, is_sent: bool
) -> None:
    settings.LLM_RESPONSE_FORMAT = is_sent
    assert answers.suggest(project=asking) == 3
    assert {"response_format" in sent for sent in server.requests} == {is_sent}
    assert {sent["temperature"] for sent in server.requests} == {0}


def test_a_refusal_is_paid_for_once(asking: Project, server: Server) -> None:
    server.plan = [says(None, refusal="no")]
    answers.suggest(project=asking)
    assert set(asking.llm_answers.values_list("outcome", flat=True)) == {"refused"}
    assert len(server.requests) == 3


def test_answered_documents_are_shown_as_examples(
    asking: Project,
    server: Server,
    annotator: User,
    add_documents: Add,
    annotate: Callable[..., Annotation],
) -> None:
    (known,) = add_documents(asking, "rose")
    annotate(known, annotator, "red")
    answers.suggest(project=asking, embedder=HashEmbedder())
    turns = server.requests[0]["messages"]
    assert json.loads(turns[1]["content"]) == {"text": "rose"}
    assert json.loads(turns[2]["content"]) == {"label": "red"}


def test_the_card_says_that_an_llm_suggests(
    asking: Project, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    answers.suggest(project=asking)
    asking.assignments.filter(document__lane="holdout").delete()
    page = sign_in(annotator).get(f"/projects/{asking.slug}/label/").content.decode()
    assert "An LLM suggests" in page
    assert "Confidence" not in page
    card = Card.objects.get()
    assert card.shown == Answer((asking.labels.get(name="green").pk,))
    assert card.shown_version is None


def test_a_holdout_card_shows_nothing_even_where_there_is_an_answer(asking: Project, annotator: User) -> None:
    holdout = asking.documents.get(lane="holdout")
    LlmAnswer.objects.create(
        project=asking,
        document=holdout,
        model="m",
        outcome="answered",
        answer=Answer((asking.labels.first().pk,)),
    )
    assert answers.suggested(project=asking, document=holdout) is None


def test_the_lead_sees_what_it_cost(asking: Project, lead: User, sign_in: Callable[[User], Client]) -> None:
    answers.suggest(project=asking)
    page = sign_in(lead).get(f"/projects/{asking.slug}/").content.decode()
    assert "LLM: asked about 3 documents, 3 answered; 330 of 100000 tokens, cost 0.0006" in page


def test_the_task_asks_and_the_tick_wakes_it(
    asking: Project, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: sent.append((kind.name, pk)))
    monkeypatch.setattr(vector_store, "any_for", lambda *, project: False)
    cache.clear()
    tasks.tick()
    (job,) = asking.jobs.filter(kind="ask_llm")
    assert ("ask_llm", job.pk) in sent
    tasks.work("ask_llm", job.pk)
    assert asking.llm_answers.count() == 3
