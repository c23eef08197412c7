"""Figures of spans on held-out texts: entities, exact and partial, with intervals by texts. NumPy only.

Exact counts are those of seqeval on tags: a span is right where start, end and label are (Nakayama, 2018).
Partial ones count half for a span that shares characters with one of its label (SemEval 2013, task 9).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures import evidence
from training.figures.evaluate import PairedDifference
from training.types import ClassReport, Evaluation, Span

RESAMPLES = 1_000
NOTHING = ""
"""Stands for no span in confusions: what was missed, and what was made up."""

Spans = Sequence[Sequence[Span]]  # of each text


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """How many spans are right, were given and are true; half hits count partial ones."""

    hits: int
    given: int
    true: int
    partial: float = 0.0

    @property
    def precision(self) -> float:
        return self.hits / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.hits / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        return _f1(self.hits, self.given, self.true)

    @property
    def partial_f1(self) -> float:
        return _f1(self.partial, self.given, self.true)


@dataclass(frozen=True, slots=True)
class TypeReport:
    """One label's figures; None where it has no span, or too few texts were measured."""

    key: str
    support: int
    given: int
    hits: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    partial_f1: float | None


@dataclass(frozen=True, slots=True)
class EntityFigures:
    """What is told of all spans together: micro figures of exact spans, and partial F1.

    `support` is how many spans are true. The others are None on too few documents for a figure.
    """

    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    partial_f1: float | None


@dataclass(frozen=True, slots=True)
class SpanEvaluation(EntityFigures):
    """Figures of spans on held-out `documents`, with 95 % intervals; all None where those are too few.

    `f1` is micro-F1 of exact spans, the one that papers tell; `macro_f1` averages the labels with support.
    `confusions` count (true label, given label) of spans that share characters; `NOTHING` is no span.
    """

    documents: int
    macro_f1: float | None
    macro_f1_low: float | None
    macro_f1_high: float | None
    per_type: tuple[TypeReport, ...]
    confusions: tuple[tuple[str, str, int], ...]

    @property
    def entities(self) -> EntityFigures:
        """The figures of all spans together."""
        return EntityFigures(**{name: getattr(self, name) for name in EntityFigures.__dataclass_fields__})

    def as_evaluation(self, biases: Sequence[float], calibration_error: float | None) -> Evaluation:
        """Return it as it is told beside models of documents; a label's threshold is its bias.

        Without a true span there is no F1, and no confusion is one of documents.
        """
        return Evaluation(
            documents=self.documents,
            macro_f1=self.macro_f1,
            macro_f1_low=self.macro_f1_low,
            macro_f1_high=self.macro_f1_high,
            micro_f1=self.f1 if self.support else None,
            micro_f1_low=self.f1_low if self.support else None,
            micro_f1_high=self.f1_high if self.support else None,
            judged_by="micro_f1",
            per_class=tuple(
                ClassReport(
                    one.key, bias, one.support, one.precision, one.recall, one.f1, one.f1_low, one.f1_high,
                    hits=one.hits, decided=one.given,
                )
                for one, bias in zip(self.per_type, biases, strict=True)
            ),
            confusion=None,
            calibration_error=calibration_error,
        )  # fmt: skip


def evaluate_spans(
    keys: Sequence[str], true: Spans, given: Spans, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> SpanEvaluation:
    """Return the figures of `given` spans against the `true` ones, text by text."""
    documents = len(true)
    table = count_table(keys, true, given)  # (documents, labels, 4)
    shares = evidence.is_enough(documents)
    total = _counts(table.sum(axis=(0, 1)))
    drawn = _resampled(table, rng, resamples) if shares and documents else None
    per_type = tuple(_report(key, j, table, drawn, shares=shares) for j, key in enumerate(keys))
    low, high = _interval(drawn.sum(axis=1), table.sum(axis=1), total) if drawn is not None else (None, None)
    macro, macro_low, macro_high = _macro(per_type, drawn)
    return SpanEvaluation(
        documents=documents,
        support=total.true,
        precision=total.precision if shares else None,
        recall=total.recall if shares else None,
        f1=total.f1 if shares else None,
        f1_low=low,
        f1_high=high,
        macro_f1=macro,
        macro_f1_low=macro_low,
        macro_f1_high=macro_high,
        partial_f1=total.partial_f1 if shares else None,
        per_type=per_type,
        confusions=confusions(true, given),
    )


def entity_f1(true: Spans, given: Spans) -> float:
    """Return micro-F1 of exact spans."""
    pairs = list(zip(true, given, strict=True))
    hits = sum(len({*ours} & {*theirs}) for ours, theirs in pairs)
    return _f1(hits, sum(len({*said}) for said in given), sum(len({*said}) for said in true))


def paired_loss(true: Spans, before: Spans, after: Spans, rng: np.random.Generator) -> tuple[float, float]:
    """Return how much micro-F1 `after` loses against `before` on the same texts, and its standard error."""
    tables = [_texts(true, said) for said in (before, after)]  # (documents, 3) each
    size = len(true)
    difference = entity_f1(true, before) - entity_f1(true, after)
    if not size:
        return difference, 0.0
    drawn = rng.multinomial(size, np.full(size, 1 / size), RESAMPLES)
    ones, others = (_f1s(drawn @ table) for table in tables)
    return difference, float((ones - others).std())


def paired_difference(true: Spans, ours: Spans, theirs: Spans, rng: np.random.Generator) -> PairedDifference:
    """Return entity F1 of `ours` less that of `theirs` on the same texts, with a normal 95 % interval.

    To the variance of the resampled texts comes that of one text more on which only the one and one on which
    only the other is right, as in `figures.evaluate.paired_bootstrap`: models that agree on the few texts
    there are need not agree on the next. Without any text the difference can be anything.
    """
    if not len(true):
        return PairedDifference(0.0, -1.0, 1.0, 0.5, 1.0)
    difference, error = paired_loss(true, ours, theirs, rng)
    tables = [_texts(true, said) for said in (ours, theirs)]
    size = max(1.0, float(np.mean([table[:, 1:].sum() for table in tables])))  # spans that are given or true
    weights = 2 * tables[0][:, 2] / size  # of each text in F1
    error = math.sqrt(error**2 + 2 * float((weights**2).mean())) or 1e-9
    return PairedDifference(
        difference,
        max(-1.0, difference - evidence.Z * error),
        min(1.0, difference + evidence.Z * error),
        (1 + math.erf(difference / error / math.sqrt(2))) / 2,
        error,
    )


def count_table(keys: Sequence[str], true: Spans, given: Spans) -> NDArray[np.float64]:
    """Return hits, given, true and partial hits (documents, labels, 4) of each text and label."""
    column = {key: j for j, key in enumerate(keys)}
    table = np.zeros((len(true), len(keys), 4))
    for i, (ours, theirs) in enumerate(zip(true, given, strict=True)):
        ours, theirs = [*dict.fromkeys(ours)], [*dict.fromkeys(theirs)]
        for span in theirs:
            table[i, column[str(span.label)], 1] += 1
        for span in ours:
            table[i, column[str(span.label)], 2] += 1
        hits = {*ours} & {*theirs}
        for span in hits:
            table[i, column[str(span.label)], 0] += 1
            table[i, column[str(span.label)], 3] += 1
        rest = [span for span in theirs if span not in hits]
        for span in (one for one in ours if one not in hits):
            match = next((one for one in rest if one.label == span.label and _shares(one, span)), None)
            if match is not None:
                rest.remove(match)
                table[i, column[str(span.label)], 3] += 0.5
    return table


def confusions(true: Spans, given: Spans) -> tuple[tuple[str, str, int], ...]:
    """Return how often a true label was given as another, missed or made up, the most frequent first.

    Spans that share characters are compared; equal ones are left out.
    """
    found: Counter[tuple[str, str]] = Counter()
    for ours, theirs in zip(true, given, strict=True):
        rest = [span for span in theirs if span not in {*ours}]
        for span in (one for one in ours if one not in {*theirs}):
            match = max(rest, key=lambda one: _shares(one, span), default=None)
            if match is not None and _shares(match, span):
                rest.remove(match)
                if match.label != span.label:
                    found[str(span.label), str(match.label)] += 1
            else:
                found[str(span.label), NOTHING] += 1
        for span in rest:
            found[NOTHING, str(span.label)] += 1
    return tuple((*pair, count) for pair, count in sorted(found.items(), key=lambda one: (-one[1], one[0])))


def calibration_error(scores: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float | None:
    """Return the expected calibration error of spans' scores, in bins of equal width; None without spans."""
    if not len(scores):
        return None
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.bincount(place, scores - right, bins)
    return float(np.abs(gaps).sum() / counts.sum())


def _shares(one: Span, other: Span) -> int:
    """Return how many characters two spans share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _f1(hits: float, given: float, true: float) -> float:
    return 2 * hits / (given + true) if given + true else 0.0


def _f1s(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 of hits, given and true in the last axis, 0 where nothing is given or true."""
    size = totals[..., 1] + totals[..., 2]
    return np.asarray(np.divide(2 * totals[..., 0], size, out=np.zeros_like(size), where=size > 0))


def _texts(true: Spans, given: Spans) -> NDArray[np.float64]:
    rows = [
        (len({*ours} & {*theirs}), len({*theirs}), len({*ours}))
        for ours, theirs in zip(true, given, strict=True)
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def _counts(row: NDArray[np.float64]) -> SpanCounts:
    return SpanCounts(int(row[0]), int(row[1]), int(row[2]), float(row[3]))


def _resampled(table: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Return counts (resamples, labels, 4) of texts drawn anew: spans of one text come or stay together."""
    documents = len(table)
    weights = rng.multinomial(documents, np.full(documents, 1 / documents), resamples)
    return np.asarray(np.tensordot(weights, table, axes=1))


def _interval(
    drawn: NDArray[np.float64], table: NDArray[np.float64], counts: SpanCounts
) -> tuple[float, float]:
    """Return the 95 % interval of F1: the wider of the bootstrap's over texts and the score interval's.

    A bootstrap of few spans, or of none wrong, knows no errors that were not seen yet. The score interval is
    of the share of hits among all spans that are true, given or both (see `intervals.of_labels`).
    """
    low, high = np.percentile(_f1s(drawn), (2.5, 97.5))
    union = counts.given + counts.true - counts.hits
    ends = evidence.wilson(counts.hits / union if union else 0.0, union)
    score_low, score_high = (float(2 * end / (1 + end)) for end in ends)
    return min(float(low), score_low, counts.f1), max(float(high), score_high, counts.f1)


def _macro(
    per_type: Sequence[TypeReport], drawn: NDArray[np.float64] | None
) -> tuple[float | None, float | None, float | None]:
    """Return the mean F1 of the labels with support and its 95 % interval; None where none is measured.

    The wider of the bootstrap's over texts and that of the labels' own intervals (Zou and Donner, 2008).
    """
    rows = [j for j, one in enumerate(per_type) if one.f1 is not None]
    if drawn is None or not rows:
        return None, None, None
    f1, below, above = np.array([_ends(per_type[j]) for j in rows]).T
    mean = float(f1.mean())
    low, high = np.percentile(_f1s(drawn[:, rows]).mean(axis=1), (2.5, 97.5))
    down, up = (math.sqrt(float((side**2).sum())) / len(rows) for side in (below, above))
    return mean, max(0.0, min(float(low), mean - down)), min(1.0, max(float(high), mean + up))


def _ends(report: TypeReport) -> tuple[float, float, float]:
    """Return F1, and how far its interval reaches below and above it."""
    assert report.f1 is not None
    assert report.f1_low is not None
    assert report.f1_high is not None
    return report.f1, report.f1 - report.f1_low, report.f1_high - report.f1


def _report(
    key: str, j: int, table: NDArray[np.float64], drawn: NDArray[np.float64] | None, *, shares: bool
) -> TypeReport:
    counts = _counts(table[:, j].sum(axis=0))
    if not shares or drawn is None or not counts.true:
        return TypeReport(key, counts.true, counts.given, counts.hits, *[None] * 6)
    low, high = _interval(drawn[:, j], table[:, j], counts)
    return TypeReport(
        key, counts.true, counts.given, counts.hits,
        counts.precision, counts.recall, counts.f1, low, high, counts.partial_f1,
    )  # fmt: skip
