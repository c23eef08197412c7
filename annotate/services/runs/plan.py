"""What one kind of run does between the labels that it reads and the version that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from annotate.models import ModelVersion, TrainingRun
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.corpus.word_vectors import ProjectWords
from annotate.services.versions.publication import Verdict
from annotate.services.work.progress import ProgressMeter
from training.runs.pipeline import TunedOn
from training.spans import SpansOutOfFold
from training.types import FloatArray, OutOfFold


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a version is made from.

    `encoder` is the one whose kept vectors are read, None where none are, and `words` that of words' vectors.
    `tuned_on` tells what an encoder that was tuned on labels knows of them, None of any other encoder.
    `seconds` are those that making the encoder or asking the teacher took; they count as training time.
    """

    snapshot: Snapshot[Any]
    encoder: SiteEmbedder | None = None
    seconds: float = 0.0
    words: ProjectWords | None = None
    tuned_on: TunedOn | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A version that is measured and stored, and not published yet.

    `pool_scores` (pool documents, labels) are what the next batch is chosen by, None where it stays.
    `out_of_fold` is what its folds say of the labelled pool documents, None where it had none.
    """

    version: ModelVersion
    pool_scores: FloatArray | None = None
    thresholds: tuple[float, ...] = ()
    out_of_fold: OutOfFold | SpansOutOfFold | None = None


class RunPlan(Protocol):
    """The steps of one kind of run, in their order; each may raise `TrainingError` with a sentence."""

    def prepare(self, run: TrainingRun, snapshot: Snapshot[Any], meter: ProgressMeter) -> Prepared:
        """Bring together what the version is made from, however long that takes."""

    def make(self, run: TrainingRun, prepared: Prepared, meter: ProgressMeter) -> Made:
        """Leave a checked bundle in its folder, and store the version with its figures."""

    def resume(
        self, run: TrainingRun, version: ModelVersion, snapshot: Snapshot[Any], meter: ProgressMeter
    ) -> tuple[Prepared, Made]:
        """Bring together what follows a version that a killed attempt has stored."""

    def judge(self, made: Made, prepared: Prepared) -> Verdict:
        """Say whether the version is to be published, and why."""

    def after(self, run: TrainingRun, made: Made, prepared: Prepared) -> None:
        """Do what follows once the version is judged, where it chooses what is labelled next."""


def bundle_of(run: TrainingRun) -> str:
    """Return the folder of the run's bundle under BUNDLE_ROOT; each attempt has one of its own."""
    return f"{run.project_id}/run-{run.pk}-{run.token}"
