"""A pretrained encoder without a head: token ids to one unit vector per text, read from a checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel

from training.encoders.checkpoints import Checkpoint
from training.families.shared.batches import Window, pad
from training.families.shared.devices import best_device, half_precision
from training.families.shared.network import Classifier, ensure_tokenizer, longest_input, read_network
from training.preprocess.tokens import TokenPreprocessor, TokenSettings, read_tokenizer


class SentenceEncoder(nn.Module):
    """The encoder of a classifier, and how it reads texts.

    The vectors of words stay as they are. Otherwise a word that no labelled text has would stay behind while
    the words that mean alike move.
    """

    def __init__(self, classifier: Classifier, tokens: TokenPreprocessor) -> None:
        super().__init__()
        self.encoder = classifier.encoder
        self.pooling = classifier.pooling
        self.padding = classifier.padding
        self.tokens = tokens
        self.encoder.get_input_embeddings().weight.requires_grad_(False)

    def forward(self, windows: Sequence[Window]) -> torch.Tensor:
        """Return unit vectors (texts, dimension) of one window of token ids for each text."""
        device = next(self.parameters()).device
        ids, mask = (torch.from_numpy(array).to(device) for array in pad(windows, self.padding))
        with half_precision(device):
            hidden = self.encoder(input_ids=ids, attention_mask=mask)[0]  # (texts, tokens, dimension)
        if self.pooling == "cls":
            return nn.functional.normalize(hidden[:, 0].float(), dim=-1)
        summed = (hidden * mask.unsqueeze(-1)).sum(dim=1)
        return nn.functional.normalize(summed.float(), dim=-1)


def read_sentence_encoder(checkpoint: Checkpoint, max_length: int) -> SentenceEncoder:
    """Return the encoder of a checkpoint, which sees the first `max_length` tokens of a text.

    Raises `TrainingError` for a checkpoint that cannot be read or has no fast tokenizer.
    """
    classifier = read_network(checkpoint, 1)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = read_tokenizer(ensure_tokenizer(checkpoint, Path(scratch)))
    longest = min(max_length, longest_input(classifier), checkpoint.max_length or max_length)
    settings = TokenSettings(longest, 0, 1, checkpoint.lowercase, checkpoint.prompt)
    return SentenceEncoder(classifier, TokenPreprocessor(tokenizer, settings)).to(best_device())


def save_weights(network: SentenceEncoder, checkpoint: Checkpoint, folder: Path) -> None:
    """Write config.json and model.safetensors; layers that pooling leaves out stay as they were."""
    whole = AutoModel.from_pretrained(checkpoint.folder, trust_remote_code=False, use_safetensors=True)
    whole.load_state_dict(network.encoder.state_dict(), strict=False)
    whole.save_pretrained(folder, safe_serialization=True)
