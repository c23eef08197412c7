"""An INT8 graph beside its FP32 twin: what INT8 costs and what it brings, measured while both are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class GraphFigures:
    """One graph's figures; `macro_f1` is None where no compared document has a label.

    `p50_ms` is of single texts on one thread, by turns with the other graph.
    """

    macro_f1: float | None
    p50_ms: float
    graph_bytes: int


@dataclass(frozen=True, slots=True)
class Int8Twin:
    """Both graphs of one model on the same `documents`, whichever of the two is served.

    Where no document was `held_out`, they are those that the model learned from: then only the difference
    of the macro-F1 means something.
    """

    documents: int
    int8: GraphFigures
    fp32: GraphFigures
    held_out: bool = True

    @property
    def macro_f1_loss(self) -> float:
        """How much macro-F1 INT8 loses."""
        return (self.fp32.macro_f1 or 0.0) - (self.int8.macro_f1 or 0.0)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote, as manifests and reports keep it."""
        graphs = {name: GraphFigures(**content[name]) for name in ("int8", "fp32")}
        return cls(documents=content["documents"], held_out=content["held_out"], **graphs)
