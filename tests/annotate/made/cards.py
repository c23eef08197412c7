"""A stored report card for tests of its page: an embedding that is best, a TF-IDF that is recommended."""

from __future__ import annotations

from typing import Any

from annotate.models import ModelVersion, Project, ReportCard

FIGURES = {
    "documents": 40,
    "macro_f1": 0.82,
    "macro_f1_low": 0.7,
    "macro_f1_high": 0.9,
    "calibration_error": 0.04,
}


TWIN = {
    "documents": 400,
    "held_out": True,
    "int8": {"macro_f1": 0.9215, "p50_ms": 3.14, "graph_bytes": 22_800_000},
    "fp32": {"macro_f1": 0.9262, "p50_ms": 8.0, "graph_bytes": 90_400_000},
}


def row(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "family": name.partition(" ")[0],
        "problem": "",
        "evaluation": FIGURES | {"per_class": []},
        "reliability": [
            {"score": 0.35, "right": 0.3, "count": 4},
            {"score": 0.9, "right": 0.95, "count": 36},
        ],
        "speed": {"p50_ms": 4.25, "p99_ms": 7.5, "texts_per_s": 230.4, "threads": 1},
        "bundle_bytes": 120_000,
        "encoder_bytes": 22_900_000,
        "train_seconds": 3.2,
        "labelled": 150,
        "precision": "int8",
        "explainable": False,
        "languages": ["en"],
        "cut_share": 0.0,
        "notes": [],
        **more,
    }


def add_card(project: Project) -> ReportCard:
    for number, family in enumerate(("embedding", "tfidf"), start=1):
        ModelVersion.objects.create(
            project=project,
            number=number,
            family=family,
            bundle=f"{number}",
            labelled=150,
            holdout_documents=40,
        )
    quick = row("tfidf v2", encoder_bytes=0, languages=None, explainable=True)
    quick["speed"] = {"p50_ms": 0.1, "p99_ms": 0.4, "texts_per_s": 9000.0, "threads": 1}
    quick["evaluation"] = quick["evaluation"] | {"macro_f1": 0.8}
    recommendation = {
        "name": "tfidf v2",
        "reason": "tfidf v2 is within noise of embedding v1.",
        "best": "embedding v1",
        "gaps": [
            {
                "name": "tfidf v2",
                "comparison": {"difference": 0.02, "low": -0.01, "high": 0.05, "probability_better": 0.8},
                "p": 0.4,
                "within_noise": True,
            }
        ],
        "ruled_out": {},
    }
    content = {
        "documents": 40,
        "classes": 3,
        "machine": {"processor": "a processor", "cores": 2, "load": 0.5, "threads": 1},
        "constraints": {},
        "candidates": [quick, row("embedding v1", notes=["INT8 against FP32: the same."])],
        "recommendation": recommendation,
        "quantised": [],
        "caveats": [],
        "versions": {"embedding v1": 1, "tfidf v2": 2},
    }
    return ReportCard.objects.create(project=project, content=content)
