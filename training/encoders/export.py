"""Exports a sentence encoder to ONNX once and keeps it by the checksum of its graph; for the worker only."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.encoders.checkpoints import WEIGHTS, Checkpoint, find_checkpoint
from training.preprocess.agreement import LEAST_COSINE, mean_cosine
from training.preprocess.encoder import (
    MODEL_FILE,
    TOKENIZER_FILE,
    EncoderConfig,
    OnnxEncoder,
    file_checksum,
    write_config,
)
from training.types import TrainingError

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
PRECISIONS = ("int8", "fp32")
_LENGTH_LIMIT = 512  # tokens; the time of attention is quadratic, so longer texts would hold up all others


def prepare_encoder(name: str, root: Path, *, precision: str = "int8", texts: Sequence[str] = ()) -> Path:
    """Return `root/<sha256 of model.onnx>` with the exported encoder, exporting it where it is not there yet.

    An INT8 encoder whose vectors of `texts` (else of a small sample) are too far from those of its FP32
    original is not used: the original takes its place, and its `encoder.json` says so.
    Quick when the export is there. Two processes may run it at once, as a folder appears by one rename.
    Raises `TrainingError`
    where the checkpoint is not found or cannot be used (see `checkpoints.find_checkpoint`).
    """
    if precision not in PRECISIONS:
        raise TrainingError(f"There is no precision {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    note = root / f"{_key(name, precision)}.json"
    known = _known(note, root)
    if known:
        return known
    root.mkdir(parents=True, exist_ok=True)
    checkpoint = find_checkpoint(name)
    with tempfile.TemporaryDirectory(dir=root, prefix=".export-") as scratch:
        folder = _export(checkpoint, Path(scratch), precision, texts)
        kept = root / file_checksum(folder / MODEL_FILE)
        try:
            folder.rename(kept)
        except OSError:
            # An equal export that another process has moved there meanwhile stays.
            if not (kept / MODEL_FILE).is_file():
                raise
    content = {"name": name, "precision": precision, "fingerprint": kept.name}
    new_note = note.with_suffix(f".{os.getpid()}.tmp")
    new_note.write_text(json.dumps(content, indent=1), encoding="utf-8")
    new_note.replace(note)
    return kept


def prepared_encoder(name: str, root: Path, *, precision: str = "int8") -> Path | None:
    """Return what `prepare_encoder` would return, or None where it would have to export first."""
    return _known(root / f"{_key(name, precision)}.json", root)


def _key(name: str, precision: str) -> str:
    """Name the note of an export; a local checkpoint is recognised by its weights' size and time as well."""
    stamp = ""
    for weights in WEIGHTS:
        path = Path(name).expanduser() / weights
        if path.is_file():
            stat = path.stat()
            stamp += f"|{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    return hashlib.sha256(f"{name}|{precision}{stamp}".encode()).hexdigest()[:16]


def _known(note: Path, root: Path) -> Path | None:
    try:
        folder = root / str(json.loads(note.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError):
        return None
    return folder if (folder / MODEL_FILE).is_file() else None


def _export(checkpoint: Checkpoint, scratch: Path, precision: str, texts: Sequence[str]) -> Path:
    """Write the three files of the encoder into a new folder in `scratch` and return it."""
    try:
        from optimum.exporters.onnx import main_export
        from transformers import AutoConfig
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"Exporting an encoder needs {error.name}: run pip install '.[train]'."
        ) from error
    raw = scratch / "raw"
    with quiet_export():
        main_export(
            str(checkpoint.folder),
            raw,
            task="feature-extraction",
            library_name="transformers",
            device="cpu",
            do_validation=False,  # the gate on held-out texts compares decisions, which says more
            trust_remote_code=False,
        )
    if not (raw / TOKENIZER_FILE).is_file():
        raise TrainingError(
            f"The encoder {checkpoint.name} has no fast tokenizer (tokenizer.json); choose one that does."
        )
    config = AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False)
    positions = longest_input(config)
    original = EncoderConfig(
        name=checkpoint.name,
        dimension=int(config.hidden_size),
        max_length=min(checkpoint.max_length or positions, positions, _LENGTH_LIMIT),
        precision="fp32",
        pooling=checkpoint.pooling,
        prompt=checkpoint.prompt,
        lowercase=checkpoint.lowercase,
        knows_labels=checkpoint.knows_labels,
    )
    return _chosen(raw, original, scratch, precision, texts)


def longest_input(config: Any) -> int:
    """Return how many tokens an encoder of this configuration takes at once."""
    positions = int(config.max_position_embeddings)
    if "roberta" in config.model_type or config.model_type in ("mpnet", "camembert"):
        positions -= 2  # these models count positions from behind the padding index, which uses up two
    return positions


def _chosen(raw: Path, original: EncoderConfig, scratch: Path, precision: str, texts: Sequence[str]) -> Path:
    """Return the folder of the encoder to use: INT8 where that is wanted and agrees, else FP32."""
    full = _assemble(raw / MODEL_FILE, raw, original, scratch / "fp32")
    if precision == "fp32":
        return full
    graph = _quantize(raw, scratch / "quantized")
    int8 = replace(original, precision="int8", original_bytes=(full / MODEL_FILE).stat().st_size)
    small = _assemble(graph, raw, int8, scratch / "int8")
    cosine = mean_cosine(OnnxEncoder(small), OnnxEncoder(full), texts)
    if cosine >= LEAST_COSINE:
        write_config(replace(int8, cosine=cosine), small)
        return small
    note = (
        f"The INT8 encoder differs too much from its original (mean cosine {cosine:.3f}, at least "
        f"{LEAST_COSINE} is wanted), so the FP32 one is used"
    )
    write_config(replace(original, note=note), full)
    return full


def _assemble(graph: Path, raw: Path, config: EncoderConfig, folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(graph, folder / MODEL_FILE)
    shutil.copy(raw / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    write_config(config, folder)
    return folder


@contextmanager
def quiet_export() -> Iterator[None]:
    """Export on one thread, and keep the exporters' advice to programmers out of the log of a site."""
    import torch

    threads = torch.get_num_threads()
    loud = [logging.getLogger(name) for name in ("optimum", "optimum.exporters.onnx", "transformers")]
    levels = [logger.level for logger in loud]
    torch.set_num_threads(1)
    for logger in loud:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)


def _quantize(raw: Path, target: Path) -> Path:
    """Return the INT8 graph: dynamic, per channel (per tensor loses up to a point of macro-F1)."""
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
    # NB: 7-bit weights. Processors without VNNI add pairs of 8-bit products in 16 bits and saturate, so the
    # same text would get another vector there than on the machine that the head was trained on.
    config.reduce_range = True
    ORTQuantizer.from_pretrained(raw, file_name=MODEL_FILE).quantize(
        config, save_dir=target, file_suffix=None
    )
    return target / MODEL_FILE
