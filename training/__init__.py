"""Winnow's learning library: plain Python over files and arrays, with no Django and no Celery in it."""

from __future__ import annotations

import os

# NB: onnxruntime 1.31 reports its use to its maker over the network unless told not to before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
