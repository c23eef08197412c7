"""What programs are answered is counted in this process and stored together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from annotate.models import AskedText, Corridor, PredictionTally, Project
from annotate.services.drift import counting
from annotate.services.drift.counting import COUNTER, PredictionCounter
from annotate.services.versions import predictions
from tests.annotate.made.bundles import add_version

pytestmark = pytest.mark.django_db
Ask = Callable[..., Any]


@pytest.fixture
def ask(project: Project, tmp_path: Path, settings: Any) -> Ask:
    """Have predictions of texts counted and stored; return how many tallies were."""
    settings.BUNDLE_ROOT = tmp_path
    add_version(project, tmp_path, number=4)
    counter = PredictionCounter()

    def ask(*texts: str) -> int:
        counter.add(project, texts, predictions.predict(project=project, texts=texts))
        return counter.write()

    return ask


def test_answers_are_counted_by_label_with_their_moments(ask: Ask, project: Project) -> None:
    ask("red", "red", "a green")
    tally = PredictionTally.objects.get()
    red, green = (str(project.labels.get(name=name).pk) for name in ("red", "green"))
    assert (tally.texts, tally.classes) == (3, {red: 2, green: 1})
    assert tally.version.number == 4
    assert tally.moments["characters"] == [3, 13, 9 + 9 + 49]
    assert tally.moments["confidence"][0] == 3


def test_of_a_large_window_an_even_share_of_the_texts_is_kept(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "KEPT_TEXTS", 100)
    Corridor.objects.create(project=project, window=200, texts_kept_until=timezone.localdate())
    ask(*[f"red {number}" for number in range(10)])
    assert AskedText.objects.count() == 5


def test_a_tally_is_full_after_so_many_texts(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WHOLE", 3)
    assert ask(*["red"] * 7) == 3
    assert list(PredictionTally.objects.order_by("pk").values_list("texts", flat=True)) == [3, 3, 1]


def test_texts_are_kept_only_where_the_project_says_until_when(ask: Ask, project: Project) -> None:
    ask("red")
    assert not AskedText.objects.exists()
    today = timezone.localdate()
    Corridor.objects.create(project=project, texts_kept_until=today)
    ask("green", "  ")
    assert list(AskedText.objects.values_list("text", flat=True)) == ["green"]  # nothing of a blank one shows
    Corridor.objects.update(texts_kept_until=today - timedelta(days=1))
    ask("blue")
    assert AskedText.objects.count() == 1


def test_what_cannot_be_stored_is_kept_for_later(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("the database is away")

    store = counting._store
    monkeypatch.setattr(counting, "_store", refuse)
    assert ask("red", "red") == 0
    monkeypatch.setattr(counting, "_store", store)
    assert ask("red") == 2
    assert sum(PredictionTally.objects.values_list("texts", flat=True)) == 3


def test_without_a_thread_nothing_is_written_by_itself(settings: Any) -> None:
    assert settings.COUNTS_WRITTEN_AFTER is None
    assert COUNTER._writer is None
