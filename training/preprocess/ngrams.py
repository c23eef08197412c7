"""TF-IDF features: word and character n-grams of a stored vocabulary."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from training.preprocess.places import Place, TextParts, char_places, original_spans, placed, word_places
from training.preprocess.protocol import Feed
from training.types import Embedder, FloatArray, IntArray

FILE = "ngrams.json"

# A word is a run of word characters or of anything else beyond ASCII that is neither a space nor general
# punctuation: combining vowel signs (Mn, Mc) are not \w, and would cut Hindi or Thai words to pieces.
_WORD = re.compile(r"(?:\w|[^\x00-\x7f\s\u00a0-\u00bf\u2000-\u206f\u3000-\u303f])+")


@dataclass(frozen=True, slots=True)
class NgramSettings:
    """Which n-grams are counted: runs of words, and runs of characters inside space-padded tokens."""

    word_max: int = 2
    char_min: int = 2
    char_max: int = 4
    min_documents: int = 1
    max_features: int = 40_000

    def words(self, text: str) -> list[str]:
        """Return the word n-grams of a normalised text, in order, with repeats."""
        words = _WORD.findall(text)
        grams = list(words)
        for n in range(2, self.word_max + 1):
            grams += [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        return grams

    def chars(self, text: str) -> list[str]:
        """Return the character n-grams within the tokens of a normalised text, in order, with repeats."""
        grams: list[str] = []
        for token in text.split():
            padded = f" {token} "
            for n in range(self.char_min, self.char_max + 1):
                if n > len(padded):
                    break
                grams += [padded[i : i + n] for i in range(len(padded) - n + 1)]
        return grams


class NgramPreprocessor:
    """TF-IDF over word and character n-grams: sublinear counts, smooth idf, both blocks of unit length.

    Features are numbered in the order of the vocabularies, words first and then characters.
    """

    def __init__(
        self,
        settings: NgramSettings,
        words: dict[str, int],
        chars: dict[str, int],
        documents: int,
    ) -> None:
        """Take the vocabularies, each a dict of n-gram -> number of the `documents` that contain it."""
        self.settings = settings
        self.document_counts = (words, chars)
        self.documents = documents
        self._word_ids = {gram: i for i, gram in enumerate(words)}
        self._char_ids = {gram: i for i, gram in enumerate(chars, start=len(words))}
        counts = np.array([*words.values(), *chars.values()], dtype=np.float64)
        self._idf: list[float] = (np.log((1 + documents) / (1 + counts)) + 1).tolist()

    def __len__(self) -> int:
        return len(self._idf)

    @classmethod
    def fit(cls, texts: Sequence[str], settings: NgramSettings) -> Self:
        """Learn the vocabulary: the n-grams of most documents; words get at most half of the features."""
        normalised = [normalise(text) for text in texts]
        words = _document_counts(map(settings.words, normalised))
        chars = _document_counts(map(settings.chars, normalised))
        most_words = max(settings.max_features // 2, settings.max_features - len(chars))
        kept_words = _most_frequent(words, settings.min_documents, most_words)
        kept_chars = _most_frequent(chars, settings.min_documents, settings.max_features - len(kept_words))
        return cls(settings, kept_words, kept_chars, len(texts))

    def weights(self, text: str) -> tuple[list[int], list[float]]:
        """Return the feature ids of one text and their weights; both are empty for an unknown text."""
        normalised, idf = normalise(text), self._idf
        ids: list[int] = []
        values: list[float] = []
        for known, grams in (
            (self._word_ids, self.settings.words(normalised)),
            (self._char_ids, self.settings.chars(normalised)),
        ):
            counts = Counter(map(known.get, grams))
            counts.pop(None, None)
            found: list[int] = list(counts)  # type: ignore[arg-type]  # None was taken out
            weights = [
                idf[i] if count == 1 else (1 + math.log(count)) * idf[i]
                for i, count in zip(found, counts.values(), strict=True)
            ]
            length = math.sqrt(math.fsum(weight * weight for weight in weights)) or 1.0
            ids += found
            values += [weight / length for weight in weights]
        return ids, values

    def sparse(self, texts: Iterable[str]) -> tuple[FloatArray, IntArray, IntArray]:
        """Return the weights of texts as the (data, indices, indptr) of a CSR matrix."""
        data: list[float] = []
        indices: list[int] = []
        ends = [0]
        for text in texts:
            ids, values = self.weights(text)
            indices += ids
            data += values
            ends.append(len(indices))
        return np.array(data, np.float32), np.array(indices, np.int64), np.array(ends, np.int64)

    def feeds(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> Iterator[Feed]:
        """Yield `ids` (features,) and `values` (1, features) for each text; `embedder` is not used."""
        for text in texts:
            ids, values = self.weights(text)
            if not ids:  # only the bias decides on a text without any known n-gram
                ids, values = [0], [0.0]
            yield {"ids": np.array(ids, np.int64), "values": np.array([values], np.float32)}

    def places(self, text: str) -> dict[int, Place]:
        """Return the first place of each known n-gram of a text, by the feature ids of `weights`."""
        normalised, settings = normalise(text), self.settings
        spans = original_spans(text, normalised, normalise)
        words = word_places(_WORD.finditer(normalised), settings.word_max)
        chars = char_places(normalised, settings.char_min, settings.char_max)
        found: dict[int, Place] = {}
        for known, places in ((self._word_ids, words), (self._char_ids, chars)):
            for gram, normalised_span in places:
                if gram in known and known[gram] not in found:
                    found[known[gram]] = placed(gram, normalised_span, spans)
        return found

    def parts(self, text: str) -> TextParts:
        """Return the known n-grams of a text, one feature each."""
        ids, values = self.weights(text)
        places = self.places(text)
        return TextParts(
            places=tuple(places[i] for i in ids),
            ids=np.array(ids, np.int64),
            values=np.array(values, np.float32),
            owners=np.arange(len(ids)),
        )

    def save(self, folder: Path) -> None:
        """Write the vocabulary and the settings as one JSON file."""
        words, chars = self.document_counts
        content = {
            "word_max": self.settings.word_max,
            "char_min": self.settings.char_min,
            "char_max": self.settings.char_max,
            "documents": self.documents,
            "words": words,
            "chars": chars,
        }
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; `encoder` and `threads` are not used."""
        content = json.loads((folder / FILE).read_text("utf-8"))
        settings = NgramSettings(content["word_max"], content["char_min"], content["char_max"])
        return cls(settings, content["words"], content["chars"], content["documents"])


def normalise(text: str) -> str:
    """Return a text in Unicode's form NFKC and without case, so that look-alikes count as one."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _document_counts(grams: Iterable[list[str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for document in grams:
        counts.update(set(document))
    return counts


def _most_frequent(counts: Counter[str], at_least: int, most: int) -> dict[str, int]:
    """Return the n-grams of most documents; ties are broken by code points, so that runs agree."""
    kept = [(-count, gram) for gram, count in counts.items() if count >= at_least]
    return {gram: -count for count, gram in sorted(kept)[:most]}
