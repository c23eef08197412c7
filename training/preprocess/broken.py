"""The exceptions of onnxruntime for a graph that it cannot load or run."""

from __future__ import annotations

import onnxruntime as ort

# NB: they share no base class below `Exception` and new releases add some, so all are read off the module.
BROKEN_GRAPH: tuple[type[Exception], ...] = tuple(
    kind
    for kind in vars(ort.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)
