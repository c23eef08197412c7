"""What a version's row keeps in JSON, and what is read from the rows of earlier sites."""

from __future__ import annotations

import json
from typing import Any

from annotate.services.versions.record import VersionReport
from tests.annotate.made.cards import TWIN
from training.reportcard.card import Speed
from training.types import GraphFigures, Int8Twin, Parity

PARITY = {
    "documents": 400,
    "max_difference": 0.02,
    "same_decisions": 0.995,
    "precision": "int8",
    "note": "so",
}
SPEED = {"p50_ms": 1.0, "p99_ms": 2.0, "texts_per_s": 300.0, "threads": 1}
# As commit 135c32a stored it.
BEFORE: dict[str, Any] = {
    "confusion": [[3, 1], [0, 2]],
    "calibration_error": 0.04,
    "parity": PARITY | {"twin": TWIN},
    "thresholds": [0.5, 0.25],
    "fit_seconds": 1.5,
    "bundle_bytes": 120_000,
    "details": {"checkpoint": "some/rubert-tiny", "tuned_on": "tuning"},
    "speed": SPEED,
}


def test_a_report_of_before_is_read_whole_and_written_as_it_was() -> None:
    report = VersionReport.load(BEFORE)
    twin = Int8Twin(400, int8=GraphFigures(**TWIN["int8"]), fp32=GraphFigures(**TWIN["fp32"]))
    assert report == VersionReport(
        confusion=((3, 1), (0, 2)),
        calibration_error=0.04,
        parity=Parity(400, 0.02, 0.995, "int8", note="so", twin=twin),
        thresholds=(0.5, 0.25),
        fit_seconds=1.5,
        bundle_bytes=120_000,
        details={"checkpoint": "some/rubert-tiny", "tuned_on": "tuning"},
        speed=Speed(1.0, 2.0, 300.0, 1),
    )
    assert report.checkpoint == "some/rubert-tiny"
    assert json.loads(json.dumps(report.dump())) == BEFORE


def test_what_was_not_stored_is_unknown_and_what_is_not_known_is_left_out() -> None:
    assert VersionReport.load({}) == VersionReport.load({"from a later site": 1}) == VersionReport()
    assert VersionReport().checkpoint == ""
    assert "parity" not in VersionReport().dump()
    cascade = VersionReport.load({"fit_seconds": 3.0, "bundle_bytes": 5, "confusion": None, "parity": {}})
    assert cascade == VersionReport(fit_seconds=3.0, bundle_bytes=5)


def test_a_parity_or_a_speed_without_its_figures_is_none_rather_than_zero() -> None:
    found = VersionReport.load({"parity": {"precision": "fp32"}, "speed": {"p50_ms": 1.0}})
    assert (found.parity, found.speed) == (None, None)
    later = VersionReport.load({"parity": PARITY | {"new": 1}, "speed": SPEED | {"new": 1}})
    assert later.parity == Parity(400, 0.02, 0.995, "int8", note="so")
    assert later.speed == Speed(1.0, 2.0, 300.0, 1)
