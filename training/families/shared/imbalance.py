"""What is done where some labels are rare: documents weighed, left out, or made up from others."""

from __future__ import annotations

import numpy as np

from training.types import FloatArray, IntArray, Task, TrainingError

NONE, BALANCED, UNDERSAMPLE, SMOTE, AUGMENT = "none", "balanced", "undersample", "smote", "augment"
_COPIES = 5  # at most so many of one document, because more of the same words teach nothing new
_DROPPED = 0.1  # the share of words that are left out
_MOST_NEIGHBOURS = 5


def check_imbalance(wanted: str, offered: tuple[str, ...], family: str) -> None:
    """Raise `TrainingError` if a family does not offer what is wanted."""
    if wanted in offered:
        return
    reason = {
        SMOTE: " SMOTE mixes vectors, and its features are words.",
        AUGMENT: " Augmentation changes words, and it learns from vectors.",
    }.get(wanted, "")
    raise TrainingError(
        f"The family {family!r} has no imbalance {wanted!r}.{reason} Choose one of {', '.join(offered)}."
    )


def balanced_weights(task: Task, targets: FloatArray) -> FloatArray:
    """Return weights by which every label counts alike (King and Zeng, 2001); their mean is 1.

    Single-label targets get one weight for each document (documents, 1). Multi-label ones get one for each
    cell (documents, labels), so that a label's documents count as much as all others together.
    """
    counts = targets.sum(axis=0)  # (labels,)
    if task.exclusive:
        return np.asarray(targets @ balanced_worth(counts), np.float32)[:, None]
    with_it = len(targets) / (2 * np.maximum(counts, 1))
    without = len(targets) / (2 * np.maximum(len(targets) - counts, 1))
    one_sided = (counts == 0) | (counts == len(targets))
    return np.asarray(np.where(one_sided, 1, np.where(targets > 0, with_it, without)), np.float32)


def balanced_worth(counts: FloatArray) -> FloatArray:
    """Return weights (labels,) by which labels with so many examples each count alike.

    The mean weight of the examples is 1. A label without any has a weight as if it had one.
    """
    worth = counts.sum() / (max(np.count_nonzero(counts), 1) * np.maximum(counts, 1))
    return np.asarray(worth, np.float32)


def undersampled(targets: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return the rows to learn from: drawn at random until each of their labels has its share.

    The share is the geometric mean of the rarest and the commonest label's documents, so a ratio of 100
    becomes one of 10. Documents of rare labels come first, those without a label are a label of their own,
    and one is left out only where every label of it has its share (after Charte et al., ML-RUS, 2015).
    """
    has = targets > 0
    groups = np.column_stack([has, ~has.any(axis=1)])  # (documents, labels + 1)
    counts = groups.sum(axis=0)
    share = even_share(counts)
    rarity = np.where(groups, counts, np.inf).min(axis=1)
    kept, have = [], np.zeros(len(counts))
    for i in sorted(rng.permutation(len(targets)).tolist(), key=lambda i: float(rarity[i])):
        if (have[groups[i]] < share).any():
            kept.append(i)
            have += groups[i]
    return np.sort(np.array(kept, np.int64))


def oversampled(targets: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return rows to repeat, in changed form: each label up to its share, no row more than five times."""
    counts, share = targets.sum(axis=0), even_share(targets.sum(axis=0))
    rows: list[int] = []
    for j in np.argsort(counts, kind="stable"):
        having = np.flatnonzero(targets[:, j])
        missing = int(share - counts[j] - targets[rows, j].sum()) if len(having) else 0
        wanted = min(missing, _COPIES * len(having))
        if wanted > 0:
            rows += np.resize(rng.permutation(having), wanted).tolist()
    return np.array(rows, np.int64)


def even_share(counts: FloatArray) -> float:
    """Return the geometric mean of the smallest and the largest count above zero."""
    there = counts[counts > 0]
    return float(np.sqrt(there.min() * there.max())) if len(there) else 0.0


def reworded(text: str, rng: np.random.Generator) -> str:
    """Return a text with a tenth of its words left out and two neighbours swapped (Wei and Zou, EDA, 2019).

    Words are what spaces separate; a text of one word comes back as it is.
    """
    words = text.split()
    kept = [word for word, dice in zip(words, rng.random(len(words)), strict=True) if dice >= _DROPPED]
    words = kept or words
    if len(words) > 1:
        i = int(rng.integers(len(words) - 1))
        words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words)


def made_up(
    vectors: FloatArray, targets: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return new (vectors, targets) between neighbours of one rare label (Chawla et al., SMOTE, 2002).

    Each label goes up to the geometric mean of the rarest and the commonest. A label of fewer than six
    documents has fewer neighbours, and one of a single document stays alone. Of multi-label documents only
    those with exactly one label have such neighbours; the others stay as they are.
    """
    try:
        from imblearn.over_sampling import SMOTE as Smote
    except ModuleNotFoundError as error:
        raise TrainingError(f"SMOTE needs the package {error.name!r}: run pip install '.[train]'.") from error
    # Documents of no label or of several are a class of their own, to which nothing is added.
    answers = np.where(targets.sum(axis=1) == 1, targets.argmax(axis=1), targets.shape[1])
    counts = targets.sum(axis=0)
    alone = np.bincount(answers, minlength=len(counts) + 1)[: len(counts)]  # documents with that label only
    missing = (even_share(counts) - counts).astype(np.int64)
    # Each label that gets made-up documents: the neighbours it has, and how many documents it is to have.
    wanted = {
        int(j): (min(_MOST_NEIGHBOURS, int(alone[j]) - 1), int(alone[j] + missing[j]))
        for j in np.flatnonzero((alone > 1) & (missing > 0))
    }
    found, said = [vectors[:0]], [answers[:0]]
    for neighbours in sorted({neighbours for neighbours, _ in wanted.values()}):
        goals = {j: goal for j, (near, goal) in wanted.items() if near == neighbours}
        smote = Smote(sampling_strategy=goals, k_neighbors=neighbours, random_state=int(rng.integers(2**31)))
        mixed, labels = smote.fit_resample(vectors, answers)  # the new ones stand at the end
        found.append(mixed[len(vectors) :])
        said.append(labels[len(vectors) :])
    return np.concatenate(found), np.eye(targets.shape[1], dtype=np.float32)[np.concatenate(said)]
