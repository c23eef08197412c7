"""Makes a team's own version of an encoder out of its labelled texts; for the worker only."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from training.encoders.checkpoints import TUNED_NOTE, WEIGHTS, find_checkpoint
from training.encoders.export import prepare_encoder
from training.encoders.tuning_steps import FEWEST_LABELS, FEWEST_TEXTS, known_labels
from training.families.encoder_tuning.contrastive import Tuning, tune_contrastively
from training.families.encoder_tuning.sentence_encoder import read_sentence_encoder, save_weights
from training.preprocess.encoder import read_config
from training.types import Dataset, Json, TrainingError

_MAX_LENGTH = 128  # so many tokens of a text are learned from; the export still reads windows of longer texts
_GATE_TEXTS = 200  # the INT8 export has to agree with its original on these
_COMPANIONS = ("*.json", "*.txt", "*.model", "*_Pooling/config.json")


@dataclass(frozen=True, slots=True)
class TunedEncoder:
    """A tuned encoder: its checkpoint, its export, and what making it took."""

    checkpoint: Path  # a folder that every `--encoder` takes
    export: Path  # a folder named by the fingerprint of its vectors
    precision: str
    note: str  # why the precision is not INT8, empty if it is
    documents: int
    steps: int
    first_loss: float
    last_loss: float
    tune_seconds: float
    export_seconds: float

    def to_json(self) -> dict[str, Json]:
        """Return the figures, with the fingerprint by its name."""
        return asdict(self) | {
            "checkpoint": str(self.checkpoint),
            "export": str(self.export),
            "fingerprint": self.export.name,
        }


def tune_encoder(
    name: str,
    dataset: Dataset,
    folder: Path,
    root: Path,
    *,
    tuning: Tuning | None = None,
    most_steps: int | None = None,
    on_progress: Callable[[float], None] = lambda done: None,
) -> TunedEncoder:
    """Tune the encoder `name` on labelled texts: a checkpoint at `folder`, its export among those in `root`.

    `most_steps` bounds the batches of `tuning`, for callers that do not load it.

    A tuned encoder that is at `folder` is replaced, anything else is not. Its vectors are not those of
    `name`: another fingerprint keeps them apart wherever vectors are kept. NB: it has seen all these labels,
    so scores of these documents out of fold are too sure; `knows_labels` tells a family that learns on it.
    Raises `TrainingError` for too few labels, for a checkpoint that cannot be used and for a loss that stops
    being a number; then nothing is left behind.
    """
    tuning = tuning or Tuning()
    if most_steps is not None:
        tuning = replace(tuning, most_steps=min(most_steps, tuning.most_steps))
    _check(tuning, dataset, folder)
    checkpoint = find_checkpoint(name)
    started = time.perf_counter()
    network = read_sentence_encoder(checkpoint, _MAX_LENGTH)
    losses = tune_contrastively(network, dataset, tuning, on_progress)
    tuned = time.perf_counter()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tuned-") as scratch:
        made = Path(scratch) / "checkpoint"
        # The files that say how the checkpoint reads and pools come along: all but its weights.
        for path in [path for pattern in _COMPANIONS for path in checkpoint.folder.glob(pattern)]:
            if path.name not in (*WEIGHTS, TUNED_NOTE):
                target = made / path.relative_to(checkpoint.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        save_weights(network, checkpoint, made)
        note = {"from": name, "documents": len(dataset), "labels": dataset.schema.keys, **asdict(tuning)}
        (made / TUNED_NOTE).write_text(json.dumps(note, ensure_ascii=False, indent=1), "utf-8")
        if folder.is_dir():
            folder.rename(made.with_name("older"))
        made.rename(folder)
    export = prepare_encoder(str(folder), root, texts=dataset.texts[:_GATE_TEXTS])
    config = read_config(export)
    return TunedEncoder(
        checkpoint=folder,
        export=export,
        precision=config.precision,
        note=config.note,
        documents=len(dataset),
        steps=len(losses),
        first_loss=losses[0],
        last_loss=float(np.mean(losses[-10:])),
        tune_seconds=tuned - started,
        export_seconds=time.perf_counter() - tuned,
    )


def _check(tuning: Tuning, dataset: Dataset, folder: Path) -> None:
    if min(tuning.epochs, tuning.most_steps) < 1 or tuning.batch_size < 4:
        raise TrainingError("Tuning an encoder needs at least one epoch and batches of at least four texts.")
    if not (tuning.learning_rate > 0 and tuning.temperature > 0):
        raise TrainingError("The learning rate and the temperature of a tuning must be above zero.")
    if not 0 <= tuning.kept < 1:
        raise TrainingError("The original's share in a tuned encoder must be at least 0 and below 1.")
    known = known_labels(dataset.targets.sum(axis=0))
    if known < FEWEST_LABELS:
        raise TrainingError(
            f"Tuning an encoder needs {FEWEST_TEXTS} texts of each of at least {FEWEST_LABELS} labels, and "
            f"{known} of the labels have as many: label more texts first, or use the encoder as it is."
        )
    if (
        folder.exists()
        and not (folder / TUNED_NOTE).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise TrainingError(f"{folder} holds something else than a tuned encoder; choose another folder.")
