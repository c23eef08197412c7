"""The fastText library: it gets a training file, its matrices are taken, and nothing else is kept."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fasttext
import numpy as np

from training.families.shared.heads import activate
from training.preprocess.subwords import SubwordPreprocessor, SubwordSettings, tokens
from training.types import FloatArray, IntArray, ScoreKind, Task, TrainingError

# NB: `tokens` never makes a word of symbols and letters like this one, so no text can name a label.
LABEL = "<label>"
_ATTEMPTS = 12  # two for each rate
_PROVEN_TEXTS = 100
_MAX_DIFFERENCE = 1e-3
_LOSSES = {ScoreKind.EXCLUSIVE: "softmax", ScoreKind.INDEPENDENT: "ova"}


@dataclass(frozen=True, slots=True)
class SubwordRecipe:
    """How fastText learns: stochastic gradient descent with a falling rate, in one thread."""

    task: Task
    settings: SubwordSettings
    learning_rate: float
    epochs: int
    dimension: int
    seed: int


@dataclass(frozen=True, slots=True)
class Learned:
    """What fastText learned: `table` (rows, dimension) and `output` (dimension, columns of the targets)."""

    library: Any
    subwords: SubwordPreprocessor
    table: FloatArray
    output: FloatArray
    learning_rate: float

    def compact(self, texts: Sequence[str]) -> tuple[SubwordPreprocessor, FloatArray] | None:
        """Return the preprocessor and the rows that `texts` touch; the others are as they were drawn.

        None where they are not: fastText started from memory that was not empty.
        """
        used = np.zeros(len(self.table), bool)
        used[: len(self.subwords.words)] = True
        for text in texts:
            used[self.subwords.rows(text)] = True
        # fastText draws the first tenth of its numbers, none of which is larger than this; the rest are
        # zeros.
        drawn = self.table.size // 10
        first, dimension = -(-drawn // self.table.shape[1]), self.table.shape[1]
        drawn_rows, empty_rows = self.table[:first][~used[:first]], self.table[first:][~used[first:]]
        if not (np.abs(drawn_rows) <= 1 / dimension).all() or empty_rows.any():
            return None
        # NB: else a gap as large as the matrix would stay in memory beside the rows that are kept.
        del drawn_rows, empty_rows
        kept: IntArray = np.flatnonzero(used)
        return self.subwords.keep(kept), self.table[kept]


def learn(texts: Sequence[str], targets: FloatArray, recipe: SubwordRecipe) -> Learned:
    """Train on texts and 0/1 targets (texts, columns); a column without an example has no weights.

    Steps that are too long make fastText's loss overflow; then half the rate is tried. Raises `TrainingError`
    if that does not help, or if the library numbers its rows in another way than the bundle does.
    """
    with TemporaryDirectory(prefix="winnow-fasttext-") as scratch:
        path = Path(scratch) / "train.txt"
        # Texts are shuffled, because fastText learns in the file's order.
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for i in np.random.default_rng(recipe.seed).permutation(len(texts)):
                labels = [f"{LABEL}{column}" for column in np.flatnonzero(targets[i])]
                file.write(" ".join(labels + tokens(texts[i])) + "\n")
        for attempt in range(_ATTEMPTS):
            # Twice, because memory that was not empty makes the loss overflow as well: see `_train`.
            rate = recipe.learning_rate / 2 ** (attempt // 2)
            library = _train(path, recipe, rate)
            if library is None:
                continue
            words, table = library.get_words(), library.get_input_matrix()
            output = np.zeros((recipe.dimension, targets.shape[1]), np.float32)
            present = [int(label.removeprefix(LABEL)) for label in library.get_labels()]
            output[:, present] = library.get_output_matrix().T
            subwords = SubwordPreprocessor(recipe.settings, words, np.arange(len(table) - len(words)))
            learned = Learned(library, subwords, table, output, rate)
            _check_numbers(learned, recipe.task, texts[:: max(1, len(texts) // _PROVEN_TEXTS)])
            return learned
    raise TrainingError(
        f"fastText's loss is not a number at learning rates from {recipe.learning_rate:g} down to {rate:g}; "
        "train with a smaller learning_rate."
    )


def _train(path: Path, recipe: SubwordRecipe, learning_rate: float) -> Any | None:
    """Return the library's model, or None if its weights overflowed."""
    settings = recipe.settings
    # NB: with one thread fastText draws the first tenth of its matrix and leaves the rest as the memory was.
    # In a process that had run for long these were rows of 1e7, and other ones in each run. So free pages are
    # handed back to the system, and what is taken next is zeros. If the C library has no such call, blocks as
    # large as those of `buckets_for` come fresh from the system anyway.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    try:
        library = fasttext.train_supervised(
            str(path),
            lr=learning_rate,
            epoch=recipe.epochs,
            dim=recipe.dimension,
            wordNgrams=settings.word_max,
            minn=settings.char_min if settings.char_max else 0,
            maxn=settings.char_max,
            bucket=settings.buckets,
            loss=_LOSSES[recipe.task.score_kind],
            label=LABEL,
            seed=recipe.seed % 2**31,
            thread=1,  # several threads race for the weights, so a seed would not give the same model twice
            verbose=0,
        )
    except RuntimeError as error:
        if "NaN" not in str(error):
            raise TrainingError(f"fastText cannot train on these texts: {error}") from error
        return None
    return library if np.isfinite(library.get_output_matrix()).all() else None


def _check_numbers(learned: Learned, task: Task, texts: Sequence[str]) -> None:
    """Refuse a library whose mean of a text's rows is not the mean of the rows that we find for it."""
    theirs = [learned.library.get_sentence_vector(" ".join(tokens(text))) for text in texts]
    weights = map(learned.subwords.weights, texts)
    ours = [values @ learned.table[ids] for ids, values in weights]
    expected, found = (activate(task, np.array(means) @ learned.output) for means in (theirs, ours))
    difference = float(np.abs(expected - found).max())
    if not difference <= _MAX_DIFFERENCE:
        raise TrainingError(
            f"The installed fastText scores texts differently, by up to {difference:.2g}: it does not "
            "number words and subwords as expected. Run pip install '.[fasttext]'."
        )


def buckets_for(dimension: int) -> int:
    """Return 262,144 or more, so that the matrix has over 64 MiB, for which no heap of a thread has room."""
    return max(262_144, 2**24 // max(dimension, 1) + 1)


def usual_epochs(documents: int) -> int:
    """Return how often the texts are read: about 200,000 steps in all, but 5 to 200 times."""
    return min(max(math.ceil(200_000 / documents), 5), 200)
