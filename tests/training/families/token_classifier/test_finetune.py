"""The training loop of a tagger: killed, cancelled, short of memory, not a number."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.families.breaking import Killed, kill_after, short_of_memory
from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.spans_made import FILLER, joint_data, span_data
from training.families.shared import steps as steps_of_tuning
from training.families.token_classifier import finetune
from training.families.token_classifier import model as of_model
from training.families.token_classifier.finetune import TaggedPieces, TaggerRecipe, part_loss
from training.families.token_classifier.model import TokenClassifierModel, balanced_tags
from training.families.token_classifier.network import TokenTagger, WholeHead
from training.runs.span_pipeline import train_spans
from training.spans import SpanDataset
from training.types import RunSpec, TrainingError

TEXTS = 300
AN_EPOCH, THE_LAST = 17, 19  # steps, of the 270 texts that are not held back and of all
Params = dict[str, Any]


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    folder = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), [*FILLER, "."])
    return {"checkpoint": str(folder), "learning_rate": 1e-2, "epochs": 3, "int8": False}


def tuned(data: SpanDataset, params: Params) -> TokenClassifierModel:
    return TokenClassifierModel(**params).fit(data, valid=data.rows([]))


@pytest.mark.parametrize("steps", [5, 34, 40])  # within an epoch, before the last one, within that
def test_a_killed_run_goes_on_to_the_same_model(
    params: Params, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.families.shared.state.SAVE_EVERY_SECONDS", 0.0)
    data = joint_data(TEXTS)
    whole = tuned(data, params)
    with monkeypatch.context() as patch:
        kill_after(steps, patch)
        with pytest.raises(Killed):
            tuned(data, params | {"scratch": tmp_path})
    seen: list[int] = []
    real = finetune._set_rate
    monkeypatch.setattr(finetune, "_set_rate", lambda *given: (seen.append(1), real(*given))[1])
    torch.rand(7)  # another process has drawn other numbers before
    resumed = tuned(data, params | {"scratch": tmp_path})
    assert len(seen) == 2 * AN_EPOCH + THE_LAST - steps
    held, expected = whole.held_back()
    assert len(held) == 30
    for texts, one, other in (
        (len(data), whole.word_scores(data.texts), resumed.word_scores(data.texts)),
        (30, expected, resumed.held_back()[1]),
    ):
        assert len(one) == len(other) == texts
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours.logs, theirs.logs)
            np.testing.assert_array_equal(ours.whole, theirs.whole)


def test_what_was_held_back_is_scored_before_it_is_learned(params: Params) -> None:
    model = tuned(span_data(TEXTS), params)
    rows, found = model.held_back()
    after = model.word_scores([span_data(TEXTS).texts[i] for i in rows])
    assert all(not np.allclose(one.logs, other.logs) for one, other in zip(found, after, strict=True))


def test_other_settings_or_texts_begin_anew(params: Params, tmp_path: Path) -> None:
    short = params | {"scratch": tmp_path, "epochs": 1}
    tuned(span_data(40), short)
    tuned(span_data(40), short)
    assert len(list(tmp_path.iterdir())) == 1
    tuned(span_data(40), short | {"epochs": 2})
    tuned(span_data(41), short)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_run_hands_over_scratch_and_tells_every_step(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_of_tuning, "_TELL_SECONDS", 0.0)
    told: list[tuple[str, float]] = []
    data, test = span_data(90), span_data(150, seed=1)
    train_spans(
        RunSpec("token_classifier", params, scratch=tmp_path / "scratch"), data, tmp_path / "bundle",
        tuning=data.rows([]), reporting=test, on_progress=lambda *stage: told.append(stage),
    )  # fmt: skip
    shares = [done for _stage, done in told]
    assert shares == sorted(shares)
    assert len({done for stage, done in told if stage == "fit"}) >= 18
    assert len([done for stage, done in told if stage == "evaluate"]) >= 3
    assert list((tmp_path / "scratch").glob("*.safetensors"))


@pytest.mark.parametrize("stage", ["fit", "tune", "export", "evaluate"])
def test_a_cancelled_run_ends_in_any_stage_and_leaves_no_bundle(
    params: Params, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_of_tuning, "_TELL_SECONDS", 0.0)
    told: list[str] = []

    def cancel(now: str, done: float) -> None:
        told.append(now)
        if told.count(stage) > 2:  # when the stage began, and within it
            raise Killed

    data = span_data(90)
    with pytest.raises(Killed):
        train_spans(
            RunSpec("token_classifier", params | {"epochs": 1}), data, tmp_path / "bundle",
            tuning=span_data(40, seed=2), reporting=span_data(150, seed=1), on_progress=cancel,
        )  # fmt: skip
    assert told[-1] == stage
    assert not (tmp_path / "bundle").exists()


def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, vectors: vectors)
    # Half precision rounds too much to compare.
    monkeypatch.setattr(finetune, "half_precision", lambda device: nullcontext())
    network = tuned(joint_data(40), params | {"epochs": 1}).network_.train()
    batch = [
        TaggedPieces(
            (2, 5 + i % 7, 6, 3), (0, 1, 1, 0), (-100, i % 5, -100 if i % 3 else 2, -100), (1.0, 0.0)
        )
        for i in range(16)
    ]

    def gradients() -> tuple[list[torch.Tensor], int]:
        stepper = finetune.Stepper(network, 10_000)
        stepper.gradients([3] * 16, part_loss(network, batch), lambda: None)
        learned = [weights.grad for weights in network.parameters() if weights.grad is not None]
        return [gradient.clone() for gradient in learned], stepper.most_rows

    whole, _ = gradients()
    short_of_memory(TokenTagger, 6, monkeypatch)
    parts, rows = gradients()
    assert rows == 4
    assert len(whole) == len(parts) > 10
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_a_loss_that_is_no_number_is_a_sentence(params: Params) -> None:
    with pytest.raises(TrainingError, match=r"no longer a number after .* choose a lower learning rate"):
        tuned(span_data(90), params | {"learning_rate": 1e30, "epochs": 20})


def test_balanced_labels_of_spans_count_alike_and_other_words_as_before() -> None:
    data = span_data(90)
    rare = [i for i, spans in enumerate(data.spans) if any(span.label == "loc" for span in spans)][:-3]
    data = data.rows([i for i in range(90) if i not in rare])
    counts = {key: sum(span.label == key for spans in data.spans for span in spans) for key in ("per", "loc")}
    other, begins, inside, *of_places = balanced_tags(data)
    assert counts["per"] > 3 * counts["loc"] > 0
    assert other == 1
    assert begins == inside
    assert of_places[0] == of_places[1]
    assert begins * counts["per"] == pytest.approx(of_places[0] * counts["loc"])
    assert begins * counts["per"] + of_places[0] * counts["loc"] == pytest.approx(sum(counts.values()))


def test_a_weight_of_a_tag_and_of_a_label_is_as_often_the_same_text(params: Params) -> None:
    network = tuned(joint_data(40), params | {"epochs": 1}).network_  # in evaluation: nothing is dropped

    def loss(worth: tuple[float, ...], *weights: float) -> float:
        batch = [TaggedPieces((2, 5, 3), (0, 1, 0), (-100, 3, -100), (1.0, 0.0), worth)]
        return part_loss(network, batch, weights)(slice(0, 1)).item()

    plain = loss(())
    assert loss((1.0, 1.0), 1.0, 1.0, 1.0, 1.0, 1.0) == pytest.approx(plain)
    of_tags = loss((0.0, 0.0))
    assert loss((0.0, 0.0), 1.0, 1.0, 1.0, 3.0, 1.0) == pytest.approx(3 * of_tags)
    assert loss((2.0, 2.0)) == pytest.approx(of_tags + 2 * (plain - of_tags))


def test_two_readings_that_agree_cost_no_more_than_one(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "half_precision", lambda device: nullcontext())
    network = tuned(joint_data(40), params | {"epochs": 1}).network_  # in evaluation: nothing is dropped
    batch = [TaggedPieces((2, 5, 6, 3), (0, 1, 1, 0), (-100, 3, 0, -100), (1.0, 0.0))] * 2

    def losses() -> list[float]:
        return [part_loss(network, batch, (), share)(slice(0, 2)).item() for share in (0.0, 1.0, 2.0)]

    once, one_share, two_shares = losses()
    assert one_share == pytest.approx(once) == pytest.approx(two_shares)
    network.train()
    readings = []
    for share in (0.0, 1.0, 2.0):
        torch.manual_seed(1)
        readings.append(part_loss(network, batch, (), share)(slice(0, 2)).item())
    _, one_share, two_shares = readings
    assert two_shares > one_share > 0


def test_few_texts_are_read_twice_and_many_once(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TaggerRecipe] = []
    original = of_model.tune_tagger

    def tune(network: TokenTagger, windows: Any, recipe: TaggerRecipe, **more: Any) -> Any:
        seen.append(recipe)
        return original(network, windows, recipe, **more)

    monkeypatch.setattr(of_model, "tune_tagger", tune)
    for most in (40, 39):
        monkeypatch.setattr(of_model, "_FEW", most)
        tuned(joint_data(40), params | {"epochs": 1})
    assert [recipe.agreement for recipe in seen] == [1.0, 0.0]


def test_a_label_of_the_text_is_told_by_the_first_piece_and_by_those_that_it_looks_at() -> None:
    head = WholeHead(6, 2)
    vectors = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])
    torch.testing.assert_close(head(vectors, mask), head.first(vectors[:, 0]))  # at the start
    torch.nn.init.ones_(head.each.weight)
    torch.nn.init.ones_(head.look.weight)
    with torch.no_grad():
        padded = vectors.clone()
        padded[1, 3], padded[2, 2:] = 1e3, -1e3
        torch.testing.assert_close(head(padded, mask), head(vectors, mask))
    head(vectors, mask).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad[:, 0].abs().min() > 0
    assert not vectors.grad[:, 1:].any()  # what the pieces tell teaches the head alone


def test_balanced_weights_find_more_of_a_rare_label(params: Params) -> None:
    data, unseen = joint_data(TEXTS), joint_data(60, seed=1)
    assert data.labels is not None
    rare = data.labels.targets[:, 1] > 0
    data = data.rows([*np.flatnonzero(~rare), *np.flatnonzero(rare)[:6]])
    assert any(data.spans)
    plain, even = (
        np.mean(
            [said.whole[1] for said in tuned(data, params | {"imbalance": choice}).word_scores(unseen.texts)]
        )
        for choice in ("none", "balanced")
    )
    assert even > plain


def test_an_imbalance_that_it_has_not_is_refused(params: Params) -> None:
    with pytest.raises(TrainingError, match="no imbalance 'smote'"):
        tuned(span_data(30), params | {"imbalance": "smote"})
