"""Turns texts into model inputs; training and serving run the same code.

Modules here import NumPy, tokenizers and onnxruntime at most: the web process loads them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from training.preprocess.protocol import Preprocessor
from training.preprocess.word_features import WordPreprocessor

KINDS = {
    "ngrams": "training.preprocess.ngrams:NgramPreprocessor",
    "subwords": "training.preprocess.subwords:SubwordPreprocessor",
    "encoder": "training.preprocess.encoder:EncoderPreprocessor",
    "tokens": "training.preprocess.tokens:TokenPreprocessor",
}

# Those that tell of each word where it stands.
WORD_KINDS = {
    "word_features": "training.preprocess.word_features:WordFeaturePreprocessor",
    "word_pieces": "training.preprocess.word_pieces:WordPiecePreprocessor",
}


def load_preprocessor(
    kind: str, folder: Path, *, encoder: Path | None = None, threads: int = 1
) -> Preprocessor:
    """Return the preprocessor of `kind`, read from a bundle's folder; a wrong kind is a `KeyError`."""
    module, _, name = KINDS[kind].partition(":")
    found: type[Preprocessor] = getattr(import_module(module), name)
    return found.load(folder, encoder=encoder, threads=threads)


def load_word_preprocessor(
    kind: str, folder: Path, *, encoder: Path | None = None, threads: int = 1
) -> WordPreprocessor:
    """Return the preprocessor of words of `kind`, as `load_preprocessor` does."""
    module, _, name = WORD_KINDS[kind].partition(":")
    found: type[WordPreprocessor] = getattr(import_module(module), name)
    return found.load(folder, encoder=encoder, threads=threads)
