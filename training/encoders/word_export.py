"""Exports the layers of an encoder that tell words apart, once, and keeps them by their graph's checksum."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from training.encoders.checkpoints import Checkpoint, find_checkpoint
from training.encoders.export import DEFAULT_ENCODER, longest_input, quiet_export
from training.preprocess.encoder import MODEL_FILE, TOKENIZER_FILE, file_checksum
from training.preprocess.word_encoder import WordEncoderConfig, write_config
from training.types import TrainingError

# The last layer of a sentence encoder forgets the words, so the model does not end there: on WNUT17 it alone
# gave an F1 of .43 where three earlier ones gave .55. Of deeper encoders layers at the same shares are taken.
_SHARES = (1 / 6, 3 / 6, 5 / 6)
_LENGTH_LIMIT = 256  # pieces; the time of attention is quadratic
_OPSET = 17


def prepare_word_encoder(root: Path, name: str = "") -> Path:
    """Return `root/<sha256 of model.onnx>` with the exported layers, exporting them where they are not there.

    Two processes may run it at once, as a folder appears by one rename. Raises `TrainingError` where the
    checkpoint is not found or cannot be used.
    """
    name = name or DEFAULT_ENCODER
    note = root / f"words-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
    if known := _known(note, root):
        return known
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".export-") as scratch:
        folder = Path(scratch) / "words"
        folder.mkdir()
        _export(find_checkpoint(name), folder)
        kept = root / file_checksum(folder / MODEL_FILE)
        try:
            folder.rename(kept)
        except OSError:
            # An equal export that another process has moved there meanwhile stays.
            if not (kept / MODEL_FILE).is_file():
                raise
    new_note = note.with_suffix(f".{os.getpid()}.tmp")
    new_note.write_text(json.dumps({"name": name, "fingerprint": kept.name}, indent=1), encoding="utf-8")
    new_note.replace(note)
    return kept


def _known(note: Path, root: Path) -> Path | None:
    try:
        folder = root / str(json.loads(note.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError):
        return None
    return folder if (folder / MODEL_FILE).is_file() else None


def _export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the graph, the tokenizer and the configuration."""
    try:
        import torch
        from transformers import AutoModel
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"Exporting an encoder needs {error.name}: run pip install '.[train]'."
        ) from error
    if not (checkpoint.folder / TOKENIZER_FILE).is_file():
        raise TrainingError(
            f"The encoder {checkpoint.name} has no fast tokenizer (tokenizer.json); choose one that does."
        )
    encoder = AutoModel.from_pretrained(
        checkpoint.folder, trust_remote_code=False, attn_implementation="eager"
    ).eval()
    depth = int(encoder.config.num_hidden_layers)
    layers = tuple(dict.fromkeys(max(1, round(share * depth)) for share in _SHARES))
    with quiet_export(), torch.no_grad(), warnings.catch_warnings():
        # The tracer warns of every shape that it reads; vectors are compared by a test.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _layered(encoder, layers),
            (torch.ones((2, 9), dtype=torch.int64),),
            str(folder / MODEL_FILE),
            input_names=["input_ids"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": {0: "windows", 1: "tokens"}, "vectors": {0: "windows", 1: "tokens"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    shutil.copy(checkpoint.folder / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    longest = min(checkpoint.max_length or _LENGTH_LIMIT, _LENGTH_LIMIT, longest_input(encoder.config))
    overlap = min(32, longest // 4)
    write_config(
        WordEncoderConfig(checkpoint.name, int(encoder.config.hidden_size), layers, longest, overlap), folder
    )


def _layered(encoder: Any, layers: tuple[int, ...]) -> Any:
    """Return a module that gives these layers side by side, (windows, tokens, layers * dimension)."""
    import torch

    class Layered(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            found = self.encoder(
                input_ids=input_ids,
                attention_mask=torch.ones_like(input_ids),
                output_hidden_states=True,
            )
            return torch.cat([found.hidden_states[layer] for layer in layers], dim=-1)

    return Layered()
