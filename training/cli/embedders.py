"""The encoder that a family needs on the command line, with its vectors kept between runs."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path

from training.encoders.tuning_steps import MOST_STEPS
from training.encoders.vectors import CachedEmbedder, FolderStore
from training.preprocess.encoder import OnnxEncoder
from training.registry import ENCODER_TUNER, FAMILIES, entry
from training.types import Dataset, Embedder


def add_encoder_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the encoder and of the folder that keeps it and its vectors."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "winnow"
    parser.add_argument("--encoder", default="", metavar="NAME", help="a path, or a checkpoint's name")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=f"default: {cache}")


def embedder_for(
    family: str, arguments: argparse.Namespace, *, precision: str = "int8"
) -> tuple[Embedder | None, Path | None]:
    """Return the embedder and the encoders' folder for a family that needs them, else (None, None)."""
    if not entry(FAMILIES, family).reads_vectors:
        return None, None
    return open_embedder(arguments, precision=precision)


def open_embedder(arguments: argparse.Namespace, *, precision: str = "int8") -> tuple[CachedEmbedder, Path]:
    """Return the embedder that the arguments name, exported first if it is new, and the encoders' folder."""
    # It is imported only now because it brings packages that most families and all predictions do without.
    encoders = import_module("training.encoders.export")
    root = arguments.cache / "encoders"
    folder = encoders.prepare_encoder(
        arguments.encoder or encoders.DEFAULT_ENCODER, root, precision=precision
    )
    return CachedEmbedder(OnnxEncoder(folder), FolderStore(arguments.cache / "vectors")), root


def tuned_embedder(name: str, dataset: Dataset, folder: Path) -> CachedEmbedder:
    """Return the encoder `name` tuned on labelled texts as the site does it by itself; `folder` keeps it.

    Raises `TrainingError` as the tuner does.
    """
    name = name or import_module("training.encoders.export").DEFAULT_ENCODER
    tuned = ENCODER_TUNER.load()(
        name, dataset, folder / "checkpoint", folder / "encoders", most_steps=MOST_STEPS
    )
    return CachedEmbedder(OnnxEncoder(tuned.export), FolderStore(folder / "vectors"))
