"""The exported graph: attention in one operator where it answers alike, as the encoder has it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

from training.export.onnx import _evenly_spaced
from training.families.shared.network import Classifier
from training.families.transformer.graph import write_onnx
from training.tasks import SINGLE

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "attn_implementation": "eager",
}


def bert(**settings: Any) -> Classifier:
    return started(BertModel(BertConfig(**SIZES | settings), add_pooling_layer=False))


def mpnet() -> Classifier:
    return started(MPNetModel(MPNetConfig(**SIZES), add_pooling_layer=False))


def started(encoder: Any) -> Classifier:
    for weights in encoder.parameters():  # what is drawn at the start is too small to tell anything
        torch.nn.init.normal_(weights, std=0.3, generator=torch.Generator().manual_seed(weights.numel()))
    network = Classifier(encoder, "mean", 3)
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(0))
    return network.eval()


def operators(folder: Path) -> list[str]:
    return [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]


def differences(network: Classifier, folder: Path) -> list[float]:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    found = []
    for shape in ((1, 3), (2, 17), (3, 36)):
        ids = np.random.default_rng(shape[1]).integers(2, 50, shape)
        with torch.no_grad():
            logits = network(torch.from_numpy(ids), torch.ones(shape, dtype=torch.int64))
        expected = logits.softmax(dim=-1).mean(dim=0).numpy()
        found.append(float(np.abs(session.run(None, {"input_ids": ids})[0][0] - expected).max()))
    return found


def test_attention_is_one_operator_for_any_number_and_length_of_windows(tmp_path: Path) -> None:
    network = bert()
    write_onnx(network, SINGLE, tmp_path)
    assert operators(tmp_path).count("MultiHeadAttention") == 2
    assert max(differences(network, tmp_path)) < 1e-5
    assert network.encoder.config._attn_implementation == "eager"


@pytest.mark.parametrize("make", [lambda: bert(is_decoder=True), mpnet], ids=["mask", "positions"])
def test_an_encoder_that_attends_in_its_own_way_keeps_that(make: Any, tmp_path: Path) -> None:
    network = make()
    write_onnx(network, SINGLE, tmp_path)
    assert "MultiHeadAttention" not in operators(tmp_path)
    assert max(differences(network, tmp_path)) < 1e-5


def test_texts_to_compare_on_reach_to_the_end_of_a_sorted_file() -> None:
    rows = _evenly_spaced(3_080, 2_000)
    assert len(set(rows.tolist())) == 2_000
    assert (rows[0], rows[-1]) == (0, 3_079)
    assert _evenly_spaced(3, 2_000).tolist() == [0, 1, 2]
    assert _evenly_spaced(0, 2_000).tolist() == []
