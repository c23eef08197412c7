"""One thread for whatever chooses, so that the same seeds give the same picks on any number of cores.

A sum in another order differs in its last digit; that moves one pick, and from there on two curves part: on
150 classes the same seed had macro-F1 0.850 at 300 labels with one thread and 0.883 with two.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from training.registry import FAMILIES, entry
from training.types import Json, RunSpec

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "onnxruntime", "torch")
_CPU_INFO = "/proc/cpuinfo"

P = ParamSpec("P")
R = TypeVar("R")


def one_thread() -> AbstractContextManager[Any]:
    """Hold what computes arrays (BLAS and OpenMP) to one thread, whatever OMP_NUM_THREADS says."""
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def threads_for(family: str) -> AbstractContextManager[Any]:
    """Hold a family to one thread, but for one whose fit takes minutes: that has all that it can get."""
    wanted = entry(FAMILIES, family)
    if wanted.is_slow:
        return nullcontext()
    wanted.load()  # NB: only libraries that are loaded already can be held
    return one_thread()


def steady(function: Callable[Concatenate[RunSpec, P], R]) -> Callable[Concatenate[RunSpec, P], R]:
    """Run a function of a `RunSpec` with the threads that its family may have."""

    @wraps(function)
    def limited(spec: RunSpec, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with threads_for(spec.family):
            return function(spec, *args, **kwargs)

    return limited


def machine() -> dict[str, Json]:
    """Return what a figure may depend on besides its seed: processor, instruction set, threads, versions."""
    pools = threadpool_info()
    return {
        "processor": _processor(),
        "instruction_sets": np.show_config(mode="dicts")["SIMD Extensions"]["found"],
        "cores": os.cpu_count(),
        "threads": {pool["internal_api"]: pool["num_threads"] for pool in pools},
        "kernels": sorted({pool["architecture"] for pool in pools if "architecture" in pool}),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _processor() -> str:
    try:
        with open(_CPU_INFO, encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:  # only Linux has this file
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
