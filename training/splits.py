"""Decides by hash which documents are held out, so that every machine and every later import agrees."""

from __future__ import annotations

import hashlib
import unicodedata

import numpy as np

from training.types import Dataset, IntArray

_STEPS = 2**64
_LOWER = bytes(range(256)).lower()
_NOT_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())


def split_key(text: str) -> str:
    """Return the key (64 hexadecimal digits) that exact and near duplicates share.

    It is the SHA-256 of the text in compatibility form, without case, digits, punctuation, symbols and white
    space: texts that differ only in those lie on one side of a split. Of a text that has nothing else, such
    as a row of emoji, it is the SHA-256 of the text itself.
    """
    if text.isascii():  # one table does the same as below, and is far quicker
        kept = text.encode().translate(_LOWER, _NOT_LETTERS).decode()
    else:
        folded = unicodedata.normalize("NFKC", text).casefold()
        kept = "".join(char for char in folded if unicodedata.category(char)[0] in "LM")
    return hashlib.sha256((kept or text).encode("utf-8", "surrogatepass")).hexdigest()


def lane(key: str, share: float) -> str:
    """Return "holdout" for about `share` of all keys and "pool" for the others.

    Raising the share only ever moves documents from the pool to the holdout.
    """
    return "holdout" if _fraction(key, "lane") < share else "pool"


def half(key: str) -> str:
    """Return "tuning" or "reporting" for a holdout document; independent of its lane."""
    return "tuning" if _fraction(key, "half") < 0.5 else "reporting"


def _fraction(key: str, purpose: str) -> float:
    digest = hashlib.sha256(f"{purpose}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _STEPS


def assign_folds(dataset: Dataset, folds: int, rng: np.random.Generator) -> IntArray:
    """Return a fold number (documents,) in [0, folds) for each document.

    Duplicates share a fold. Documents are dealt out by their rarest label, so that a label with as many
    documents as there are folds is in each of them.
    """
    keys = [split_key(text) for text in dataset.texts]
    # The rank of each document's rarest label; one without labels gets a rank of its own.
    rank = np.argsort(np.argsort(dataset.targets.sum(axis=0), kind="stable"), kind="stable")
    held = np.where(dataset.targets > 0, rank[None, :], len(dataset.schema))  # (documents, labels)
    rarity: list[int] = held.min(axis=1).tolist()
    order = rng.permutation(len(dataset))
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(keys[i], int(i))
    # The sort is stable, so the order within one label stays random.
    leaders = sorted(first.values(), key=lambda i: rarity[i])
    fold_of = {keys[i]: position % folds for position, i in enumerate(leaders)}
    return np.array([fold_of[key] for key in keys], np.int64)
