"""A file of labels: one `name: description` a line, or the columns `label`, `name` and `description`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from training.records import read
from training.types import Json, LabelSpec, TrainingError


def read_labels(path: Path) -> tuple[LabelSpec, ...]:
    """Return the labels in the order of the file; raises `TrainingError` where one is missing or repeated."""
    found: dict[str, LabelSpec] = {}
    for row in read(path):
        if row.problem:
            raise TrainingError(f"{path}, row {row.number}: {row.problem}")
        spec = _label(row.cells)
        if not spec.key:
            raise TrainingError(f"{path}, row {row.number}: there is no label; name it in a column “label”.")
        if spec.key in found:
            raise TrainingError(f"{path}, row {row.number}: the label {spec.key!r} is there already.")
        found[spec.key] = spec
    if not found:
        raise TrainingError(f"{path} names no label.")
    return tuple(found.values())


def _label(cells: Mapping[str, Json]) -> LabelSpec:
    if set(cells) == {"text"}:  # a line of a plain text file
        name, _, description = _clean(cells["text"]).partition(": ")
        return LabelSpec(name.strip(), name.strip(), description.strip())
    key = _clean(cells.get("label")) or _clean(cells.get("name"))
    return LabelSpec(key, _clean(cells.get("name")) or key, _clean(cells.get("description")))


def _clean(cell: Json) -> str:
    return "" if cell is None else str(cell).strip()
