from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from training.figures import calibration
from training.figures.reliability import of_label, of_task
from training.tasks import MULTI, SINGLE


def sharp(seed: int = 0, documents: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of three labels that are surer than they are right, and targets."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(documents, 3))
    soft, hard = (np.exp(k * logits) / np.exp(k * logits).sum(1, keepdims=True) for k in (1, 3))
    drawn = (rng.random(documents)[:, None] > soft.cumsum(1)).sum(1).clip(0, 2)
    return hard.astype(np.float32), np.eye(3, dtype=np.float32)[drawn]


def test_a_labels_curve_is_that_of_scikit_learn() -> None:
    scores, targets = sharp()
    found = of_label(scores[:, 0], scores[:, 0], targets[:, 0])
    assert found is not None
    right, score = calibration_curve(targets[:, 0], scores[:, 0].astype(np.float64), n_bins=10)
    assert [one.right for one in found.before.bins] == pytest.approx(right.tolist(), abs=1e-9)
    assert [one.score for one in found.before.bins] == pytest.approx(score.tolist(), abs=1e-9)
    filled, _edges = np.histogram(scores[:, 0], bins=np.linspace(0, 1, 11))
    expected = (filled[filled > 0] / len(scores) * np.abs(right - score)).sum()
    assert found.before.error == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("task", [SINGLE, MULTI], ids=lambda task: task.key)
def test_calibration_brings_the_scores_nearer_to_the_share_that_is_right(task: object) -> None:
    scores, targets = sharp()
    learned = task.calibrate(*sharp(seed=1))  # type: ignore[attr-defined]
    found = of_task(task, scores, calibration.apply(learned, scores), targets)  # type: ignore[arg-type]
    assert found.before.error is not None
    assert found.after.error is not None
    assert found.before.error > 0.1 > found.after.error
    assert found.before.bins != found.after.bins


def test_a_label_with_few_documents_has_no_curve() -> None:
    scores, targets = np.full(50, 0.5, np.float32), np.zeros(50, np.float32)
    targets[:9] = 1
    assert of_label(scores, scores, targets) is None
    targets[9] = 1
    assert of_label(scores, scores, targets) is not None
