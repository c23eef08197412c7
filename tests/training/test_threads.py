from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from tests.training.conftest import write_csv
from training.registry import FAMILIES, slow_families
from training.tasks import SINGLE
from training.threads import machine, one_thread, threads_for
from training.types import Dataset, LabelSchema, LabelSpec

# The command of a simulation, with a trace of what was chosen and vectors that need no encoder.
DRIVER = """
import hashlib, json, sys
import numpy as np
from training.__main__ import main
from training.cli import simulate
from training.registry import CHOOSER

class Wide:
    fingerprint, dimension = "0" * 64, 384

    def embed(self, texts):
        seeds = [int("".join(filter(str.isdecimal, text))) for text in texts]
        vectors = np.stack([np.random.default_rng(seed % 8).normal(size=384) for seed in seeds])
        vectors += np.stack([np.random.default_rng(seed).normal(size=384) for seed in seeds])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

simulate.open_embedder = lambda arguments: (Wide(), None)
choose, picks = CHOOSER.load(), []

def traced(*args, **kwargs):
    chosen = choose(*args, **kwargs)
    picks.append(hashlib.sha256(chosen.indices.tobytes() + chosen.scores.tobytes()).hexdigest())
    return chosen

sys.modules["training.strategies.wrappers"].choose_batch = traced
code = main(sys.argv[1:])
print(json.dumps(picks), file=sys.stderr)
sys.exit(code)
"""


def numbered(documents: int, first: int) -> Dataset:
    schema = LabelSchema(SINGLE, tuple(LabelSpec(f"l{j}", f"l{j}") for j in range(8)))
    texts = tuple(f"text {number}" for number in range(first, first + documents))
    return Dataset(schema, texts, schema.encode([(f"l{int(text.split()[-1]) % 8}",) for text in texts]))


def replay(folder: Path, threads: int) -> tuple[list[dict[str, float]], list[str]]:
    """Return the points and the traces of the choices of a simulation with so many threads allowed."""
    out = folder / f"{threads}.json"
    files = ["--train", str(folder / "train.csv"), "--test", str(folder / "test.csv")]
    columns = ["--text", "text", "--label", "label", "--family", "embedding"]
    sizes = ["--strategy", "margin", "--seed-labels", "30", "--batch", "30", "--budget", "120"]
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, "simulate", *files, *columns, *sizes, "--json", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    content = json.loads(out.read_text())
    assert content["machine"]["threads"]["openblas"] == threads  # the limits ended with the work
    points = [{key: point[key] for key in ("labels", "macro_f1")} for point in content["curves"][0]["points"]]
    return points, json.loads(ended.stderr.splitlines()[-1])


def test_one_thread_and_two_choose_the_same_documents_and_reach_the_same_figures(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", numbered(2_000, 0))
    write_csv(tmp_path / "test.csv", numbered(300, 2_000))
    one, two = replay(tmp_path, 1), replay(tmp_path, 2)
    assert len(one[1]) == 4
    assert one == two


def test_a_family_that_takes_minutes_may_have_all_threads_and_a_quick_one_has_one() -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info()}

    with threads_for("tfidf"):
        assert threads() == {1}
        before = threads()
    (slow, *_) = slow_families()
    with threads_for(slow):
        assert FAMILIES[slow].is_slow
    with one_thread():
        assert threads() == before


def test_figures_name_the_machine_they_are_of() -> None:
    found = machine()
    assert found["processor"]
    assert found["libraries"]["numpy"] == np.__version__
    assert set(found["threads"]) >= {"openblas"}
