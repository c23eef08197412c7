"""Where a network is trained, and whether bfloat16 pays there."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

_SHAPE = (512, 384, 1536)  # the widest product of a small encoder on one batch of short texts
# So many times faster bfloat16 has to be, as products are only a part of a step and casting costs time too.
_PAYS = 2.0


def best_device() -> torch.device:
    """Return the CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which products are taken in bfloat16 where that is really faster."""
    if not bfloat16_pays(device.type):
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(device.type, torch.bfloat16)
    return context


@cache
def bfloat16_pays(device: str) -> bool:
    """Tell whether products are at least twice as fast in bfloat16: asked of CUDA, measured on the CPU.

    A processor without the instructions computes them several times slower than in float32.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _seconds(torch.bfloat16) * _PAYS <= _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """Return the shortest time of a few products, because other programs only ever make one longer."""
    rows, inner, columns = _SHAPE
    left, right = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    times = []
    for _ in range(7):
        started = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - started)
    return min(times)
