"""Decides which documents are held out: by share and by a hash, a chance that is the same everywhere."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping

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


def hold_out(groups: Mapping[str, int], share: float, *, held: int = 0, total: int = 0) -> set[str]:
    """Return the keys of new groups of near duplicates whose documents are held out.

    `groups` gives the number of documents of each key, and `held` of `total` documents before them are held
    out. Groups are taken in the order of their hash until `share` of all documents is reached: a group that
    is too large for that stays in the pool, and the last single document is left to chance, so that texts
    that come one by one follow no pattern. Half of the groups stay (fewer only where the share is larger),
    because a model has to learn from something. Of what comes, half the share is taken in any case, because
    figures have to follow what comes.
    """
    if not groups:
        return set()
    new, most = sum(groups.values()), max(0.5, share)
    room = max(share * (total + new) - held, share * new / 2)
    order = sorted(groups, key=lambda key: _fraction(key, "lane"))
    whole, part = divmod(most * len(order), 1)
    limit = int(whole) + (_fraction(order[0], "rest") < part)
    taken: set[str] = set()
    for key in order:
        size = groups[key]
        if len(taken) == limit or room <= 0:
            break
        if room < 1 and size == 1:
            if _fraction(key, "rest") < room:
                taken.add(key)
            break
        # A group of several is taken where the lane comes nearer to its share by it.
        if size == 1 or (size < 2 * room and size < new + total):
            taken.add(key)
            room -= size
    return taken


def half(key: str) -> str:
    """Return "tuning" or "reporting" for a holdout document; independent of its lane."""
    return "tuning" if _fraction(key, "half") < 0.5 else "reporting"


def halves(keys: Collection[str]) -> dict[str, str]:
    """Return the half of each key that is held out: of several, as many of one as of the other."""
    if len(keys) < 2:
        return {key: half(key) for key in keys}
    order = sorted(keys, key=lambda key: _fraction(key, "half"))
    # Of an odd number, the middle one is left to chance.
    middle = len(order) // 2 + (len(order) % 2 and half(order[len(order) // 2]) == "tuning")
    return {key: "tuning" if place < middle else "reporting" for place, key in enumerate(order)}


def _fraction(key: str, purpose: str) -> float:
    digest = hashlib.sha256(f"{purpose}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _STEPS


def assign_folds(dataset: Dataset, folds: int, rng: np.random.Generator) -> IntArray:
    """Return a fold number (documents,) in [0, folds) for each document.

    Duplicates share a fold. Documents are dealt out by their rarest label, so that a label with as many
    documents as there are folds is in each of them. A group of duplicates that is larger than a fold should
    be has a fold of its own, counted from the last, so the first folds stay as large as they should be. They
    are empty where there are not as many groups as folds.
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
    sizes = Counter(keys)
    large = [i for i in leaders if sizes[keys[i]] > max(1, len(dataset) / folds)][: folds - 1]
    fold_of = {keys[i]: folds - 1 - position for position, i in enumerate(large)}
    others = [i for i in leaders if keys[i] not in fold_of]
    fold_of |= {keys[i]: position % (folds - len(large)) for position, i in enumerate(others)}
    return np.array([fold_of[key] for key in keys], np.int64)


def even_and_odd(documents: int) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
    """Return the rows of the even and of the odd documents, once to learn from and once to decide about."""
    even, odd = list(range(0, documents, 2)), list(range(1, documents, 2))
    return (odd, even), (even, odd)
