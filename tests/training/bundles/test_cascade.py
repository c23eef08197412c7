from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset, write_csv
from training.__main__ import main
from training.bundles.bundle import MANIFEST, BundleError, bundle_bytes, open_bundle
from training.bundles.cascade import CascadePredictor, open_predictor
from training.bundles.predictor import Predictor
from training.figures.evaluate import macro_f1
from training.figures.thresholds import tune
from training.reportcard import measurement
from training.reportcard.card import Candidate
from training.runs.cascade_tuning import Split, build_cascade, decided_by_halves, tune_split
from training.runs.pipeline import rows_of, train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, Embedder, FloatArray, Objective, RunSpec, Task, TrainingError

FEW = {SINGLE: 20, MULTI: 60}  # documents: enough to be right where it is sure


def trained(task: Task, folder: Path, family: str, documents: int) -> Path:
    data = make_dataset(task, documents)
    nothing = rows_of(data, np.zeros(0, np.int64))
    embedder = WordEmbedder() if family == "embedding" else None
    spec = RunSpec(family)
    return train_and_package(spec, data, folder, tuning=nothing, reporting=nothing, embedder=embedder).bundle


class Part:
    """A part of a cascade that says what it was told to say."""

    def __init__(self, scores: FloatArray, thresholds: FloatArray) -> None:
        self._scores, self.thresholds = scores, thresholds
        self.manifest = None

    def predict_proba(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> FloatArray:
        return self._scores


class Scripted:
    """A cascade of two such parts."""

    def __init__(self, cheap: FloatArray, strong: FloatArray, thresholds: FloatArray) -> None:
        self.cheap, self.strong = Part(cheap, thresholds), Part(strong, thresholds)


@pytest.fixture
def parts(task: Task, tmp_path: Path) -> tuple[Path, Path]:
    """Return a bundle that learned from few documents as the cheap one, and a strong one."""
    cheap = trained(task, tmp_path / "cheap", "tfidf", FEW[task])
    return cheap, trained(task, tmp_path / "strong", "tfidf", 200)


@pytest.fixture
def built(parts: tuple[Path, Path], task: Task, tmp_path: Path) -> tuple[Path, Split]:
    split = build_cascade(*parts, make_dataset(task, 150, seed=5), tmp_path / "both")
    return tmp_path / "both", split


def test_each_text_is_answered_by_the_part_that_it_is_for(
    built: tuple[Path, Split], parts: tuple[Path, Path], task: Task
) -> None:
    cascade = CascadePredictor(built[0])
    texts = make_dataset(task, 80, seed=6).texts
    found = cascade.answer(texts)
    cheap, strong = (Predictor(path).predict_proba(texts) for path in parts)
    assert 0 < found.by_strong.sum() < 80
    np.testing.assert_array_equal(found.by_strong, task.confidence(cheap) < built[1].confidence)
    np.testing.assert_array_equal(found.scores[found.by_strong], strong[found.by_strong])
    np.testing.assert_array_equal(found.scores[~found.by_strong], cheap[~found.by_strong])
    np.testing.assert_array_equal(cascade.predict_proba(texts), found.scores)


def test_a_cascade_is_calibrated_where_both_parts_are(
    built: tuple[Path, Split], parts: tuple[Path, Path], task: Task, tmp_path: Path
) -> None:
    assert [open_bundle(path).calibrated for path in (*parts, built[0])] == [False, True, False]
    other = trained(task, tmp_path / "other", "embedding", 200)
    build_cascade(other, parts[1], make_dataset(task, 150, seed=5), tmp_path / "b", embedder=WordEmbedder())
    assert open_bundle(tmp_path / "b").calibrated
    assert CascadePredictor(built[0]).knows(["a text", "another"]).tolist() == [True, True]


def test_a_cascade_is_as_good_as_its_strong_part_and_spares_it(
    built: tuple[Path, Split], parts: tuple[Path, Path], task: Task
) -> None:
    cascade, strong = CascadePredictor(built[0]), Predictor(parts[1])
    unseen = make_dataset(task, 200, seed=9)
    reached = [
        macro_f1(unseen.targets, task.decide(one.predict_proba(unseen.texts), one.thresholds)) or 0.0
        for one in (cascade, strong)
    ]
    assert reached[0] > reached[1] - 0.05
    assert built[1].cheap_share > 0.1
    assert built[1].macro_f1 >= built[1].strong_macro_f1 - 0.0025
    assert strong.schema == cascade.schema


def test_one_function_opens_both_kinds(built: tuple[Path, Split], parts: tuple[Path, Path]) -> None:
    assert isinstance(open_predictor(built[0]), CascadePredictor)
    assert isinstance(open_predictor(parts[0]), Predictor)
    with pytest.raises(BundleError, match="There is no bundle"):
        open_predictor(built[0].parent)


def test_a_cascade_is_no_single_model_and_a_single_model_no_cascade(
    built: tuple[Path, Split], parts: tuple[Path, Path]
) -> None:
    with pytest.raises(BundleError, match="cannot be loaded"):
        Predictor(built[0])
    with pytest.raises(BundleError, match="not a cascade"):
        CascadePredictor(parts[0])


def test_the_parts_stay_and_the_folder_holds_all(built: tuple[Path, Split], parts: tuple[Path, Path]) -> None:
    assert all(open_bundle(part) for part in parts)
    manifest = open_bundle(built[0])
    assert (manifest.family, set(manifest.parts)) == ("cascade", {"cheap", "strong"})
    files = [path for path in built[0].rglob("*") if path.is_file()]
    assert bundle_bytes(built[0]) == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("name", ["cheap/model.onnx", "strong/ngrams.json", "strong/manifest.json"])
def test_a_changed_part_is_noticed(built: tuple[Path, Split], name: str) -> None:
    file = built[0] / name
    content = file.read_bytes()
    file.unlink()  # its bytes are shared with the bundle that it came from
    file.write_bytes(content + b" ")
    with pytest.raises(BundleError, match="changed or damaged"):
        open_predictor(built[0])


def test_a_missing_part_is_noticed(built: tuple[Path, Split]) -> None:
    (built[0] / "cheap" / MANIFEST).unlink()
    with pytest.raises(BundleError, match="lacks its part 'cheap'"):
        open_predictor(built[0])


def test_a_cascade_of_cascades_is_refused(
    built: tuple[Path, Split], parts: tuple[Path, Path], task: Task
) -> None:
    with pytest.raises(TrainingError):
        build_cascade(parts[0], built[0], make_dataset(task, 150, seed=5), built[0].parent / "deep")
    assert not (built[0].parent / "deep").exists()


def with_errors(data: Dataset) -> Dataset:
    """Return the data with every eighth answer turned round, so that no threshold parts right from wrong."""
    wrong = (np.arange(data.targets.size) % 8 == 0).reshape(data.targets.shape)
    return replace(data, targets=np.where(wrong, 1 - data.targets, data.targets))


def test_thresholds_of_a_cascade_suit_the_objective(tmp_path: Path) -> None:
    parts = [trained(MULTI, tmp_path / str(n), "tfidf", n) for n in (150, 200)]
    tuning, wanted = with_errors(make_dataset(MULTI, 150, seed=5)), 0.6
    cuts = []
    for objective in (Objective.F1, Objective.PRECISION):
        build_cascade(
            *parts,
            tuning,
            tmp_path / "both",
            objective=objective,
            objective_value=wanted,
            tolerance=0.1,
            replace_bundle=True,
        )
        cascade = CascadePredictor(tmp_path / "both")
        scores = cascade.predict_proba(tuning.texts)
        np.testing.assert_array_equal(cascade.thresholds, tune(scores, tuning.targets, objective, wanted))
        cuts.append(cascade.thresholds)
    assert (cuts[1] < cuts[0]).all()


def test_no_texts_give_no_rows(built: tuple[Path, Split]) -> None:
    cascade = CascadePredictor(built[0])
    assert cascade.predict_proba([]).shape == (0, 3)
    assert cascade.decide(cascade.predict_proba([])) == []


def test_the_strong_part_reads_kept_vectors(task: Task, tmp_path: Path) -> None:
    parts = (
        trained(task, tmp_path / "cheap", "tfidf", FEW[task]),
        trained(task, tmp_path / "strong", "embedding", 90),
    )
    tuning = make_dataset(task, 150, seed=5)
    build_cascade(*parts, tuning, tmp_path / "both", embedder=WordEmbedder())
    found = CascadePredictor(tmp_path / "both").answer(tuning.texts, embedder=WordEmbedder())
    assert found.by_strong.any()


def test_tuning_documents_of_other_labels_and_none_at_all_are_refused(
    parts: tuple[Path, Path], task: Task, tmp_path: Path
) -> None:
    data = make_dataset(task, 30)
    with pytest.raises(TrainingError, match="needs tuning documents"):
        build_cascade(*parts, rows_of(data, np.zeros(0, np.int64)), tmp_path / "both")
    turned = Dataset(type(data.schema)(task, data.schema.labels[::-1]), data.texts, data.targets)
    with pytest.raises(TrainingError, match="the same labels in the same order"):
        build_cascade(*parts, turned, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def scores_of(targets: FloatArray, right: FloatArray, sure: FloatArray) -> FloatArray:
    """Return scores whose best label is the true one where `right`, each with the confidence `sure`."""
    best = np.where(right > 0, targets.argmax(axis=1), (targets.argmax(axis=1) + 1) % 3)
    scores = np.repeat((1 - sure)[:, None] / 2, 3, axis=1).astype(np.float32)
    scores[np.arange(len(best)), best] = sure
    return scores


def test_the_split_lies_where_the_cheap_part_begins_to_err(tmp_path: Path) -> None:
    strong = Predictor(trained(SINGLE, tmp_path / "strong", "tfidf", 30))
    data = make_dataset(SINGLE, 300, seed=3)
    sure = np.linspace(0.5, 0.99, 300).astype(np.float32)
    cheap = scores_of(data.targets, (sure > 0.7).astype(np.float32), sure)
    mostly = (np.arange(300) % 5 > 0).astype(np.float32)
    usual = scores_of(data.targets, mostly, np.full(300, 0.9, np.float32))
    split, _ = tune_split(strong, cheap, usual, data, tolerance=0.0)
    assert split.confidence == pytest.approx(0.7, abs=0.01)
    assert split.macro_f1 > split.strong_macro_f1 + 0.05  # they err on different texts
    looser, _ = tune_split(strong, cheap, usual, data, tolerance=0.05)
    assert looser.confidence < split.confidence
    assert looser.macro_f1 >= split.macro_f1 - 0.05


def test_a_cheap_part_that_is_never_right_is_refused(tmp_path: Path) -> None:
    strong = Predictor(trained(SINGLE, tmp_path / "strong", "tfidf", 30))
    data = make_dataset(SINGLE, 300, seed=3)
    sure = np.linspace(0.5, 0.99, 300).astype(np.float32)
    wrong = scores_of(data.targets, np.zeros(300, np.float32), sure)
    perfect = scores_of(data.targets, np.ones(300, np.float32), sure)
    with pytest.raises(TrainingError, match="publish the strong one alone"):
        tune_split(strong, wrong, perfect, data)


def test_on_its_own_tuning_documents_a_split_comes_from_the_others(tmp_path: Path) -> None:
    """The cheap part is right where it is sure on the odd documents, and never on the even ones."""
    task, rows = SINGLE, np.arange(400)
    data = make_dataset(task, 400, seed=3)
    sure = np.where(rows % 2 == 0, 0.9, np.where(rows % 4 == 1, 0.9, 0.6)).astype(np.float32)
    right = (sure > 0.8).astype(np.float32)
    right[rows % 2 == 0] = 0.0
    cheap = scores_of(data.targets, right, sure)
    strong = scores_of(data.targets, (rows % 10 > 0).astype(np.float32), np.full(400, 0.95, np.float32))
    cascade = Scripted(cheap, strong, np.zeros(3, np.float32))
    decided = decided_by_halves(cast(CascadePredictor, cascade), data, Objective.F1, 1.0)
    even, odd = rows % 2 == 0, rows % 2 == 1
    # The odd ones let the cheap part answer, which is wrong about the even ones; the even ones let it not.
    assert (decided[even] == task.decide(cheap[even], cascade.strong.thresholds)).all()
    assert (decided[odd] == task.decide(strong[odd], cascade.strong.thresholds)).all()


def test_a_cascade_is_measured_like_any_bundle(built: tuple[Path, Split], task: Task) -> None:
    found = measurement.measure(
        Candidate("both", "cascade"), built[0], make_dataset(task, 60, seed=6)
    ).candidate
    assert found.speed is not None
    assert found.bundle_bytes == bundle_bytes(built[0])


def test_the_command_writes_the_cascade_beside_its_parts(
    parts: tuple[Path, Path], task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "_SINGLES", 60)
    tuning, test = (
        write_csv(tmp_path / f"{seed}.csv", make_dataset(task, 150, seed=seed)) for seed in (5, 6)
    )
    columns = ["--text", "text", "--label", "label", *(["--multi", "|"] if task is MULTI else [])]
    files = ["--tune", str(tuning), "--test", str(test), "--out", str(tmp_path / "both")]
    places = [str(part) for part in parts]
    assert main(["cascade", *places, *files, *columns, "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [row["name"] for row in found["candidates"]] == ["cheap", "strong", "cascade"]
    assert 0 < found["cheap_share"] < 1
    assert found["speedup"] > 0
    assert found["macro_f1_loss"] < 0.05
    assert found["tuned"]["confidence"] == open_bundle(tmp_path / "both").split


def test_the_command_takes_an_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_SINGLES", 60)
    parts = [str(trained(MULTI, tmp_path / str(n), "tfidf", n)) for n in (FEW[MULTI], 200)]
    tuning = with_errors(make_dataset(MULTI, 150, seed=5))
    file = str(write_csv(tmp_path / "tuning.csv", tuning))
    given = ["--tune", file, "--test", file, "--text", "text", "--label", "label", "--multi", "|"]
    given += ["--objective", "fbeta", "--objective-value", "4", "--tolerance", "0.1"]
    assert main(["cascade", *parts, *given, "--out", str(tmp_path / "both")]) == 0
    cascade = CascadePredictor(tmp_path / "both")
    scores = cascade.predict_proba(tuning.texts)
    expected, usual = tune(scores, tuning.targets, Objective.FBETA, 4.0), tune(scores, tuning.targets)
    np.testing.assert_array_equal(cascade.thresholds, expected)
    assert (expected < usual).any()
