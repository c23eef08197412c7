"""Texts to unit vectors by an exported encoder; imports nothing heavier than onnxruntime and tokenizers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training.preprocess.broken import BROKEN_GRAPH
from training.preprocess.tokens import TokenPreprocessor, TokenSettings, read_tokenizer
from training.preprocess.windows import Reading
from training.types import Embedder, FloatArray, TrainingError

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "encoder.json"
POOLINGS = ("mean", "cls")


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The content of `encoder.json`, which tells how the graph's token vectors become one vector per text."""

    name: str
    dimension: int
    max_length: int  # tokens, the special ones included
    precision: str  # "int8" or "fp32"
    pooling: str = "mean"
    prompt: str = ""  # put before every text, for checkpoints that were trained with it
    lowercase: bool = False
    note: str = ""  # a sentence: why the precision is not the one that was asked for
    overlap: int = 32  # tokens that two windows of a long text share, at most a quarter of one
    max_windows: int = 8  # limits the time for one long text; the rest of it is not read
    cosine: float | None = None  # mean cosine between an INT8 encoder's vectors and its original's
    knows_labels: bool = False  # it was tuned on labelled texts, so a model must not be judged on those
    original_bytes: int | None = None  # the size of the FP32 original's graph


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_config(config: EncoderConfig, folder: Path) -> None:
    """Write `encoder.json`."""
    (folder / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=1, sort_keys=True), encoding="utf-8")


def read_config(folder: Path) -> EncoderConfig:
    """Read `encoder.json`; raises `TrainingError` where the folder is not an exported encoder."""
    try:
        config = EncoderConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{folder} holds no exported encoder ({error}). Prepare the encoder again."
        ) from error
    if config.pooling not in POOLINGS:
        raise TrainingError(
            f"{folder} asks for the pooling {config.pooling!r}, which this version cannot do."
        )
    return config


def against_original(folder: Path, config: EncoderConfig) -> str:
    """Return in a sentence what INT8 costs and gains, or an empty string where that was not stored."""
    if config.cosine is None or config.original_bytes is None:
        return ""
    small, full = (folder / MODEL_FILE).stat().st_size / 1e6, config.original_bytes / 1e6
    return (
        f"The encoder is INT8: mean cosine {config.cosine:.3f} with its FP32 original, "
        f"{small:.1f} of {full:.1f} MB."
    )


class OnnxEncoder:
    """An exported sentence encoder on the CPU; satisfies `training.types.Embedder`.

    NB: a run takes one text, without padding. Dynamic quantization takes ranges over the whole input, so a
    padded batch would make a text's vector depend on the texts beside it; on a CPU batching gains nothing.

    A long text is cut into windows of one length that overlap; its vector is the mean of theirs, made unit.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self.config = read_config(folder)
        graph, tokenizer = folder / MODEL_FILE, folder / TOKENIZER_FILE
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # NB: threads that wait by spinning would take cores away from other processes of this machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except BROKEN_GRAPH as error:
            raise TrainingError(
                f"The encoder {graph} cannot be opened ({error}). Prepare it again."
            ) from error
        self._inputs = tuple(entry.name for entry in self._session.get_inputs())
        settings = TokenSettings(
            max_length=self.config.max_length,
            overlap=min(self.config.overlap, self.config.max_length // 4),
            max_windows=self.config.max_windows,
            lowercase=self.config.lowercase,
            prompt=self.config.prompt,
        )
        try:
            self._tokens = TokenPreprocessor(read_tokenizer(tokenizer), settings)
        except ValueError as error:
            raise TrainingError(
                f"The encoder folder {folder} has no usable {tokenizer.name} ({error}). Prepare it again."
            ) from error
        self._fingerprint = file_checksum(graph)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the encoder's graph: vectors of different fingerprints must never be mixed."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """The length of every vector."""
        return self.config.dimension

    @property
    def precision(self) -> str:
        """The precision of the graph, "int8" or "fp32"."""
        return self.config.precision

    @property
    def note(self) -> str:
        """Why the precision is not the one that was asked for; else empty."""
        return self.config.note

    @property
    def knows_labels(self) -> bool:
        """Whether it was tuned on labelled texts."""
        return self.config.knows_labels

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors (texts, dimension); a text is not read beyond its last window."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for i, text in enumerate(texts):
            windows = [self._pooled(window) for window in self._tokens.tokens(text).windows]
            pooled = windows[0] if len(windows) == 1 else np.mean(windows, axis=0)
            vectors[i] = pooled / max(float(np.linalg.norm(pooled)), 1e-12)
        return vectors

    def reading(self, texts: Sequence[str]) -> Reading:
        """Return how many texts are read in several windows, and how many are not read to their end."""
        found = [self._tokens.tokens(text) for text in texts]
        windowed = sum(len(tokens.windows) > 1 for tokens in found)
        return Reading(len(found), windowed, sum(tokens.is_cut for tokens in found))

    def cut(self, texts: Sequence[str]) -> int:
        """Return how many of the texts are longer than all windows together."""
        return self.reading(texts).truncated

    def _pooled(self, window: Sequence[int]) -> FloatArray:
        ids = np.array([window], dtype=np.int64)  # (1, tokens)
        feeds: dict[str, NDArray[np.int64]] = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        hidden = self._session.run(None, {name: feeds[name] for name in self._inputs})[0][0]
        pooled: FloatArray = hidden[0] if self.config.pooling == "cls" else hidden.mean(axis=0)
        return pooled


class EncoderPreprocessor:
    """Gives a bundle's head vectors, from the given embedder or else from the bundle's own encoder."""

    FILE = "preprocessing.json"

    def __init__(self, fingerprint: str, encoder: Path | None = None, threads: int = 1) -> None:
        self.fingerprint = fingerprint
        self._folder = encoder
        self._threads = threads
        self._encoder: OnnxEncoder | None = None

    def feeds(
        self, texts: Sequence[str], *, embedder: Embedder | None = None
    ) -> Iterator[dict[str, NDArray[np.generic]]]:
        """Yield all vectors as one feed; raises `TrainingError` for vectors of another encoder."""
        source = self._encoder if embedder is None else embedder
        if source is None:
            if self._folder is None:
                raise TrainingError(
                    f"The encoder {self.fingerprint[:12]} of this bundle is not on this machine: "
                    "put its folder into the bundle or among the encoders."
                )
            source = self._encoder = OnnxEncoder(self._folder, threads=self._threads)
        if source.fingerprint != self.fingerprint:
            raise TrainingError(
                f"The model was trained on vectors of the encoder {self.fingerprint[:12]}, "
                f"but got those of {source.fingerprint[:12]}. Train it again with this encoder."
            )
        if texts:
            yield {"vectors": source.embed(texts)}

    def save(self, folder: Path) -> None:
        """Write which encoder the head belongs to."""
        (folder / self.FILE).write_text(json.dumps({"encoder": self.fingerprint}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; the encoder is opened when the first text has to be embedded by it."""
        content = json.loads((folder / cls.FILE).read_text(encoding="utf-8"))
        return cls(str(content["encoder"]), encoder, threads)
