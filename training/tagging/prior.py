"""How much richer in spans labelled texts are than all texts, as a strategy sought many of them for spans."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from training.spans import WordScores

_ROUNDS, _NEAR = 100, 1e-6
# Of what the model finds. It learned from texts that it was unsure of itself, and takes the others to be
# poorer than they are; chosen on WNUT17, where it finds 1.0 and the truth is .75.
_TAKEN = 0.5


def prior_shift(spans: int, words: int, pool: Sequence[WordScores]) -> float:
    """Return by how much the log odds that a word begins a span are higher in labelled texts than in all.

    Labelled texts have so many `spans` and `words`; `pool` is what the model that learned from them says of
    the others. What it expects there is brought to the pool's own share by EM (Saerens, Latinne and
    Decaestecker, 2002). NB: of texts in random order it expects somewhat too many, so labelled texts that
    seem poorer than the pool are taken to be like it, and 0 is returned.
    """
    begins = [np.exp(said.logs[:, 1::2]).sum(axis=1) for said in pool]
    expected = np.concatenate(begins) if begins else np.zeros(0)  # (words of the pool,)
    if not len(expected) or not 0 < spans < words:
        return 0.0
    learned = spans / words
    odds = expected / np.maximum(1 - expected, 1e-12) * (1 - learned) / learned
    share = learned
    for _ in range(_ROUNDS):
        before, there = share, odds * share / (1 - share)
        share = float(np.clip((there / (1 + there)).mean(), 1e-6, 1 - 1e-6))
        if abs(share - before) < _NEAR:
            break
    everywhere = (spans + share * len(expected)) / (words + len(expected))
    return _TAKEN * max(0.0, _log_odds(learned) - _log_odds(everywhere))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))
