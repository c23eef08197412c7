"""What the tests of fine-tuning share: a tiny checkpoint, settings that learn from little, and shortcuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.families.transformer.model import TransformerModel
from training.runs.pipeline import train_and_package
from training.types import Dataset, RunReport, RunSpec

Params = dict[str, Any]


def none_of(data: Dataset) -> Dataset:
    return Dataset(data.schema, (), data.targets[:0])


def tuned(data: Dataset, params: Params, valid: Dataset | None = None) -> TransformerModel:
    return TransformerModel(**params).fit(data, valid=valid or none_of(data))


def packaged(data: Dataset, params: Params, folder: Path, **given: Dataset) -> RunReport:
    halves = {"tuning": none_of(data), "reporting": none_of(data)} | given
    return train_and_package(RunSpec("transformer", params), data, folder / "bundle", **halves)
