from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.conftest import make_dataset
from training.__main__ import main
from training.bundle import MANIFEST, open_bundle
from training.export_torchscript import Encoded, _run, _traced
from training.pipeline import rows_of, train_and_package
from training.preprocess import load_preprocessor
from training.serve import Predictor
from training.types import RunSpec, Task


def bundle_of(task: Task, folder: Path, **params: Any) -> Path:
    data = make_dataset(task, 60)
    nothing = rows_of(data, np.zeros(0, np.int64))
    spec = RunSpec("tfidf", params)
    return train_and_package(spec, data, folder, tuning=nothing, reporting=nothing).bundle


def test_the_program_scores_like_its_bundle(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, file = bundle_of(task, tmp_path / "one"), tmp_path / "model.pt"
    assert main(["export", str(bundle), "--format", "torchscript", "--out", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["inputs"] == ["ids", "values"]
    assert told["max_difference"] < 1e-5
    inside = {MANIFEST: ""}
    program = torch.jit.load(str(file), _extra_files=inside)
    texts = (*make_dataset(task, 40, seed=2).texts, "", "unheard of")
    feeds = load_preprocessor("ngrams", bundle).feeds(texts)
    rows = [program(torch.tensor(feed["ids"]), torch.tensor(feed["values"])).numpy() for feed in feeds]
    np.testing.assert_allclose(np.concatenate(rows), Predictor(bundle).predict_raw(texts), atol=1e-6)
    assert json.loads(inside[MANIFEST])["thresholds"] == list(open_bundle(bundle).thresholds)


def test_a_head_that_is_not_linear_is_refused_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lightgbm")
    bundle = bundle_of(Task.SINGLE, tmp_path / "one", head="lightgbm")
    file = tmp_path / "model.pt"
    assert main(["export", str(bundle), "--format", "torchscript", "--out", str(file)]) == 2
    assert "cannot become TorchScript" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_traced_encoder_takes_texts_of_any_length(task: Task, pooling: str) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=32, attn_implementation="eager")
    weights, bias = torch.randn(16, 3), torch.randn(3)
    module = Encoded(task is Task.SINGLE, weights, bias, BertModel(config).eval(), pooling).eval()
    rows = [
        {"input_ids": np.arange(n)[None] % 50, "attention_mask": np.ones((1, n), np.int64)}
        for n in (3, 17, 8)
    ]
    np.testing.assert_allclose(_run(_traced(module, rows), rows), _run(module, rows), atol=1e-6)
