"""An encoder that tags word pieces; how words are written is added at its input, for tokens without case."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel

from training.bundles.bundle import GRAPH
from training.preprocess.word_pieces import SHAPES

_WEIGHTS = "model.safetensors"
_OPSET = 17


class WholeHead(nn.Module):
    """Vectors of pieces (windows, pieces, width) to logits of labels of whole texts (windows, labels).

    The first piece tells them, and so do all pieces, of which each label looks at some more than at others
    (Mullenbach et al., 2018). What the latter learn ends at the vectors: where it went on to the encoder,
    words were found worse, as each piece had to tell both (NLU++ banking, docs/benchmarks.md).
    """

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, labels)
        self.look = nn.Linear(width, labels, bias=False)
        self.each = nn.Linear(width, labels, bias=False)
        # At the start all pieces are looked at alike, and say nothing.
        nn.init.zeros_(self.look.weight)
        nn.init.zeros_(self.each.weight)

    def forward(self, vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        pieces = vectors.detach()
        looked = self.look(pieces).float().masked_fill(mask.unsqueeze(-1) == 0, float("-inf"))
        said: torch.Tensor = (looked.softmax(dim=1) * self.each(pieces).float()).sum(dim=1)
        first: torch.Tensor = self.first(vectors[:, 0])
        return first.float() + said


class TokenTagger(nn.Module):
    """Piece ids and shapes (windows, pieces) to logits (windows, pieces, tags).

    With `labels` of whole texts their logits (windows, labels) are given as well.
    """

    def __init__(self, encoder: Any, tags: int, labels: int = 0, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder: Any = encoder
        width = int(encoder.config.hidden_size)
        self.shape = nn.Embedding(SHAPES, width)
        nn.init.zeros_(self.shape.weight)  # at the start the encoder reads what it was trained on
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, tags)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.whole = WholeHead(width, labels) if labels else None

    def forward(
        self, input_ids: torch.Tensor, shapes: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        read = self.encoder.get_input_embeddings()(input_ids) + self.shape(shapes)  # (windows, pieces, d)
        hidden = self.encoder(inputs_embeds=read, attention_mask=mask)[0]
        logits = self.head(self.dropout(hidden)).float()
        if self.whole is None:
            return (logits,)
        return logits, self.whole(self.dropout(hidden), mask)


class OneTextTagger(nn.Module):
    """The windows of one text to logits of its pieces, and to probabilities (1, labels) if it has labels."""

    def __init__(self, network: TokenTagger) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, shapes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits, *whole = self.network(input_ids, shapes)
        return logits, *(torch.sigmoid(said).mean(dim=0, keepdim=True) for said in whole)


def save_tagger(network: TokenTagger, folder: Path) -> None:
    """Write the encoder's configuration and all weights."""
    network.encoder.config.to_json_file(folder / "config.json")
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / _WEIGHTS)


def load_tagger(folder: Path, tags: int, labels: int = 0) -> TokenTagger:
    """Read what `save_tagger` wrote; weights that cannot be read are a `ValueError`."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, trust_remote_code=False, attn_implementation="eager"
    )
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    network = TokenTagger(encoder, tags, labels)
    try:
        network.load_state_dict(load_file(folder / _WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{folder / _WEIGHTS} holds no weights of this network: {error}") from error
    return network.eval()


def write_tagger_graph(network: TokenTagger, folder: Path) -> None:
    """Write `model.onnx`: `input_ids` and `shapes` (windows, pieces) of one text to `logits` and `labels`."""
    example = torch.ones((2, 9), dtype=torch.int64)
    axes = {0: "windows", 1: "pieces"}
    with torch.no_grad(), warnings.catch_warnings():
        # The tracer warns of every shape that it reads; parity with the model is checked on real texts.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            OneTextTagger(network.cpu()).eval(),
            (example, example),
            str(folder / GRAPH),
            input_names=["input_ids", "shapes"],
            output_names=["logits"] if network.whole is None else ["logits", "labels"],
            dynamic_axes={"input_ids": axes, "shapes": axes, "logits": axes},
            opset_version=_OPSET,
            dynamo=False,
        )
