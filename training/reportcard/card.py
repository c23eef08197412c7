"""The report card as values: candidates that were measured on the same holdout documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from training.figures.calibration import Bin
from training.figures.evaluate import PairedDifference
from training.types import Evaluation, Int8Twin, Json


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a project requires of a model; None, False and () require nothing.

    `latency_ms` bounds the p99 of a single text, `size_bytes` the bundle with its encoder, `languages` are
    two-letter codes. `classes` and `labels` are how many the project will have: figures that were measured
    with others get a note.
    """

    latency_ms: float | None = None
    size_bytes: int | None = None
    explainable: bool = False
    languages: tuple[str, ...] = ()
    classes: int | None = None
    labels: int | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """How many milliseconds a single text takes, and how many texts a second pass when sent together."""

    p50_ms: float
    p99_ms: float
    texts_per_s: float
    threads: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of the card; `problem` says why it has no figures, if it has none.

    `languages` is None for a model that learns any language from the labelled texts alone. `encoder_bytes`
    come on top of `bundle_bytes`, and models with the same encoder share them. `twin` has what INT8 costs
    and brings a model whose own graph was tried in it.
    """

    name: str
    family: str
    params: Mapping[str, Json] = field(default_factory=dict)
    problem: str = ""
    evaluation: Evaluation | None = None
    reliability: tuple[Bin, ...] = ()
    speed: Speed | None = None
    bundle_bytes: int = 0
    encoder_bytes: int = 0
    train_seconds: float = 0.0
    labelled: int = 0
    precision: str = "fp32"
    explainable: bool = False
    languages: tuple[str, ...] | None = None
    cut_share: float = 0.0  # share of the holdout's texts that are longer than the model reads
    notes: tuple[str, ...] = ()
    twin: Int8Twin | None = None

    @property
    def size_bytes(self) -> int:
        """The size of the bundle and of the encoder that it needs."""
        return self.bundle_bytes + self.encoder_bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a candidate is behind the best one on the same documents."""

    name: str
    comparison: PairedDifference  # the best one's macro-F1 minus this one's
    p: float  # two-sided
    within_noise: bool


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Which candidate to publish and why; `name` is None where no candidate satisfies the constraints.

    `ruled_out` holds for each candidate that cannot be chosen the sentences that say why.
    """

    name: str | None
    reason: str
    best: str | None = None
    gaps: tuple[Gap, ...] = ()
    ruled_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quantised:
    """An INT8 candidate beside the same one in FP32."""

    int8: str
    fp32: str
    speedup: float
    size_ratio: float
    macro_f1_loss: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole card: the candidates in the order in which they were given, and what follows from them."""

    documents: int
    classes: int
    machine: Mapping[str, Json]
    constraints: Constraints
    candidates: tuple[Candidate, ...]
    recommendation: Recommendation
    quantised: tuple[Quantised, ...] = ()
    caveats: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return the card as what `json.dumps` takes."""
        return asdict(self)
