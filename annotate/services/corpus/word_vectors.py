"""Vectors of the words of a project's texts: kept in files by the digest of their text, within a budget."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotate.models import Project
from training.encoders.word_export import prepare_word_encoder
from training.encoders.word_store import CachedWordEncoder, WordFolder
from training.preprocess.word_encoder import OnnxWordEncoder, cut_key
from training.preprocess.words import WAYS

FOLDER = "word-vectors"
CHUNK = 64  # texts between two looks at the clock


class ProjectWords(CachedWordEncoder):
    """The site's word encoder over what is kept of one project's texts."""

    def known(self, texts: Sequence[str], way: str) -> NDArray[np.bool_]:
        """Tell (texts,) which vectors are there, so that a run need not wait for the others."""
        cut = WAYS[way]
        return self.has([cut_key(text, cut(text)) for text in texts])

    def prepare(
        self,
        texts: Sequence[str],
        way: str,
        *,
        seconds: float = float("inf"),
        tell: Callable[[float], None] = lambda done: None,
    ) -> bool:
        """Make what is missing for about so many `seconds`; tell whether nothing is missing any more."""
        cut, deadline = WAYS[way], time.monotonic() + seconds
        missing = [text for text, there in zip(texts, self.known(texts, way), strict=True) if not there]
        for start in range(0, len(missing), CHUNK):
            if time.monotonic() > deadline:
                return False
            tell(start / len(missing))
            some = missing[start : start + CHUNK]
            self.vectors(some, [cut(text) for text in some])
        return True


def of(project: Project, fingerprint: str = "") -> ProjectWords:
    """Return the site's word encoder, or that of a version by its fingerprint, for texts of the project.

    Raises `TrainingError` where there is none.
    """
    return ProjectWords(_encoder(fingerprint), WordFolder(root(), scope=str(project.pk)))


def root() -> Path:
    return Path(settings.ENCODER_ROOT) / FOLDER


def forget(project_id: int) -> None:
    """Remove what is kept of a project's texts; what is still wanted is made again."""
    shutil.rmtree(root() / str(project_id), ignore_errors=True)


@lru_cache(maxsize=2)
def _encoder(fingerprint: str) -> OnnxWordEncoder:
    folder = Path(settings.ENCODER_ROOT)
    return OnnxWordEncoder(
        folder / fingerprint if fingerprint else prepare_word_encoder(folder, settings.ENCODER)
    )
