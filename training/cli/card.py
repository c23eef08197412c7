"""Writes the report card as lines of text for a terminal."""

from __future__ import annotations

import argparse
import json

from training.figures.evidence import figure, is_enough, why_none
from training.reportcard.card import Comparison
from training.types import Evaluation

_HEAD = (
    "candidate",
    "{figure} (95 %)",
    "calibr.",
    "p50 ms",
    "p99 ms",
    "texts/s",
    "bundle MB",
    "+encoder",
    "train s",
    "explains",
)


def show(card: Comparison) -> str:
    """Return the table, its caveats, and the recommendation."""
    figure_name = next((c.evaluation.figure for c in card.candidates if c.evaluation), "macro-F1")
    rows = [tuple(cell.format(figure=figure_name) for cell in _HEAD)]
    for candidate in card.candidates:
        if candidate.problem:
            continue
        found, speed = candidate.evaluation, candidate.speed
        assert found is not None
        assert speed is not None
        cells = (
            candidate.name,
            _figure(found),
            _number(found.calibration_error),
            f"{speed.p50_ms:.3g}",
            f"{speed.p99_ms:.3g}",
            f"{speed.texts_per_s:.0f}",
            f"{candidate.bundle_bytes / 1e6:.1f}",
            f"{candidate.encoder_bytes / 1e6:.1f}" if candidate.encoder_bytes else "",
            f"{candidate.train_seconds:.1f}",
            "yes" if candidate.explainable else "no",
        )
        rows.append(cells)
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [f"{c.name}: {c.problem}" for c in card.candidates if c.problem]
    for candidate in card.candidates:
        lines += [f"{candidate.name}: {note}" for note in candidate.notes]
        if candidate.cut_share:
            lines.append(f"{candidate.name}: {candidate.cut_share:.1%} of the texts are longer than it reads")
    for candidate in card.candidates:
        if (twin := candidate.twin) is None:
            continue
        int8, fp32 = twin.int8, twin.fp32
        where = "held-out texts" if twin.held_out else "texts that it learned from"
        lines.append(
            f"{candidate.name}: INT8 / FP32: macro-F1 {_number(figure(int8.macro_f1, twin.documents))} / "
            f"{_number(figure(fp32.macro_f1, twin.documents))} "
            f"on {twin.documents} {where}, "
            f"p50 {int8.p50_ms:.3g} / {fp32.p50_ms:.3g} ms, "
            f"{int8.graph_bytes / 1e6:.1f} / {fp32.graph_bytes / 1e6:.1f} MB"
        )
    if not is_enough(card.documents):
        lines.append(f"{figure_name} is {why_none(card.documents)}")
    lines += [
        f"{pair.int8} against {pair.fp32}: {pair.speedup:.2f} times the speed, {pair.size_ratio:.2f} of the "
        f"size, {pair.macro_f1_loss:+.4f} macro-F1 lost"
        for pair in card.quantised
        if is_enough(card.documents)
    ]
    lines += [
        f"{card.documents} texts, {card.classes} labels; speeds on {card.machine['processor']}, one thread, "
        f"load {card.machine['load']}",
        *card.caveats,
        "",
        card.recommendation.reason,
    ]
    return "\n".join(line.rstrip() for line in lines)


def _figure(found: Evaluation) -> str:
    if found.judged is None:
        return "-"
    if found.judged_by == "both":
        return f"{_number(found.judged)} (spans {_number(found.micro_f1)}, labels {_number(found.macro_f1)})"
    low, high = (getattr(found, f"{found.judged_by}_{end}") for end in ("low", "high"))
    return f"{_number(found.judged)} ({_number(low)}-{_number(high)})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def tell_student(
    card: Comparison, *, taught: int, share: float | None, tested: int, arguments: argparse.Namespace
) -> None:
    """Print the card, and write it where that was asked for.

    `taught` is from how many texts the student learned what its teacher says, `share` which part of the gap
    to the teacher it recovers, and `tested` on how many texts that was measured.
    """
    content = card.to_json() | {
        "taught": taught,
        "recovered": share,
        "reason": "" if is_enough(tested) else why_none(tested),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    print(show(card))
    if share is not None:
        print(f"The student recovers {share:.0%} of the gap to its teacher, from {taught} texts.")
