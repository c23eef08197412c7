from __future__ import annotations

import numpy as np

from training.figures.label_errors import quality, suspects


def test_a_label_is_suspected_where_another_is_said_as_surely_as_of_those_that_have_it() -> None:
    targets = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 6 + [0]]
    scores = np.full((13, 3), 0.05, np.float32)
    scores[:6, 0] = scores[6:12, 1] = 0.9
    scores[5] = (0.3, 0.6, 0.1)  # not sure enough of the other label
    scores[12] = (0.01, 0.98, 0.01)  # labelled 0
    assert np.flatnonzero(suspects(targets, scores)).tolist() == [12]
    assert quality(targets, scores).argmin() == 12
    assert np.isclose(quality(targets, scores)[0], (0.9 + (0.9 - 0.05 + 1) / 2) / 2)


def test_nothing_is_suspected_of_nothing() -> None:
    nothing = np.zeros((0, 2), np.float32)
    assert suspects(nothing, nothing).tolist() == []
