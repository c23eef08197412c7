"""The word encoder that a family needs on the command line, with its vectors kept between runs."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from training.encoders.word_store import CachedWordEncoder, WordFolder
from training.preprocess.word_encoder import OnnxWordEncoder, WordEncoder
from training.registry import FAMILIES, entry


def word_encoder_for(family: str, arguments: argparse.Namespace) -> tuple[WordEncoder | None, Path | None]:
    """Return the encoder and the encoders' folder for a family that reads them, else (None, None)."""
    if not entry(FAMILIES, family).reads_word_vectors:
        return None, None
    # It is imported only now because it brings packages that predictions do without.
    prepare = import_module("training.encoders.word_export").prepare_word_encoder
    root = arguments.cache / "encoders"
    folder = prepare(root, arguments.encoder)
    return CachedWordEncoder(OnnxWordEncoder(folder), WordFolder(arguments.cache / "words")), root
