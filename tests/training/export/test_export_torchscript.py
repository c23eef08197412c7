from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.conftest import make_dataset, write_csv
from tests.training.families.tuning import Params, packaged
from training.__main__ import main
from training.bundles.bundle import MANIFEST, ORIGINAL, open_bundle
from training.bundles.predictor import Predictor
from training.export.modules import Encoded
from training.export.torchscript import _run, _traced
from training.preprocess import load_preprocessor
from training.runs.pipeline import rows_of, train_and_package
from training.tasks import SINGLE
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
    bundle = bundle_of(SINGLE, tmp_path / "one", head="lightgbm")
    file = tmp_path / "model.pt"
    assert main(["export", str(bundle), "--format", "torchscript", "--out", str(file)]) == 2
    assert "cannot become TorchScript" in capsys.readouterr().err
    assert not file.exists()


def exported(bundle: Path, file: Path, *more: str) -> int:
    return main(["export", str(bundle), "--format", "torchscript", "--out", str(file), *more])


def test_a_fine_tuned_network_scores_like_its_bundle(
    task: Task, params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, file = packaged(make_dataset(task, 60), params, tmp_path).bundle, tmp_path / "model.pt"
    assert exported(bundle, file) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["inputs"], told["texts"], told["note"]) == (["input_ids"], 3, "")
    assert told["max_difference"] < 1e-4
    inside = {MANIFEST: ""}
    program = torch.jit.load(str(file), _extra_files=inside)
    texts = (*make_dataset(task, 20, seed=2).texts, "", "my card and the iban " * 50)
    feeds = [feed["input_ids"] for feed in load_preprocessor("tokens", bundle).feeds(texts)]
    assert len(feeds[-1]) > 2  # windows of one text
    scores = np.concatenate([program(torch.tensor(ids)).detach().numpy() for ids in feeds])
    np.testing.assert_allclose(scores, Predictor(bundle).predict_raw(texts), atol=1e-5)
    assert json.loads(inside[MANIFEST])["thresholds"] == list(open_bundle(bundle).thresholds)


def test_a_bundle_in_int8_is_compared_by_its_weights_and_told_apart(
    params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, unseen = make_dataset(SINGLE, 90), make_dataset(SINGLE, 60, seed=1)
    report = packaged(data, params | {"epochs": 15, "int8": True}, tmp_path, reporting=unseen)
    assert open_bundle(report.bundle).precision == "int8"
    file = tmp_path / "model.pt"
    assert exported(report.bundle, file, "--texts", str(write_csv(tmp_path / "unseen.csv", unseen))) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["texts"], told["same_decisions"]) == (60, 1.0)
    assert told["max_difference"] < 1e-5
    program = torch.jit.load(str(file))
    feeds = load_preprocessor("tokens", report.bundle).feeds(unseen.texts)
    exact = np.concatenate([program(torch.tensor(feed["input_ids"])).detach().numpy() for feed in feeds])
    difference = np.abs(exact - Predictor(report.bundle).predict_raw(unseen.texts)).max()
    assert difference > 1e-4
    assert (
        f"INT8 and TorchScript has its FP32 weights: scores differ by up to {difference:.2g}" in told["note"]
    )
    assert "100.0% of the decisions are the same" in told["note"]


def test_weights_that_are_missing_damaged_or_others_are_refused_and_leave_no_file(
    params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, file = packaged(make_dataset(SINGLE, 60), params, tmp_path).bundle, tmp_path / "model.pt"
    weights = bundle / ORIGINAL / "model.safetensors"
    tensors = load_file(weights)
    save_file(tensors | {"head.bias": tensors["head.bias"] + torch.tensor([3.0, 0.0, 0.0])}, weights)
    assert exported(bundle, file) == 2
    assert "differs from its bundle" in capsys.readouterr().err
    weights.write_bytes(weights.read_bytes()[:-100])
    assert exported(bundle, file) == 2
    assert "cannot be read" in capsys.readouterr().err
    shutil.rmtree(bundle / ORIGINAL)
    assert exported(bundle, file) == 2
    assert "one of an earlier version has to be trained again" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_traced_encoder_takes_texts_of_any_length(task: Task, pooling: str) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=32, attn_implementation="eager")
    weights, bias = torch.randn(16, 3), torch.randn(3)
    module = Encoded(task is SINGLE, weights, bias, BertModel(config).eval(), pooling).eval()
    rows = [
        {"input_ids": np.arange(n)[None] % 50, "attention_mask": np.ones((1, n), np.int64)}
        for n in (3, 17, 8)
    ]
    np.testing.assert_allclose(_run(_traced(module, rows), rows), _run(module, rows), atol=1e-6)
