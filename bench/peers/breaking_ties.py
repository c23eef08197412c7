"""small-text's active learning; `bench/peers/measure.py` runs it in small-text's environment.

A random start, then batches of 50 by its breaking ties, with its own linear classifier over sentence vectors.
"""

from __future__ import annotations

import numpy as np
from sentence_transformers import SentenceTransformer
from small_text import (
    BreakingTies,
    ConfidenceEnhancedLinearSVC,
    PoolBasedActiveLearner,
    SklearnClassifierFactory,
    SklearnDataset,
    random_initialization,
)
from split import Curve, Split, checkpoint, measure

START, BATCH, BUDGET = 50, 50, 1000
SETTINGS = {
    "start": f"{START} at random",
    "strategy": "BreakingTies",
    "classifier": "ConfidenceEnhancedLinearSVC",
    "batch": BATCH,
}
vectors: dict[str, np.ndarray] = {}  # of each part of the split, made once for all seeds


def learn(split: Split, seed: int) -> Curve:
    if not vectors:
        encoder = SentenceTransformer(checkpoint(), device="cpu")
        vectors["train"] = encoder.encode(split.texts, normalize_embeddings=True)  # (documents, dimension)
        vectors["test"] = encoder.encode(split.test_texts, normalize_embeddings=True)
    # small-text and the classifier draw from NumPy's global state and take no generator.
    np.random.seed(seed)
    known = SklearnDataset(vectors["train"], split.targets, target_labels=np.arange(len(split.labels)))
    factory = SklearnClassifierFactory(ConfidenceEnhancedLinearSVC(), len(split.labels))
    learner = PoolBasedActiveLearner(factory, BreakingTies(), known)
    chosen = random_initialization(known, START)
    learner.initialize_data(chosen, split.targets[chosen])
    labels = len(chosen)
    while True:
        # NB: its own `predict` counts only labels that it has seen, so numbers shift while some are missing.
        yield labels, learner.classifier.model.predict(vectors["test"])
        if labels >= BUDGET:
            return
        chosen = learner.query(num_samples=BATCH)
        learner.update(split.targets[chosen])
        labels += len(chosen)


if __name__ == "__main__":
    measure(learn, SETTINGS)
