"""Tunes a sentence encoder until texts of one label, and the label's name, lie close together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from training.encoders.names import phrases
from training.families.encoder_tuning.sentence_encoder import SentenceEncoder
from training.families.shared.batches import Window, shuffled_batches
from training.types import Dataset, FloatArray, IntArray, TrainingError

_CLIP = 1.0
_DECAY = 0.01
_WARMUP = 0.1  # the share of all steps in which the learning rate rises
_NAMES = 128  # the most label names beside a batch; more cost time, and others come in the next step


@dataclass(frozen=True, slots=True)
class Tuning:
    """How an encoder is tuned: at most `most_steps` batches, so that it takes minutes and not hours.

    Texts that are too few for `least_steps` in so many epochs are shown more often.

    `kept` is the original's share in the mean of its weights and the tuned ones (Wortsman et al., 2022), so
    that what few labels teach does not overwrite what the encoder knows of all other texts.
    """

    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 1e-4
    temperature: float = 0.05
    kept: float = 0.5
    least_steps: int = 40
    most_steps: int = 400
    seed: int = 0


def tune_contrastively(
    network: SentenceEncoder,
    dataset: Dataset,
    tuning: Tuning,
    tell: Callable[[float], None] = lambda done: None,
) -> list[float]:
    """Tune `network` in place on labelled texts; return the loss of each step.

    AdamW (Loshchilov and Hutter, 2019) on the supervised contrastive loss (Khosla et al., 2020) over batches
    of texts and label names; few labelled texts suffice (Tunstall et al., 2022). `tell` gets the share done
    and may raise to end it. Raises `TrainingError` where the loss stops being a number.
    """
    windows = [network.tokens.tokens(text).windows[0] for text in dataset.texts]
    # Of each label the windows of its phrasings, of which each step shows one.
    names = [
        [network.tokens.tokens(phrase).windows[0] for phrase in phrases(one)] for one in dataset.schema.labels
    ]
    steps = tuning.epochs * -(-len(dataset) // tuning.batch_size)
    steps = min(max(steps, tuning.least_steps), tuning.most_steps)
    optimizer = torch.optim.AdamW(
        [weights for weights in network.parameters() if weights.requires_grad],
        lr=tuning.learning_rate,
        weight_decay=_DECAY,
    )
    losses: list[float] = []
    before = {name: weights.detach().clone() for name, weights in network.named_parameters()}
    # Dropout is drawn from a seed of our own, and PyTorch's global state stays as it was.
    with torch.random.fork_rng():
        torch.manual_seed(tuning.seed)
        network.train()
        for rows, rng in _batches(windows, dataset.targets, tuning, steps):
            # The names of the batch's own labels stand beside it, then others at random.
            own = np.flatnonzero(dataset.targets[rows].any(axis=0))
            others = rng.permutation(np.setdiff1d(np.arange(len(names)), own))
            labels = np.concatenate([own, others])[: max(len(own), _NAMES)]
            shown = [names[j][rng.integers(len(names[j]))] for j in labels]
            vectors = torch.cat([network([windows[i] for i in rows]), network(shown)])  # (rows, dimension)
            positive = together(dataset.targets[rows], labels).to(vectors.device)
            loss = contrastive_loss(vectors, positive, tuning.temperature)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                raise TrainingError(
                    f"The loss is no longer a number after {len(losses)} steps: choose a lower learning rate."
                )
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            # The learning rate rises over the warm-up, then falls to zero.
            done = len(losses) / steps
            for group in optimizer.param_groups:
                group["lr"] = tuning.learning_rate * min(done / _WARMUP, (1 - done) / (1 - _WARMUP))
            optimizer.step()
            tell(done)
        network.eval()
    with torch.no_grad():
        for name, weights in network.named_parameters():
            weights.lerp_(before[name], tuning.kept)
    return losses


def contrastive_loss(vectors: torch.Tensor, positive: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss (Khosla et al., 2020, the sum outside of the logarithm).

    `vectors` are unit vectors (rows, dimension), `positive` (rows, rows) tells how much two belong together,
    from 0 to 1, and is 0 on the diagonal. A row that belongs to no other only pushes others away; if all are
    such, the loss is 0.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    logits = (vectors @ vectors.T / temperature).masked_fill(itself, float("-inf"))
    log_shares = logits.log_softmax(dim=1).masked_fill(itself, 0.0)
    counts = positive.sum(dim=1)
    has_any = counts > 0
    costs = -(log_shares * positive).sum(dim=1)[has_any] / counts[has_any]
    return costs.sum() / has_any.sum().clamp(min=1)


def together(targets: FloatArray, labels: IntArray) -> torch.Tensor:
    """Return how much texts and names belong together: the share of their labels that both have.

    That is the Jaccard similarity (Lin et al., 2023), and 0 or 1 where one label is right. A name has its own
    label.
    """
    said = np.concatenate([targets[:, labels], np.eye(len(labels), dtype=np.float32)])
    both, count = said @ said.T, said.sum(axis=1)
    either = count[:, None] + count[None, :] - both
    positive = np.asarray(both / np.maximum(either, 1.0), np.float32)
    np.fill_diagonal(positive, 0.0)
    return torch.from_numpy(positive)


def _batches(
    windows: Sequence[Window], targets: FloatArray, tuning: Tuning, steps: int
) -> Iterator[tuple[IntArray, np.random.Generator]]:
    """Yield the rows of each step: pairs of one label side by side, and texts of similar length together."""
    rng = np.random.default_rng(tuning.seed)
    done = 0
    while done < steps:
        # All rows in twos that have the same labels; a row that is left over is alone.
        order = rng.permutation(len(targets))
        _, group = np.unique(targets[order], axis=0, return_inverse=True)
        pairs: list[IntArray] = []
        for value in range(int(group.max()) + 1):
            rows = order[group.ravel() == value]
            pairs += [rows[i : i + 2] for i in range(0, len(rows), 2)]
        lengths = np.array([max(len(windows[i]) for i in pair) for pair in pairs], np.int64)
        for chosen in shuffled_batches(lengths, tuning.batch_size // 2, rng)[: steps - done]:
            yield np.concatenate([pairs[i] for i in chosen]), rng
            done += 1
