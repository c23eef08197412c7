"""A bundle with its encoder inside answers alike wherever it is carried: no checkpoint, no cache, no site."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.cli.test_cli import train_arguments
from tests.training.conftest import make_dataset
from training.__main__ import main
from training.bundles.bundle import BundleError, open_bundle
from training.bundles.predictor import Predictor
from training.tasks import SINGLE
from training.types import FloatArray, Task

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def trained(task: Task, checkpoint: str, tmp_path: Path) -> Path:
    """Train from files by the command line; return the folder that holds all it read and wrote."""
    home = tmp_path / "trained"
    home.mkdir()
    encoder = shutil.copytree(checkpoint, home / "checkpoint")
    places = ["--encoder", str(encoder), "--cache", str(home / "cache")]
    assert main(train_arguments(home, task, "--family", "embedding", *places)) == 0
    return home


def carried(trained: Path, target: Path) -> Path:
    """Move the bundle and the test file elsewhere, and remove everything that made the bundle."""
    target.mkdir()
    for name in ("bundle", "test.csv"):
        shutil.move(trained / name, target / name)
    shutil.rmtree(trained)
    return target / "bundle"


def answers(bundle: Path, texts: Path, home: Path) -> list[dict[str, object]]:
    """Ask `python -m training predict` as somebody whose home is empty."""
    environ = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "training", "predict", str(bundle), str(texts), "--text", "text"]
    done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_moved_bundle_answers_the_same_by_itself(trained: Path, task: Task, tmp_path: Path) -> None:
    figures = json.loads((trained / "out.json").read_text("utf-8"))
    texts = make_dataset(task, 30, seed=1).texts
    before: FloatArray = Predictor(trained / "bundle").predict_proba(texts)
    bundle = carried(trained, tmp_path / "elsewhere")
    assert open_bundle(bundle).encoder
    predictor = Predictor(bundle)
    np.testing.assert_array_equal(predictor.predict_proba(texts), before)
    assert figures["macro_f1"] > 0.6  # an encoder of random weights still tells words apart
    (tmp_path / "home").mkdir()
    lines = answers(bundle, bundle.parent / "test.csv", tmp_path / "home")
    keys = predictor.schema.keys
    assert [line["text"] for line in lines] == list(texts)
    assert [line["labels"] for line in lines] == [
        [keys[j] for j in chosen] for chosen in predictor.decide(before)
    ]
    told = np.array([[line["scores"][key] for key in keys] for line in lines], float)  # type: ignore[index]
    # Sixty labels calibrate one number; of several labels a document they only say the order.
    expected = before if task is SINGLE else np.full_like(before, np.nan)
    np.testing.assert_allclose(told, expected, atol=1e-6)


@pytest.mark.parametrize("task", [SINGLE], indirect=True)
def test_a_damaged_encoder_inside_is_refused(trained: Path, tmp_path: Path) -> None:
    bundle = carried(trained, tmp_path / "elsewhere")
    (graph,) = [path for path in bundle.rglob("model.onnx") if path.parent != bundle]
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(BundleError):
        Predictor(bundle)
