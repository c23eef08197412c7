from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.conftest import make_dataset, write_csv
from tests.training.families.tuning import Params, packaged
from training.__main__ import main
from training.tasks import MULTI, SINGLE
from training.types import Task


@pytest.mark.parametrize("task", [SINGLE, MULTI], ids=lambda task: task.key)
def test_bench_compares_both_graphs_with_pytorch(params: Params, task: Task, tmp_path: Path) -> None:
    bundle = packaged(make_dataset(task, 60), params | {"int8": True}, tmp_path).bundle
    test = write_csv(tmp_path / "test.csv", make_dataset(task, 40, seed=1))
    files = [str(bundle), str(test), "--text", "text", "--label", "label", "--against", "torch"]
    multi = ["--multi", "|"] if task is MULTI else []
    assert main(["bench", *files, *multi, "--threads", "1", "--json", str(tmp_path / "out.json")]) == 0
    figures = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert figures["fp32_speedup"] == figures["fp32_texts_per_s"] / figures["torch_texts_per_s"]
    assert figures["int8_speedup"] > 0
    assert 0 < figures["int8_size_ratio"] < 1
    assert abs(figures["int8_macro_f1_loss"]) < 0.2


def test_what_it_cannot_compare_is_a_sentence(
    params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = packaged(make_dataset(SINGLE, 30), params, tmp_path).bundle
    test = write_csv(tmp_path / "test.csv", make_dataset(SINGLE, 6))
    assert main(["bench", str(bundle), str(test), "--text", "text", "--against", "torch"]) == 2
    assert "--against needs --label" in capsys.readouterr().err
    (bundle / "original").rename(tmp_path / "elsewhere")
    files = [str(bundle), str(test), "--text", "text", "--label", "label"]
    assert main(["bench", *files, "--against", "torch"]) == 2
    assert "keeps no PyTorch weights" in capsys.readouterr().err
