"""Windows: what was predicted, counted so many texts at a time, and each compared with what is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Min, Sum

from annotate.models import (
    AskedText,
    Corridor,
    Label,
    PredictedLabel,
    Prediction,
    PredictionTally,
    PredictionWindow,
    Project,
)
from annotate.models.work import Work
from annotate.services.drift import alarms, strange_texts
from annotate.services.drift.counting import NO_LABEL
from training.drift.corridor import FEWEST_WINDOWS, Counts, MixCorridor
from training.drift.means import MeanReading, Moments, Side, read_mean

HISTORY = 20  # usual windows that a new one is compared with
SIDES = {
    "confidence": Side.BOTH,
    "characters": Side.BOTH,
    "similarity": Side.BELOW,
    "unknown_words": Side.ABOVE,
}


def due() -> Iterator[Project]:
    """Yield the projects with as many counted texts as a window takes."""
    waiting = PredictionTally.objects.values("project").annotate(n=Sum("texts")).values_list("project", "n")
    counted = dict(waiting)
    for project in Project.objects.standing().filter(pk__in=counted).select_related("corridor"):
        if counted[project.pk] >= Corridor.of(project).window:
            yield project


def close_next(project: Project) -> Sequence[Work] | None:
    """Close and judge the next window, where enough texts wait; return the rows to wake a worker for."""
    window = _fold(project)
    if window is None:
        return None
    alarms.bring_to_today(project)
    _judge(window)
    return alarms.raise_alarm(window) if alarms.is_due(Corridor.of(project)) else ()


@transaction.atomic
def _fold(project: Project) -> PredictionWindow | None:
    """Make a window of the oldest tallies. It is no larger than needed, as tallies are not divided."""
    wanted, taken = Corridor.of(project).window, list[int]()
    texts, imported, classes, moments = 0, 0, Counter[str](), dict[str, Moments]()
    became = Label.objects.successors(project.pk)
    for tally in project.prediction_tallies.order_by("pk").iterator():
        taken.append(tally.pk)
        texts += tally.texts
        imported += tally.imported
        for key, number in tally.classes.items():
            classes[_label_today(key, became)] += number
        for name, sums in tally.moments.items():
            moments[name] = moments.get(name, Moments()) + Moments(*sums)
        if texts >= wanted:
            break
    else:
        return None
    rows = PredictionTally.objects.filter(pk__in=taken)
    times = rows.aggregate(began=Min("began_at"), ended=Max("ended_at"))
    window = PredictionWindow.objects.create(
        project=project,
        version_id=rows.order_by("-pk").values_list("version", flat=True)[0],
        texts=texts,
        imported=imported,
        classes=dict(classes),
        moments={name: _sums(found) for name, found in moments.items()},
        began_at=times["began"],
        ended_at=times["ended"],
    )
    AskedText.objects.filter(tally__in=taken).update(window=window, tally=None)
    rows.delete()
    return window


def _judge(window: PredictionWindow) -> None:
    """Store how a window differs from what is usual, and whether later ones are compared with it."""
    project, corridor = window.project, Corridor.of(window.project)
    usual = project.prediction_windows.filter(is_usual=True).exclude(pk=window.pk)
    if corridor.began_at is not None:
        usual = usual.filter(began_at__gte=corridor.began_at)
    history = list(usual.order_by("-pk")[:HISTORY])
    if (near := strange_texts.similarity(window)) is not None:
        window.moments["similarity"] = _sums(near)
    if (strange := strange_texts.unknown_words(window)) is not None:
        window.moments["unknown_words"] = _sums(strange)
    rng = np.random.default_rng(window.pk)
    is_learning = corridor.began_at is not None and len(history) < FEWEST_WINDOWS
    outside = [] if is_learning else [_judge_mix(window, history, corridor, rng)]
    if len(history) >= FEWEST_WINDOWS:
        for name, reading in _mean_readings(window, history, rng):
            window.readings[name] = {
                "before": reading.before,
                "now": reading.now,
                "low": reading.low,
                "high": reading.high,
                "is_outside": reading.is_alarm,
            }
            outside.append(reading.is_alarm)
    window.is_outside = any(outside)
    window.is_usual = not window.is_outside
    window.save()


def _judge_mix(
    window: PredictionWindow,
    history: Sequence[PredictionWindow],
    corridor: Corridor,
    rng: np.random.Generator,
) -> bool:
    """Note how far the mix of classes is from what is usual; tell whether that is outside the corridor."""
    reference = _pool_classes(window.project) if corridor.began_at is None else {}
    became = Label.objects.successors(window.project_id)
    past = [Counter[str]() for _row in history]
    for counts, row in zip(past, history, strict=True):
        for key, number in row.classes.items():
            counts[_label_today(key, became)] += number
    keys = sorted({*reference, *window.classes, *(key for counts in past for key in counts)})
    if len(keys) < 2:
        return False  # one class alone has no mix
    fitted = MixCorridor.fit(
        _counts([reference], keys)[0],
        _counts(past, keys),
        sum(window.classes.values()),
        rng,
    )
    reading = fitted.read(_counts([window.classes], keys)[0])
    window.distance, window.limit = reading.g, reading.limit
    window.kl, window.js, window.psi = reading.kl, reading.js, reading.psi
    window.moved = [[keys[one.column], one.before, one.now] for one in reading.moved]
    return reading.is_alarm


def _mean_readings(
    window: PredictionWindow, history: Sequence[PredictionWindow], rng: np.random.Generator
) -> Iterator[tuple[str, MeanReading]]:
    for name, side in SIDES.items():
        past = [Moments(*row.moments[name]) for row in history if name in row.moments]
        if name in window.moments and len(past) >= FEWEST_WINDOWS:
            now = Moments(*window.moments[name])
            yield name, read_mean(Moments(), past, now, rng, side=side)


def _pool_classes(project: Project) -> dict[str, int]:
    """Count what the published version says of the project's own documents."""
    said = PredictedLabel.objects.filter(prediction__project=project).order_by()
    counts = {str(label): n for label, n in said.values_list("label").annotate(n=Count("pk"))}
    unsaid = Prediction.objects.filter(project=project, said=None).count()
    return counts | ({NO_LABEL: unsaid} if unsaid else {})


def _label_today(key: str, became: dict[int, int]) -> str:
    return key if key == NO_LABEL else str(became.get(int(key), int(key)))


def _counts(rows: Sequence[dict[str, int]], keys: Sequence[str]) -> Counts:
    return np.array([[row.get(key, 0) for key in keys] for row in rows], np.int64).reshape(-1, len(keys))


def _sums(moments: Moments) -> list[float]:
    return [moments.count, moments.total, moments.squares]
