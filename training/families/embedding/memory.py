"""What one run of the embedding family hands to the next: weights to start from and the parts in use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training import tasks
from training.families.embedding.recipe import Parts
from training.families.shared.graphs import read_vector_graph
from training.families.shared.heads import FILE as WEIGHTS
from training.families.shared.heads import Head
from training.families.shared.trees import FILE as TREES
from training.families.shared.trees import TreeHead
from training.types import LabelSchema, LabelSpec, TrainingError

FILE = "recipe.json"


@dataclass(frozen=True, slots=True)
class Memory:
    """A fitted head with what it was fitted on; `offered` are the parts that were there to choose from."""

    schema: LabelSchema
    encoder: str
    parts: Parts
    offered: Parts
    decided_at: int  # labelled documents when the parts were chosen
    head: Head | TreeHead


def remember(memory: Memory, folder: Path) -> None:
    """Write all but the weights as JSON."""
    content = {
        "task": memory.schema.task.key,
        "labels": [asdict(label) for label in memory.schema.labels],
        "encoder": memory.encoder,
        "parts": asdict(memory.parts),
        "offered": asdict(memory.offered),
        "decided_at": memory.decided_at,
    }
    (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def read_memory(folder: Path) -> Memory:
    """Read what `remember` and a saved or exported head left in `folder`."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        labels = tuple(LabelSpec(**label) for label in content["labels"])
        return Memory(
            schema=LabelSchema(tasks.find(content["task"]), labels),
            encoder=str(content["encoder"]),
            parts=Parts(**content["parts"]),
            offered=Parts(**content["offered"]),
            decided_at=int(content["decided_at"]),
            head=_read_head(folder),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder} holds no model of the embedding family ({error}).") from error


def recall(folder: Path | None, schema: LabelSchema, encoder: str) -> Memory | None:
    """Return what an earlier run left, its weights in the order of `schema`; None where it is of no use.

    An earlier run only saves time, so one that is gone, unreadable or of another encoder is passed over.
    """
    if folder is None:
        return None
    try:
        memory = read_memory(folder)
    except TrainingError:
        return None
    if (
        memory.encoder != encoder
        or memory.schema.task is not schema.task
        or isinstance(memory.head, TreeHead)
    ):
        return None
    head = _reordered(memory.head, memory.schema, schema)
    return Memory(schema, encoder, memory.parts, memory.offered, memory.decided_at, head)


def is_due(memory: Memory, offered: Parts, documents: int, enough: int) -> bool:
    """Tell whether the parts are to be chosen anew: others to choose from, or half as many labels again."""
    grown = documents >= max(enough, 1.5 * memory.decided_at)
    return offered != memory.offered or grown or documents < memory.decided_at


def _read_head(folder: Path) -> Head | TreeHead:
    if (folder / TREES).exists():
        return TreeHead.load(folder)
    return Head.load(folder) if (folder / WEIGHTS).exists() else Head(*read_vector_graph(folder))


def _reordered(head: Head, before: LabelSchema, schema: LabelSchema) -> Head:
    """Return the head with the columns of `schema`; a new label starts at zero."""
    old = {key: j for j, key in enumerate(before.keys)}
    kept = [(j, old[key]) for j, key in enumerate(schema.keys) if key in old]
    new = [j for j, _ in kept]
    weights = np.zeros((len(head.weights), len(schema)), np.float32)
    bias = np.zeros(len(schema), np.float32)
    weights[:, new] = head.weights[:, [j for _, j in kept]]
    bias[new] = head.bias[[j for _, j in kept]]
    return Head(weights, bias)
