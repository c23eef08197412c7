"""A family whose fit tells where it is and waits there, so that a test can kill it in the middle."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Self

from training.families.tfidf.model import TfidfModel
from training.types import Dataset

FITTING = "fitting"  # in WINNOW_HOME: the process that is in the middle of a fit
GO = "go"
DEAF = "deaf"  # where it is there, the fit does not hear that it should end, as inside a long computation


class WaitingModel(TfidfModel):
    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        home = Path(os.environ["WINNOW_HOME"])
        if (home / DEAF).exists():
            for number in (signal.SIGTERM, signal.SIGQUIT):  # Celery tells its children by either
                signal.signal(number, signal.SIG_IGN)
        (home / FITTING).write_text(str(os.getpid()))
        while not (home / GO).exists():
            time.sleep(0.05)
        return super().fit(dataset, valid=valid)


class HangingModel(TfidfModel):
    """A fit that holds the interpreter for ever, so that no other thread of its process runs any more."""

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        (Path(os.environ["WINNOW_HOME"]) / FITTING).write_text(str(os.getpid()))
        re.match(r"(a+)+$", "a" * 60 + "b")
        return super().fit(dataset, valid=valid)


class MessyModel(TfidfModel):
    """A fit that has files on its way, as an export and a tokenizer have, and removes them at its end."""

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        encoders = Path(os.environ["WINNOW_HOME"]) / "encoders"
        encoders.mkdir(exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=encoders, prefix=".export-") as export,
            tempfile.TemporaryDirectory() as scratch,
        ):
            for folder in (export, scratch):
                (Path(folder) / "weights").write_bytes(b"x" * 100_000)
                time.sleep(0.02)
            return super().fit(dataset, valid=valid)
