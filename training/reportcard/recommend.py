"""Recommends the cheapest candidate that is within noise of the best, and says why in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.figures import evidence
from training.figures.evaluate import PairedDifference, paired_bootstrap
from training.figures.thresholds import Decisions
from training.reportcard.card import Candidate, Constraints, Gap, Quantised, Recommendation
from training.spans import SpanDataset
from training.tagging.figures import Spans, paired_difference
from training.tagging.whole import Said, joint_difference
from training.types import FloatArray, Json

TOLERANCE = 0.005  # of F1; half a point is not worth a costlier model, even if it is surely there
_RESAMPLES = 2_000
_OF_PRECISION = ("precision", "int8")  # parameters of a candidate that set its precision
_CLEARLY_FASTER = 1.2  # times
_ALIKE = 1.5  # times the least latency or size; smaller differences may come from a busy machine


class Compared(Protocol):
    """What candidates said of the same held-out documents."""

    @property
    def documents(self) -> int: ...

    def difference(self, one: str, other: str, rng: np.random.Generator) -> PairedDifference:
        """Return how far one candidate, by name, is ahead of another."""


@dataclass(frozen=True, slots=True)
class DecidedDocuments:
    """Decisions (documents, labels) by candidate's name beside the `targets`, compared by macro-F1."""

    targets: FloatArray
    decisions: Mapping[str, Decisions]

    @property
    def documents(self) -> int:
        return len(self.targets)

    def difference(self, one: str, other: str, rng: np.random.Generator) -> PairedDifference:
        ours, theirs = self.decisions[one], self.decisions[other]
        return paired_bootstrap(self.targets, ours, theirs, rng, resamples=_RESAMPLES)


@dataclass(frozen=True, slots=True)
class FoundSpans:
    """Spans of each text by candidate's name beside the `true` ones, compared by micro-F1 of exact spans."""

    true: Spans
    found: Mapping[str, Spans]

    @property
    def documents(self) -> int:
        return len(self.true)

    def difference(self, one: str, other: str, rng: np.random.Generator) -> PairedDifference:
        return paired_difference(self.true, self.found[one], self.found[other], rng)


@dataclass(frozen=True, slots=True)
class FoundBoth:
    """Spans and decisions by candidate's name beside the `true` ones, compared by joint F1."""

    true: SpanDataset
    found: Mapping[str, Said]

    @property
    def documents(self) -> int:
        return len(self.true)

    def difference(self, one: str, other: str, rng: np.random.Generator) -> PairedDifference:
        return joint_difference(self.true, self.found[one], self.found[other], rng)


def recommend(
    candidates: Sequence[Candidate],
    compared: Compared,
    constraints: Constraints,
    *,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Recommendation:
    """Return the cheapest candidate that is within noise of the best one that the constraints allow.

    `compared` knows what each said of the same documents. Within noise: the
    95 % interval of the paired bootstrap's difference (Efron and Tibshirani, 1993) includes 0, or the
    difference is at most `tolerance`. Cheap is a low latency, then a small size; of those alike in both the
    most accurate is chosen. On too few documents for a figure nothing is recommended.
    """
    if not candidates:
        return Recommendation(None, "There is no candidate.")
    if not evidence.is_enough(compared.documents):
        why = evidence.why_none(compared.documents)
        return Recommendation(None, f"Nothing is recommended: models are {why}.")
    ruled_out = {c.name: found for c in candidates if (found := violations(c, constraints))}
    allowed = [c for c in candidates if c.name not in ruled_out]
    if not allowed:
        each = ". ".join(f"{name}: {'; '.join(why).rstrip('.')}" for name, why in ruled_out.items())
        return Recommendation(None, f"No candidate can be chosen. {each}.", ruled_out=ruled_out)
    best = max(allowed, key=_reached)
    gaps = []
    for other in allowed:
        if other is not best:
            apart = compared.difference(best.name, other.name, np.random.default_rng(seed))
            p = 2 * min(apart.probability_better, 1 - apart.probability_better)
            gaps.append(Gap(other.name, apart, p, apart.low <= 0 or apart.difference <= tolerance))
    near = {gap.name for gap in gaps if gap.within_noise} | {best.name}
    fast = _least([c for c in allowed if c.name in near], _latency)
    small = _least(fast, lambda candidate: candidate.size_bytes)
    chosen = max(small, key=lambda candidate: (_reached(candidate), -candidate.train_seconds))
    reason = _reason(chosen, best, gaps)
    lost = [c for c in candidates if c.name in ruled_out and _reached(c) > _reached(best)]
    if lost:
        top = max(lost, key=_reached)
        reason += f" {top.name} reaches {_reached(top):.3f}, but {'; '.join(ruled_out[top.name])}."
    return Recommendation(chosen.name, reason, best.name, tuple(gaps), ruled_out)


def violations(candidate: Candidate, constraints: Constraints) -> tuple[str, ...]:
    """Return the reasons why a candidate cannot be chosen, each as part of a sentence; () where it can."""
    if candidate.problem or candidate.speed is None or candidate.evaluation is None:
        return (candidate.problem or "it was not measured",)
    if candidate.evaluation.judged is None:
        return ("there was no document to measure it on",)
    found = []
    latency, size = constraints.latency_ms, constraints.size_bytes
    if latency is not None and candidate.speed.p99_ms > latency:
        found.append(f"a text takes {candidate.speed.p99_ms:.2g} ms (p99), allowed are {latency:g} ms")
    if size is not None and candidate.size_bytes > size:
        found.append(f"it takes {_mb(candidate.size_bytes)}, allowed are {_mb(size)}")
    if constraints.explainable and not candidate.explainable:
        found.append("it cannot say which words decided")
    known = candidate.languages
    missing = [] if known is None else [code for code in constraints.languages if code not in known]
    if missing:
        found.append(f"its encoder was not made for {', '.join(missing)}")
    return tuple(found)


def caveats(candidates: Iterable[Candidate], classes: int, constraints: Constraints) -> tuple[str, ...]:
    """Return sentences about how the measured figures differ from the project's: its labels, its texts."""
    found = []
    if constraints.classes not in (None, classes):
        found.append(f"Measured with {classes} labels; the project has {constraints.classes}.")
    learned = max((c.labelled for c in candidates), default=0)
    if constraints.labels is not None and learned > constraints.labels:
        found.append(
            f"Measured with {learned} labelled texts; with the project's {constraints.labels} the figures "
            "are lower, and another candidate may be the best."
        )
    return tuple(found)


def quantised_pairs(candidates: Iterable[Candidate]) -> tuple[Quantised, ...]:
    """Return each INT8 candidate with its FP32 twin: the same family with the same parameters."""
    measured = [c for c in candidates if c.speed is not None and c.evaluation is not None]
    twins = [
        (a, b)
        for a in measured
        for b in measured
        if (a.precision, b.precision) == ("int8", "fp32")
        and a.family == b.family
        and _settings(a) == _settings(b)
    ]
    return tuple(
        Quantised(a.name, b.name, _faster(a, b), a.size_bytes / b.size_bytes, _reached(b) - _reached(a))
        for a, b in twins
    )


def _least(candidates: Sequence[Candidate], cost: Callable[[Candidate], float]) -> list[Candidate]:
    limit = _ALIKE * min(map(cost, candidates))
    return [candidate for candidate in candidates if cost(candidate) <= limit]


def _latency(candidate: Candidate) -> float:
    assert candidate.speed is not None
    return candidate.speed.p50_ms


def _reason(chosen: Candidate, best: Candidate, gaps: Sequence[Gap]) -> str:
    if chosen is not best:
        gap = next(gap for gap in gaps if gap.name == chosen.name)
        times = _faster(chosen, best)
        if times >= _CLEARLY_FASTER:
            cheaper = f"{times:.2g} times faster" if times < 10 else f"{round(times)} times faster"
        elif chosen.size_bytes < best.size_bytes:
            cheaper = f"smaller ({_mb(chosen.size_bytes)} against {_mb(best.size_bytes)})"
        elif chosen.train_seconds < best.train_seconds:
            cheaper = f"trains in {chosen.train_seconds:.1f} s instead of {best.train_seconds:.1f} s"
        else:
            cheaper = f"{times:.2f} times faster"
        return (
            f"{chosen.name} is within noise of {best.name} ({_figure(chosen)} {_reached(chosen):.3f} against "
            f"{_reached(best):.3f}, {_p(gap.p)}) and {cheaper}."
        )
    if not gaps:
        return f"{best.name} is the only candidate that can be chosen ({_figure(best)} {_reached(best):.3f})."
    most = f"{best.name} is the most accurate ({_figure(best)} {_reached(best):.3f})"
    if any(gap.within_noise for gap in gaps):
        return f"{most}, and nothing within noise of it is clearly cheaper."
    closest = min(gaps, key=lambda gap: gap.comparison.difference)
    behind = f"{closest.name} is {closest.comparison.difference:.3f} behind ({_p(closest.p)})"
    return f"{most}, and nothing is within noise of it: {behind}."


def _settings(candidate: Candidate) -> dict[str, Json]:
    return {key: value for key, value in candidate.params.items() if key not in _OF_PRECISION}


def _faster(one: Candidate, other: Candidate) -> float:
    return _latency(other) / _latency(one)


def _reached(candidate: Candidate) -> float:
    found = candidate.evaluation.judged if candidate.evaluation else None
    return -math.inf if found is None else found


def _figure(candidate: Candidate) -> str:
    return candidate.evaluation.figure if candidate.evaluation else ""


def _p(p: float) -> str:
    return f"p < {2 / _RESAMPLES:g}" if p < 2 / _RESAMPLES else f"p = {p:.2g}"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
