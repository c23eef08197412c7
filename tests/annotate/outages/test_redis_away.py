"""Where no Redis answers, people log in and label, programs predict, and work waits for the next tick."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import BaseCache, cache, caches
from django.test import Client
from django.urls import reverse
from kombu import serialization

from annotate import kinds, settings, tasks
from annotate.celery import app
from annotate.models import Document, Project, TrainingRun, User
from annotate.outages.breaker import REDIS
from annotate.outages.cache import ForgettingCache, JsonSerializer
from tests.annotate.made.bundles import add_version
from tests.conftest import PASSWORD

Api = Callable[..., Client]


def cache_at(url: str) -> ForgettingCache:
    """Return the site's own cache, with its own options, at another address."""
    params = {key: value for key, value in settings.CACHES["default"].items() if key != "BACKEND"}
    return ForgettingCache(url, params)


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address where nobody answers: bound, so that nobody else takes it, but not listened to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


@pytest.fixture
def away(dead_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseCache]:
    """The site's cache and broker, at an address where nobody answers."""
    app._after_fork()  # NB: forgets a connection to a broker that other tests have left open
    gone = cache_at(dead_url)
    monkeypatch.setattr(caches._connections, "default", gone, raising=False)
    monkeypatch.setattr(app.conf, "broker_url", dead_url)
    monkeypatch.setattr(app.conf, "broker_write_url", dead_url)
    yield gone
    app._after_fork()


def test_nothing_is_in_a_cache_that_is_away(dead_url: str) -> None:
    gone = cache_at(dead_url)
    calls: list[tuple[Callable[[], object], object]] = [
        (lambda: gone.get("key", "default"), "default"),
        (lambda: gone.set("key", 1), None),
        (lambda: gone.add("key", 1), False),
        (lambda: gone.touch("key"), False),
        (lambda: gone.delete("key"), False),
        (lambda: gone.get_many(["key"]), {}),
        (lambda: "key" in gone, False),
        (lambda: gone.set_many({"key": 1}), []),
        (lambda: gone.delete_many(["key"]), None),
        (lambda: gone.clear(), False),
        (lambda: gone.get_or_set("key", 7), 7),
    ]
    for call, expected in calls:
        REDIS.reset()  # each meets the outage itself, not the rest after one
        assert call() == expected
    REDIS.reset()
    with pytest.raises(ValueError, match="no counter"):
        gone.incr("key")


def test_people_log_in_label_and_log_out(
    away: BaseCache,
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    assert cache.get_or_set("key", "nowhere") == "nowhere"
    assert cache.get("key") is None
    add_documents(project, "one", "two")
    client = Client()
    credentials = {"username": annotator.username, "password": PASSWORD}
    assert client.post(reverse("login"), credentials).status_code == 302
    label = reverse("label", args=[project.slug])
    page = client.get(label).content.decode()
    (card,) = re.findall(r'data-card="([^"]+)"', page)
    red = project.labels.get(name="red")
    sent = {"card": card, "outcome": "answered", "labels": [red.pk], "seconds": "1"}
    assert client.post(label, sent, headers={"HX-Request": "true"}).status_code == 200
    assert project.annotations.count() == 1
    assert client.post(reverse("label-pulse", args=[project.slug]), {"card": card}).status_code == 200
    client.post(reverse("logout"))
    assert client.get(label).status_code == 302


def test_a_program_gets_its_predictions(
    away: BaseCache, project: Project, lead: User, api: Api, bundle_root: Path
) -> None:
    add_version(project, bundle_root)
    client = api(lead)
    for _ in range(3):
        answer = client.post(
            f"/api/v1/projects/{project.slug}/predict", {"text": "red"}, content_type="application/json"
        )
        assert answer.status_code == 200


def test_a_request_larger_than_the_limit_is_refused_all_the_same(
    away: BaseCache, project: Project, lead: User, api: Api, bundle_root: Path, settings: object
) -> None:
    settings.API_TEXTS_PER_MINUTE = 2  # type: ignore[attr-defined]
    add_version(project, bundle_root)
    answer = api(lead).post(
        f"/api/v1/projects/{project.slug}/predict", {"texts": ["red"] * 3}, content_type="application/json"
    )
    assert answer.status_code == 429


def test_the_row_of_a_message_that_cannot_be_sent_waits_for_the_tick(
    away: BaseCache, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [
        TrainingRun.objects.create(project=project, family=family, reason="lead") for family in ("a", "b")
    ]
    with caplog.at_level(logging.WARNING):
        tasks.wake(runs)
    assert [run.state for run in runs] == ["queued", "queued"]
    assert len([record for record in caplog.records if record.name.startswith("annotate")]) == 1
    assert kinds.kind_of(runs[0]).name == "train"


def test_a_session_that_is_ended_while_redis_is_away_stays_ended() -> None:
    """A copy in the cache could not be deleted then, and would open the door again afterwards."""
    assert settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"


def test_what_lies_in_redis_is_json() -> None:
    serializer = JsonSerializer()
    for value in (None, True, 7, -1, 0.5, "Grüße", ["a", 1], {"a": None}):
        stored = serializer.dumps(value)
        kept = str(stored).encode() if isinstance(stored, int) else stored
        assert json.loads(kept) == serializer.loads(kept) == value
    with pytest.raises(TypeError):
        serializer.dumps(object())
    for pickled in (b"\x80\x04K\x01.", b"cos\nsystem\n(S'true'\ntR."):
        with pytest.raises((UnicodeDecodeError, json.JSONDecodeError)):
            serializer.loads(pickled)


def test_no_pickle_is_reachable_from_what_others_write() -> None:
    assert isinstance(cache_at("redis://127.0.0.1:1/0")._cache._serializer, JsonSerializer)
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
    assert app.conf.accept_content == app.conf.result_accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"
    assert "application/x-python-serialize" in serialization.registry._disabled_content_types
