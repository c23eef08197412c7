from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training
from tests.test_architecture import HEAVY as LEARNING
from tests.training.conftest import WordEmbedder, make_dataset
from training.bundles.bundle import BundleDraft, BundleError, Manifest, open_bundle
from training.bundles.predictor import BROKEN_GRAPH, Predictor
from training.families.shared.graphs import write_vector_graph
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, RunSpec, Task

HEAVY = (*sorted(LEARNING), "django", "celery")


@pytest.fixture
def bundle(dataset: Dataset, tmp_path: Path) -> Path:
    nothing = Dataset(dataset.schema, (), dataset.targets[:0])
    return train_and_package(
        RunSpec("tfidf"), dataset, tmp_path / "bundle", tuning=nothing, reporting=nothing
    ).bundle


def test_prediction_loads_nothing_heavy(bundle: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from training.bundles.predictor import Predictor;"
        "import training.runs.pipeline, training.figures.evaluate, training.registry, training.splits;"
        f"p = Predictor(Path({str(bundle)!r})); p.decide(p.predict_proba(['card']));"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_never_imports_the_site_or_its_frameworks() -> None:
    for path in Path(training.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & {
            "django",
            "celery",
            "rest_framework",
            "annotate",
        }, path


def test_decisions_are_label_indices_in_schema_order(bundle: Path, task: Task) -> None:
    predictor = Predictor(bundle)
    scores = predictor.predict_proba(["my card please today", "the rate card why help", "please my"])
    decided = predictor.decide(scores)
    assert decided[0] == (0,)
    if task is MULTI:
        assert decided[1] == (0, 2)
        assert decided[2] == ()


def test_a_text_scores_the_same_alone_and_among_others(bundle: Path) -> None:
    predictor = Predictor(bundle)
    texts = make_dataset(SINGLE, 30, seed=4).texts
    together = predictor.predict_proba(texts)
    alone = np.concatenate([predictor.predict_proba([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_no_texts_give_no_rows(bundle: Path) -> None:
    predictor = Predictor(bundle)
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.decide(predictor.predict_proba([])) == []


@pytest.mark.parametrize("text", ["", " ", "\u0000", "😀" * 100, "שלום עולם", "\ud800 lone surrogate"])
def test_any_text_is_scored(bundle: Path, text: str) -> None:
    assert np.isfinite(Predictor(bundle).predict_proba([text])).all()


@pytest.mark.parametrize(
    ("graph", "preprocessing"), [(b"not a graph", "ngrams"), (b"", "ngrams"), (b"not a graph", "magic")]
)
def test_a_bundle_that_cannot_be_loaded_is_a_sentence(
    tmp_path: Path, graph: bytes, preprocessing: str
) -> None:
    schema = make_dataset(SINGLE, 1).schema
    with BundleDraft(tmp_path / "bad") as draft:
        (draft.folder / "model.onnx").write_bytes(graph)
        (draft.folder / "ngrams.json").write_text(
            '{"word_max":1,"char_min":2,"char_max":2,"documents":1,"words":{"a":1},"chars":{}}'
        )
        draft.write_manifest(Manifest("tfidf", schema, (0, 0, 0), {"method": "none"}, preprocessing))
        draft.publish()
    with pytest.raises(BundleError, match="cannot be loaded"):
        Predictor(tmp_path / "bad")


def test_a_graph_that_wants_other_inputs_is_a_sentence(tmp_path: Path, bundle: Path) -> None:
    with BundleDraft(tmp_path / "other") as draft:
        for name in open_bundle(bundle).files:
            shutil.copy(bundle / name, draft.folder)
        zeros = np.zeros((4, 3), np.float32)
        write_vector_graph(draft.folder, SINGLE, zeros, zeros[0])
        draft.write_manifest(open_bundle(bundle))
        draft.publish()
    with pytest.raises(BundleError, match="cannot predict"):
        Predictor(tmp_path / "other").predict_raw(["card"])


def test_every_error_of_the_runtime_counts_as_a_broken_graph() -> None:
    names = {kind.__name__ for kind in BROKEN_GRAPH}
    assert {"Fail", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented", "EPFail"} <= names


def test_vectors_of_another_encoder_are_refused(tmp_path: Path, bundle: Path) -> None:
    manifest = replace(open_bundle(bundle), encoder="f" * 64)
    with BundleDraft(tmp_path / "other") as draft:
        for name in manifest.files:
            shutil.copy(bundle / name, draft.folder)
        draft.write_manifest(manifest)
        draft.publish()
    with pytest.raises(BundleError, match="embed the texts again"):
        Predictor(tmp_path / "other").predict_raw(["card"], embedder=WordEmbedder())
