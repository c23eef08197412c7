"""Tuning an encoder on labels: what it learns, that a seed repeats it, its export, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import FILLER, WORDS, make_dataset, write_csv
from tests.training.families.checkpoints import write_tiny_checkpoint
from training.__main__ import main
from training.bundles.bundle import file_checksum
from training.encoders.checkpoints import TUNED_NOTE, find_checkpoint
from training.encoders.vectors import knows_labels
from training.preprocess.encoder import OnnxEncoder, read_config
from training.tasks import SINGLE
from training.types import Dataset, FloatArray, Task, TrainingError

torch = pytest.importorskip("torch")

from training.families.encoder_tuning import contrastive  # noqa: E402
from training.families.encoder_tuning.contrastive import (  # noqa: E402
    Tuning,
    contrastive_loss,
    together,
    tune_contrastively,
)
from training.families.encoder_tuning.sentence_encoder import SentenceEncoder, read_sentence_encoder  # noqa: E402
from training.families.encoder_tuning.tune import TunedEncoder, tune_encoder  # noqa: E402

# A random network starts with all vectors alike, from where a lower temperature needs many more steps.
FAST = Tuning(epochs=12, batch_size=16, learning_rate=3e-3, temperature=0.2, kept=0.0, least_steps=0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = (*FILLER, *(word for group in WORDS.values() for word in group))
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", words)


@pytest.fixture(scope="module")
def tuned(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> TunedEncoder:
    """One encoder tuned and exported, which several tests look at."""
    folder = tmp_path_factory.mktemp("tuned")
    return tune_encoder(
        str(checkpoint), topics(SINGLE, 60), folder / "mine", folder / "encoders", tuning=FAST
    )


def network_of(checkpoint: Path) -> SentenceEncoder:
    return read_sentence_encoder(find_checkpoint(str(checkpoint)), 64)


def vectors_of(network: SentenceEncoder, dataset: Dataset) -> FloatArray:
    with torch.no_grad():
        found = network([network.tokens.tokens(text).windows[0] for text in dataset.texts])
    return np.asarray(found.cpu())


def topics(task: Task, documents: int, seed: int = 0) -> Dataset:
    """Return texts of nothing but two words of each of their labels."""
    rng, schema = np.random.default_rng(seed), make_dataset(task, 3).schema
    answers = [
        [key] if task is SINGLE or i % 2 else sorted({key, "rate"})
        for i, key in enumerate(rng.choice(list(WORDS), size=documents).tolist())
    ]
    texts = [" ".join(str(word) for key in keys for word in rng.choice(WORDS[key], 2)) for keys in answers]
    return Dataset(schema, tuple(texts), schema.encode(answers))


def lead(vectors: FloatArray, targets: FloatArray) -> float:
    """Return by how much texts of one label are more alike than others, as a mean cosine."""
    alike = targets @ targets.T > 0
    cosines, others = vectors @ vectors.T, ~np.eye(len(vectors), dtype=bool)
    return float(cosines[alike & others].mean() - cosines[~alike].mean())


def test_unseen_texts_of_a_label_come_closer(checkpoint: Path, task: Task) -> None:
    network, unseen = network_of(checkpoint).eval(), topics(task, 40, seed=7)
    before = lead(vectors_of(network, unseen), unseen.targets)
    told: list[float] = []
    losses = tune_contrastively(network, topics(task, 60), FAST, told.append)
    assert losses[-1] < losses[0]
    assert lead(vectors_of(network, unseen), unseen.targets) > before + 0.1
    assert len(told) == len(losses)
    assert told[-1] == 1.0


def test_a_seed_repeats_it_and_leaves_the_global_randomness_alone(checkpoint: Path) -> None:
    dataset, seen = make_dataset(SINGLE, 40), []
    torch.manual_seed(5)
    drawn = torch.rand(1)
    for seed in (0, 0, 1):
        network = network_of(checkpoint)
        torch.manual_seed(5)
        tuning = Tuning(epochs=1, batch_size=16, learning_rate=1e-3, least_steps=0, seed=seed)
        tune_contrastively(network, dataset, tuning)
        assert torch.equal(torch.rand(1), drawn)
        seen.append(vectors_of(network, dataset))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.allclose(seen[0], seen[2])


def test_the_word_vectors_stay(checkpoint: Path) -> None:
    network = network_of(checkpoint)
    before = network.encoder.get_input_embeddings().weight.detach().clone()
    tune_contrastively(network, make_dataset(SINGLE, 40), FAST)
    assert torch.equal(network.encoder.get_input_embeddings().weight, before)


def test_the_loss_is_that_of_the_paper() -> None:
    vectors = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.9, 0.4], [-0.2, 1.0]]), dim=1)
    positive = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]])
    cosines = (vectors @ vectors.T / 0.5).numpy()
    first = -np.log(np.exp(cosines[0, 1]) / (np.exp(cosines[0, 1]) + np.exp(cosines[0, 2])))
    second = -np.log(np.exp(cosines[1, 0]) / (np.exp(cosines[1, 0]) + np.exp(cosines[1, 2])))
    assert contrastive_loss(vectors, positive, 0.5).item() == pytest.approx((first + second) / 2, rel=1e-5)
    # Of a row, one that belongs to it half as much as another counts half as much.
    weighed = torch.tensor([[0.0, 1, 0.5], [0, 0, 0], [0, 0, 0]])
    away = -np.log(np.exp(cosines[0, 2]) / (np.exp(cosines[0, 1]) + np.exp(cosines[0, 2])))
    expected = (first + 0.5 * away) / 1.5
    assert contrastive_loss(vectors, weighed, 0.5).item() == pytest.approx(expected, rel=1e-5)


def test_texts_belong_to_texts_and_names_by_the_share_of_labels_that_both_have() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], np.float32)
    half = 0.5
    expected = [[0, half, 0, 0, 1], [half, 0, 0, half, half], [0] * 5, [0, half, 0, 0, 0], [1, half, 0, 0, 0]]
    np.testing.assert_array_equal(together(targets, np.array([1, 0])).numpy(), expected)


@pytest.mark.parametrize(
    ("epochs", "least", "most", "steps"), [(100, 0, 3, 3), (2, 0, 20, 8), (2, 11, 20, 11), (2, 9, 5, 5)]
)
def test_few_texts_are_shown_more_often_and_many_no_longer_than_allowed(
    checkpoint: Path, epochs: int, least: int, most: int, steps: int
) -> None:
    tuning = Tuning(epochs=epochs, batch_size=16, learning_rate=1e-3, least_steps=least, most_steps=most)
    assert len(tune_contrastively(network_of(checkpoint), make_dataset(SINGLE, 60), tuning)) == steps


def test_what_is_kept_of_the_original_is_its_share_of_the_mean(checkpoint: Path) -> None:
    found = {}
    for kept in (0.0, 0.75):
        network = network_of(checkpoint)
        before = {name: weights.detach().clone() for name, weights in network.named_parameters()}
        tune_contrastively(network, make_dataset(SINGLE, 40), replace(FAST, kept=kept))
        found[kept] = {name: weights - before[name] for name, weights in network.named_parameters()}
    assert max(float(moved.abs().max()) for moved in found[0.0].values()) > 0.01
    for name, moved in found[0.75].items():
        torch.testing.assert_close(moved, 0.25 * found[0.0][name], rtol=1e-3, atol=1e-6)


def test_who_learns_on_a_tuned_encoder_is_told_that_it_knows_the_labels(
    tuned: TunedEncoder, checkpoint: Path
) -> None:
    assert knows_labels(OnnxEncoder(tuned.export))
    assert not find_checkpoint(str(checkpoint)).knows_labels


def test_a_loss_that_is_no_number_ends_it(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "contrastive_loss", lambda *_: torch.tensor(np.nan, requires_grad=True))
    with pytest.raises(TrainingError, match="no longer a number after 1 steps"):
        tune_contrastively(network_of(checkpoint), make_dataset(SINGLE, 40), FAST)


def test_the_export_is_an_encoder_of_its_own(tuned: TunedEncoder, checkpoint: Path) -> None:
    encoder = OnnxEncoder(tuned.export)
    assert tuned.export.name == encoder.fingerprint == file_checksum(tuned.export / "model.onnx")
    assert read_config(tuned.export).name == str(checkpoint)
    network, dataset = network_of(tuned.checkpoint).eval(), topics(SINGLE, 20, seed=3)
    cosines = (encoder.embed(dataset.texts) * vectors_of(network, dataset)).sum(axis=1)
    assert cosines.min() > 0.95
    assert json.loads((tuned.checkpoint / TUNED_NOTE).read_text())["from"] == str(checkpoint)


def test_a_tuned_encoder_is_replaced_and_a_stranger_is_not(
    tuned: TunedEncoder, checkpoint: Path, tmp_path: Path
) -> None:
    dataset = make_dataset(SINGLE, 60)
    other = Tuning(epochs=1, batch_size=16, learning_rate=1e-3, least_steps=0, seed=4)
    again = tune_encoder(str(checkpoint), dataset, tuned.checkpoint, tuned.export.parent, tuning=other)
    assert again.export != tuned.export
    assert json.loads((tuned.checkpoint / TUNED_NOTE).read_text())["seed"] == 4
    assert {path.name for path in tuned.checkpoint.parent.iterdir()} == {"mine", "encoders"}
    (tmp_path / "letters.txt").write_text("not an encoder")
    with pytest.raises(TrainingError, match="holds something else"):
        tune_encoder(str(checkpoint), dataset, tmp_path, tmp_path / "encoders")


def test_too_few_texts_of_too_few_labels_are_refused(tmp_path: Path) -> None:
    dataset = make_dataset(SINGLE, 60)
    rows = np.concatenate([np.flatnonzero(dataset.targets[:, j])[:n] for j, n in enumerate((20, 1, 1))])
    few = Dataset(dataset.schema, tuple(dataset.texts[i] for i in rows), dataset.targets[rows])
    with pytest.raises(TrainingError, match="2 texts of each of at least 2 labels, and 1 of the labels"):
        tune_encoder("none is looked for", few, tmp_path / "mine", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_size": 2}, {"learning_rate": 0.0}, {"temperature": float("nan")}]
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(TrainingError, match="at least one epoch|above zero"):
        tune_encoder("x", make_dataset(SINGLE, 60), tmp_path / "mine", tmp_path, tuning=Tuning(**wrong))


def test_every_other_command_takes_the_folder(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_csv(tmp_path / "train.csv", make_dataset(SINGLE, 60))
    columns = [
        "--train",
        str(train),
        "--text",
        "text",
        "--label",
        "label",
        "--cache",
        str(tmp_path / "cache"),
    ]
    mine = str(tmp_path / "mine")
    tune = ["--encoder", str(checkpoint), "--out", mine, "--epochs", "2", "--temperature", "0.2"]
    assert main(["tune-encoder", *columns, *tune, "--json", str(tmp_path / "tuned.json")]) == 0
    figures = json.loads((tmp_path / "tuned.json").read_text("utf-8"))
    assert (figures["documents"], figures["steps"]) == (60, 2)
    test = write_csv(tmp_path / "test.csv", make_dataset(SINGLE, 30, seed=1))
    family = ["--test", str(test), "--family", "embedding", "--encoder", mine, "--out", str(tmp_path / "b")]
    pool = write_csv(tmp_path / "pool.csv", make_dataset(SINGLE, 40, seed=2))
    said = ["--pool", str(pool), "--json", str(tmp_path / "trained.json")]
    assert main(["train", *columns, *family, *said]) == 0
    details = json.loads((tmp_path / "trained.json").read_text("utf-8"))["details"]
    assert (details["names"], details["neighbours"], details["student"]) == (True, True, True)
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text("utf-8"))
    assert manifest["encoder"] == figures["fingerprint"]


def test_the_command_says_in_a_sentence_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_csv(tmp_path / "train.csv", make_dataset(SINGLE, 2))
    columns = ["--train", str(train), "--text", "text", "--label", "label", "--out", str(tmp_path / "mine")]
    assert main(["tune-encoder", *columns]) == 2
    assert "label more texts first" in capsys.readouterr().err
