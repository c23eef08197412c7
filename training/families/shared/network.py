"""A pretrained encoder with a linear head: read from a checkpoint, kept as safetensors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from training.encoders.checkpoints import Checkpoint
from training.preprocess.tokens import TOKENIZER_FILE
from training.types import FloatArray, Task, TrainingError

WEIGHTS = "model.safetensors"
# What one core does in a second in float32; with the weights of MiniLM that is 1,000 tokens.
_WEIGHTS_TIMES_TOKENS = 11_000_000_000
# Tokens; the cost of attention grows with the square, and a longer text would block all that wait behind it.
_LENGTH_LIMIT = 512
_NEVER = -15.0  # the bias of a label without any example
# These count positions from behind the padding index, so they have that many fewer than they declare.
_POSITIONS_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")


class Classifier(nn.Module):
    """Token ids to one logit per label: encoder, pooling over tokens, dropout, linear head."""

    def __init__(self, encoder: Any, pooling: str, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.pooling = pooling
        self.padding = int(encoder.config.pad_token_id or 0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, labels)
        nn.init.zeros_(self.head.weight)  # all alike, so that the order of the labels changes nothing
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits (windows, labels) of token ids and mask (windows, tokens)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]  # (windows, tokens, d)
        if self.pooling == "cls":
            return self._logits(hidden[:, 0])
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return self._logits((hidden * mask).sum(dim=1) / mask.sum(dim=1))

    def _logits(self, pooled: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(pooled))
        return logits.float()

    def start_head(self, task: Task, targets: FloatArray) -> None:
        """Set the bias to what is known before any text is read.

        A label without examples never applies, and one of a multi-label task applies as often as it did.
        """
        bias = np.zeros(targets.shape[1], np.float32)
        if not task.exclusive:
            rates = np.clip(targets.mean(axis=0), 1e-4, 1 - 1e-4)
            bias = np.log(rates / (1 - rates))
        bias[~targets.any(axis=0)] = _NEVER
        with torch.no_grad():
            self.head.bias.copy_(torch.from_numpy(bias))


def tokens_a_second(encoder: nn.Module) -> int:
    """Return about how many tokens one core of a CPU takes through both directions in a second."""
    weights = sum(part.weight.numel() for part in encoder.modules() if isinstance(part, nn.Linear))
    return max(1, _WEIGHTS_TIMES_TOKENS // max(weights, 1))


def activate(task: Task, logits: torch.Tensor) -> torch.Tensor:
    """Return probabilities of logits (rows, labels)."""
    return logits.softmax(dim=-1) if task.exclusive else logits.sigmoid()


def read_network(checkpoint: Checkpoint, labels: int, layers: int = 0) -> Classifier:
    """Return the checkpoint's encoder with a new head; a classification head of its own is left out.

    With `layers` only so many of its layers are kept, the lowest: they are the ones that are missed most
    (Sajjad et al., 2020).
    """
    try:
        with _without_advice() if layers else nullcontext():
            encoder = AutoModel.from_pretrained(
                checkpoint.folder,
                config=_config(checkpoint, layers),
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation=_attention(),
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"The checkpoint {checkpoint.name} cannot be read ({error}). Choose another."
        ) from error
    return Classifier(_without_pooler(encoder), checkpoint.pooling, labels)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep the library from warning of weights that are left out on purpose."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _config(checkpoint: Checkpoint, layers: int) -> Any:
    """Return the checkpoint's configuration with that many layers, 0 for all."""
    config = AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False)
    has = int(config.num_hidden_layers)
    if not 0 <= layers <= has:
        raise TrainingError(f"The checkpoint {checkpoint.name} has {has} layers, so {layers} cannot be kept.")
    if layers:
        config.num_hidden_layers = layers
        for name, value in vars(config).items():
            if isinstance(value, list) and len(value) == has:  # such a list has one item for each layer
                setattr(config, name, value[:layers])
    return config


def save_network(network: Classifier, folder: Path) -> None:
    """Write the encoder's configuration and all weights."""
    network.encoder.config.to_json_file(folder / "config.json")
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)


def load_network(folder: Path, pooling: str, labels: int) -> Classifier:
    """Read what `save_network` wrote; weights that cannot be read are a `ValueError`."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, trust_remote_code=False, attn_implementation=_attention()
    )
    network = Classifier(_without_pooler(encoder), pooling, labels)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} holds no weights: {error}") from error
    return network.eval()


def _attention() -> str | None:
    """Return the plain attention for CPUs, where the fused one took three times as long backwards."""
    return None if torch.cuda.is_available() else "eager"


def _without_pooler(encoder: Any) -> Any:
    """Take out the layer over the first token that some encoders end in; the head does not use it."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def longest_input(network: Classifier) -> int:
    """Return how many tokens the encoder takes, at most 512."""
    config = network.encoder.config
    positions = int(getattr(config, "max_position_embeddings", None) or _LENGTH_LIMIT)
    if config.model_type in _POSITIONS_BEHIND_PADDING:
        positions -= int(config.pad_token_id) + 1
    return min(positions, _LENGTH_LIMIT)


def ensure_tokenizer(checkpoint: Checkpoint, scratch: Path) -> Path:
    """Return the checkpoint's `tokenizer.json`, or an older form of it converted in `scratch`."""
    own = checkpoint.folder / TOKENIZER_FILE
    if own.is_file():
        return own
    try:
        tokenizer = AutoTokenizer.from_pretrained(  # type: ignore[no-untyped-call]
            checkpoint.folder, use_fast=True, trust_remote_code=False
        )
        tokenizer.backend_tokenizer.save(str(scratch / TOKENIZER_FILE))
    except (OSError, ValueError, ImportError, AttributeError) as error:
        raise TrainingError(
            f"The checkpoint {checkpoint.name} has no fast tokenizer (tokenizer.json); choose one that does."
        ) from error
    return scratch / TOKENIZER_FILE
