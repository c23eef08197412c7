"""Label Studio's JSON as rows: choices in columns of their controls, annotators as rows, the rest counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.records import Findings, Options, Row, read, sample


def choices(name: str, *chosen: str) -> dict[str, Any]:
    value = {"choices": list(chosen)}
    return {"from_name": name, "to_name": "text", "type": "choices", "value": value}


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "id": number,
        "data": {"text": f"text {number}", **data},
        "annotations": list(annotations),
        "predictions": [],
    }


BOX = {"from_name": "box", "type": "rectanglelabels", "value": {"x": 0, "y": 4, "rectanglelabels": ["X"]}}
TASKS = [
    task(
        1,
        {"result": [choices("sentiment", "good")], "ground_truth": True},
        {"result": [choices("sentiment", "bad")]},
        city="Bonn",
    ),
    task(2, {"result": [choices("sentiment", "good", "bad"), choices("topic", "price"), BOX]}),
    task(3, {"result": [], "was_cancelled": True}),
    task(4, {"result": [BOX]}),
    task(5, {"result": [choices("text", "odd name")]}),
]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_each_annotation_is_a_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"export.{suffix}"
    lines = [json.dumps(one) for one in TASKS]
    path.write_text("\n".join(lines) if suffix == "jsonl" else f"[{', '.join(lines)}]", "utf-8")
    findings = Findings()
    rows = list(read(path, Options(findings=findings)))
    assert findings.tool == "label_studio"
    assert [dict(row.cells) for row in rows] == [
        {"id": 1, "text": "text 1", "city": "Bonn", "sentiment": ["good"], "ground_truth": True},
        {"id": 1, "text": "text 1", "city": "Bonn", "sentiment": ["bad"]},
        {"id": 2, "text": "text 2", "sentiment": ["good", "bad"], "topic": ["price"]},
        {"id": 2, "text": "text 2", "results": None},
        {"id": 3, "text": "text 3"},
        {"id": 4, "text": "text 4", "results": None},
        {"id": 5, "text": "text 5", "text (chosen)": ["odd name"]},
    ]
    told = [row.faults for row in rows if row.faults]
    kinds = "holds results of the type “rectanglelabels”; only “choices” and “labels” are imported"
    assert told == [{"results": kinds}] * 2


def test_rows_that_are_no_tasks_are_problems_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    odd = [
        {"text": "flat"},
        {"id": 9, "data": {"text": "x"}, "annotations": ["odd", {"result": "odd"}, {"result": [1]}]},
    ]
    path.write_text("\n".join(map(json.dumps, [TASKS[2], *odd])), "utf-8")
    rows = list(read(path))
    assert [row.number for row in rows if row.problem] == [2]
    assert rows[-1] == Row(3, {"id": 9, "text": "x"})


def test_other_json_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"text": "a", "data": {"b": 1}}\n', "utf-8")
    rows, _options = sample(path, 5)
    assert rows == [Row(1, {"text": "a", "data": {"b": 1}})]


def spans(*places: tuple[int, int, str], name: str = "marks") -> list[dict[str, Any]]:
    return [
        {"from_name": name, "type": "labels", "value": {"start": start, "end": end, "labels": [label]}}
        for start, end, label in places
    ]


def test_spans_of_an_annotation_are_one_cell_and_none_is_an_answer_too(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    tasks = [
        task(1, {"result": [*spans((3, 7, "word")), choices("tone", "dry")]}, text="👩 text"),
        task(2, {"result": []}),
        task(3, {"result": spans((0, 4, "word"))}, {"result": spans(("x", 4, "word"))}),
        task(4),
    ]
    path.write_text("\n".join(map(json.dumps, tasks)), "utf-8")
    rows = list(read(path))
    marked = [row.cells.get("marks") for row in rows]
    assert marked[:2] == [[{"start": 2, "end": 6, "label": "word"}], []]
    assert [row.number for row in rows] == [1, 2, 3, 3, 4]
    assert rows[0].cells["tone"] == ["dry"]
    assert rows[3].faults == {
        "marks": "cannot be taken whole. Result 1 has no start and end in whole numbers"
    }
    assert "marks" not in rows[4].cells
