"""However traffic comes, and whatever the clock says, each text is counted in one window."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotate.models import Corridor, ModelVersion, PredictionTally, PredictionWindow, Project
from annotate.services.drift import counting, windows
from annotate.services.drift.counting import PredictionCounter
from annotate.services.versions import predictions
from tests.annotate.made.bundles import add_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project: Project, tmp_path: Path, settings: Any) -> ModelVersion:
    settings.BUNDLE_ROOT = tmp_path
    Corridor.objects.create(project=project, window=10_000, began_at=timezone.now())
    return add_version(project, tmp_path)


def close_all(project: Project) -> list[int]:
    """Close what can be closed; return how many texts each window has."""
    while windows.close_next(project) is not None:
        pass
    return list(PredictionWindow.objects.order_by("pk").values_list("texts", flat=True))


def test_a_hundred_thousand_texts_at_once_are_ten_windows(project: Project, version: ModelVersion) -> None:
    counter = PredictionCounter()
    said = predictions.predict(project=project, texts=["red"] * 1000)
    for _request in range(100):
        counter.add(project, ["red"] * 1000, said)
    assert counter.write() == 100_000 // counting.WHOLE
    assert close_all(project) == [10_000] * 10
    assert not PredictionTally.objects.exists()


def test_long_texts_do_not_wait_in_memory(
    project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_WAITING", 1_000)
    counter = PredictionCounter()
    said = predictions.predict(project=project, texts=["red"])
    kept: list[int] = []
    for _request in range(4):
        counter.add(project, ["r" * 400], said)
        kept.append(len(counter._said))
    assert kept == [1, 2, 0, 1]
    counter.write()
    assert PredictionTally.objects.get().texts == 4


def test_single_texts_fill_a_window_as_well(project: Project, version: ModelVersion) -> None:
    Corridor.objects.update(window=50)
    counter = PredictionCounter()
    said = predictions.predict(project=project, texts=["red"])
    for _request in range(51):
        counter.add(project, ["red"], said)
        counter.write()
    assert close_all(project) == [50]
    assert PredictionTally.objects.get().texts == 1


def test_a_clock_that_goes_back_loses_no_text(
    project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    Corridor.objects.update(window=50)
    counter = PredictionCounter()
    said = predictions.predict(project=project, texts=["red"] * 50)
    now = timezone.now()
    clock = iter([now, *[now - timedelta(hours=h) for h in range(1, 9)]])
    monkeypatch.setattr(counting.timezone, "now", lambda: next(clock))
    counter.add(project, ["red"] * 50, said)
    counter.write()
    monkeypatch.undo()
    assert close_all(project) == [50]
    window = PredictionWindow.objects.get()
    assert window.ended_at < window.began_at
    assert PredictionWindow.objects.filter(is_outside=False).exists()
