"""The training loop: killed, cancelled, out of memory, not a number; its batches and losses."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.conftest import make_dataset
from tests.training.families.breaking import Killed, kill_after, short_of_memory
from tests.training.families.tuning import Params, none_of, tuned
from training.encoders.checkpoints import find_checkpoint
from training.families.shared import steps as steps_of_tuning
from training.families.shared.batches import shuffled_batches
from training.families.shared.network import Classifier, read_network
from training.families.shared.steps import FitReporter
from training.families.transformer import finetune
from training.families.transformer.finetune import label_weights, make_loss, part_loss, smoothed
from training.runs.pipeline import fit_model, train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, RunSpec, Task, TrainingError

# Killed, cancelled, out of memory, not a number


@pytest.mark.parametrize("steps", [1, 3, 5])  # within an epoch, at its end, in the next one
def test_a_killed_run_goes_on_to_the_same_model(
    params: Params, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.families.shared.state.SAVE_EVERY_SECONDS", 0.0)
    data = make_dataset(SINGLE, 90)
    whole = tuned(data, params)
    with monkeypatch.context() as patch:
        kill_after(steps, patch)
        with pytest.raises(Killed):
            tuned(data, params | {"scratch": tmp_path})
    seen: list[int] = []
    real = finetune._clip
    monkeypatch.setattr(finetune, "_clip", lambda network: (seen.append(1), real(network))[1])
    resumed = tuned(data, params | {"scratch": tmp_path})
    assert len(seen) == 18 - steps
    np.testing.assert_array_equal(resumed.predict_proba(data.texts), whole.predict_proba(data.texts))


def test_other_settings_or_texts_begin_anew(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(SINGLE, 60)
    tuned(data, params | {"scratch": tmp_path})
    tuned(data, params | {"scratch": tmp_path})
    assert len(list(tmp_path.iterdir())) == 1
    tuned(data, params | {"scratch": tmp_path, "imbalance": "focal"})
    tuned(make_dataset(SINGLE, 59), params | {"scratch": tmp_path})
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("kept", [0, 1_000, -1])  # bytes of it
def test_a_damaged_state_is_no_state_and_is_told(
    params: Params, kept: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_dataset(SINGLE, 30)
    expected = tuned(data, params | {"scratch": tmp_path}).predict_proba(data.texts)
    assert not caplog.records  # a first run has no state yet
    saved = next(tmp_path.iterdir())
    saved.write_bytes(saved.read_bytes()[:kept])
    found = tuned(data, params | {"scratch": tmp_path}).predict_proba(data.texts)
    np.testing.assert_array_equal(found, expected)
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"The saved state {saved} of a fine-tuning cannot be read" in told
    assert told.endswith("the run starts anew.")


def test_the_state_of_another_run_is_passed_over_in_silence(
    params: Params, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_dataset(SINGLE, 30)
    expected = tuned(data, params | {"scratch": tmp_path / "own"}).predict_proba(data.texts)
    tuned(data, params | {"scratch": tmp_path / "other", "imbalance": "focal"})
    (own,), (other,) = (list((tmp_path / name).iterdir()) for name in ("own", "other"))
    own.write_bytes(other.read_bytes())
    found = tuned(data, params | {"scratch": tmp_path / "own"}).predict_proba(data.texts)
    np.testing.assert_array_equal(found, expected)
    assert not caplog.records


def test_the_pipeline_hands_over_scratch_and_tells_every_step(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_of_tuning, "_TELL_SECONDS", 0.0)
    told: list[tuple[str, float]] = []
    data = make_dataset(SINGLE, 90)
    train_and_package(
        RunSpec("transformer", params, scratch=tmp_path / "scratch"),
        data,
        tmp_path / "bundle",
        tuning=none_of(data),
        reporting=make_dataset(SINGLE, 60, seed=1),
        on_progress=lambda stage, done: told.append((stage, done)),
    )
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert len({done for stage, done in told if stage == "fit"}) >= 18
    assert list((tmp_path / "scratch").glob("*.safetensors"))


def test_a_cancelled_fit_ends_with_what_was_raised(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_of_tuning, "_TELL_SECONDS", 0.0)

    def cancel(done: float) -> None:
        if done > 0.3:
            raise Killed

    data = make_dataset(SINGLE, 60)
    with pytest.raises(Killed):
        fit_model(RunSpec("transformer", params), data, none_of(data), on_progress=cancel)


def test_progress_is_told_once_a_second_at_most() -> None:
    told: list[float] = []
    teller = FitReporter(told.append)
    for _ in range(1_000):
        teller()
    assert len(told) == 1


def test_out_of_memory_halves_the_batch_and_changes_no_gradient(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, vectors: vectors)
    # Half precision rounds too much to compare.
    monkeypatch.setattr(finetune, "half_precision", lambda device: nullcontext())
    network = read_network(find_checkpoint(checkpoint), 3).train()
    torch.nn.init.ones_(network.head.weight[0])
    windows, targets = [(2, 7 + i % 5, 3) for i in range(30)], torch.eye(3)[[0, 1, 2] * 10]

    def gradients() -> tuple[list[torch.Tensor], int]:
        stepper = finetune.Stepper(network, 10_000)
        loss = part_loss(network, make_loss(SINGLE, None, 0.0), windows, targets)
        stepper.gradients([len(window) for window in windows], loss, lambda: None)
        return [weights.grad.clone() for weights in network.parameters()], stepper.most_rows

    whole, _ = gradients()
    short_of_memory(Classifier, 8, monkeypatch)
    parts, rows = gradients()
    assert rows == 7
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_a_run_short_of_memory_learns(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(Classifier, 8, monkeypatch)
    data = make_dataset(SINGLE, 90)
    scores = tuned(data, params | {"epochs": 12}).predict_proba(data.texts)
    assert (scores.argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.9


def test_memory_for_not_even_one_text_is_a_sentence(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(Classifier, 0, monkeypatch)
    with pytest.raises(TrainingError, match="too little memory for one text of .* tokens: lower max_length"):
        tuned(make_dataset(SINGLE, 30), params)


def test_a_loss_that_is_no_number_at_once_is_a_sentence(params: Params) -> None:
    with pytest.raises(TrainingError, match="no longer a number after .* choose a lower learning rate"):
        tuned(make_dataset(SINGLE, 90), params | {"learning_rate": 1e30})


def test_a_loss_that_is_no_number_later_keeps_the_last_good_weights(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(SINGLE, 90)
    calls = iter(range(1_000))
    real = finetune._clip

    def clip(network: Any) -> None:
        if next(calls) == 7:  # in the third epoch of three steps
            raise finetune.Diverged
        real(network)

    monkeypatch.setattr(finetune, "_clip", clip)
    model = tuned(data, params)
    assert model.details_["stopped"] == "the loss was no longer a number after 7 steps"
    assert model.details_["epochs"] == 2
    assert np.isfinite(model.predict_proba(data.texts)).all()


# Batches and losses


def test_an_epoch_has_each_text_once_in_batches_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 100, 1_000)
    batches = shuffled_batches(lengths, 32, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1_000))
    assert len(batches) == 32
    spread = np.mean([np.ptp(lengths[rows]) for rows in batches])
    assert spread < 10
    firsts = [int(lengths[rows].mean()) for rows in batches]
    assert firsts != sorted(firsts)


def test_smoothing_gives_nothing_to_labels_without_examples() -> None:
    targets = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    np.testing.assert_allclose(smoothed(SINGLE, targets, 0.1)[0], [0.95, 0.05, 0])
    np.testing.assert_array_equal(smoothed(MULTI, targets, 0.1), targets)


def test_rare_labels_weigh_more() -> None:
    targets = np.eye(2, dtype=np.float32)[[0] * 90 + [1] * 10]
    np.testing.assert_allclose(label_weights(SINGLE, targets), [100 / 180, 5])
    np.testing.assert_allclose(label_weights(MULTI, targets), [1 / 9, 9], rtol=1e-5)


@pytest.mark.parametrize("task", [SINGLE, MULTI], ids=lambda task: task.key)
def test_focal_loss_mutes_what_is_already_right(task: Task) -> None:
    logits = torch.tensor([[4.0, -4.0], [-1.0, 1.0]])  # right and sure, wrong
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    plain, focal = (make_loss(task, None, gamma)(logits, targets) for gamma in (0.0, 2.0))
    assert focal[0] < 0.01 * plain[0]
    assert focal[1] > 0.3 * plain[1]


def test_balancing_helps_a_rare_label(params: Params) -> None:
    data = make_dataset(SINGLE, 300)
    rare = np.flatnonzero(data.targets[:, 0])[:4]
    rows = np.concatenate([np.flatnonzero(data.targets[:, 0] == 0), rare])
    skewed = Dataset(data.schema, tuple(data.texts[i] for i in rows), data.targets[rows])
    unseen = make_dataset(SINGLE, 60, seed=1)
    of_rare = unseen.targets[:, 0] > 0
    plain, balanced = (
        tuned(skewed, params | {"epochs": 2, "imbalance": imbalance}).predict_proba(unseen.texts)[of_rare, 0]
        for imbalance in ("none", "balanced")
    )
    assert balanced.mean() > plain.mean()
