"""What onnxruntime raises for a graph that it cannot take or run."""

from __future__ import annotations

import onnxruntime as ort

# NB: its exceptions share no base below `Exception`, and new releases add some: so the module is asked.
BROKEN_GRAPH: tuple[type[Exception], ...] = tuple(
    kind
    for kind in vars(ort.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)
