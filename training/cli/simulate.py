"""`python -m training simulate`: replays a labelled file, to see what each further label is worth."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from training.cli.embedders import add_encoder_arguments, open_embedder, tuned_embedder
from training.cli.inputs import (
    add_file_arguments,
    check_columns,
    labels_spans,
    output_file,
    parse_settings,
    read_datasets,
    task_of,
)
from training.cli.spans import simulate as spans
from training.encoders.names import name_vectors
from training.encoders.neighbours import nearest
from training.encoders.tuning_steps import TUNE_AT, can_be_tuned, is_installed, last_step
from training.families.build import check_parameters
from training.figures.curves import Points, draw
from training.figures.evaluate import macro_f1, micro_f1
from training.figures.evidence import figure, is_enough, why_none
from training.protocol import ScoresPool, TextModel
from training.registry import CHOOSER, FAMILIES, STRATEGIES, entry, families_in_order
from training.runs.pipeline import calibrate_and_tune, fit_model, rows_of
from training.selection import PoolView
from training.splits import hold_out, split_key
from training.tasks import find
from training.threads import machine, threads_for
from training.types import (
    Dataset,
    Embedder,
    FloatArray,
    IntArray,
    Json,
    Neighbours,
    Pool,
    RunSpec,
    TrainingError,
)

# What a new project of the site starts with; a test compares the two.
SITE_DEFAULTS: Mapping[str, Json] = {
    "start": "kmeans",
    "seed_labels": 50,
    "batch": 50,
    "random_share": 0.02,
    "novel_share": 0.1,
    "holdout_share": 0.1,
}


@dataclass(frozen=True, slots=True)
class Replay:
    """How a simulation goes: what to train, how to choose, and how many labels at a time."""

    spec: RunSpec
    strategy: str
    start: str
    seed_labels: int
    batch: int
    budget: int
    random_share: float = 0.0
    novel_share: float = 0.0
    tune_at: tuple[int, ...] = ()  # labels at which the encoder is tuned on those that there are


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One step of a learning curve: figures on the test file, and what the step cost in seconds.

    The figures are None where the test file has too few documents for any.
    """

    labels: int
    macro_f1: float | None
    micro_f1: float | None
    fit_s: float
    query_s: float
    tune_s: float = 0.0


@dataclass(frozen=True, slots=True)
class World:
    """The texts that can be asked for with the oracle's answers, and what was computed of them once."""

    train: Dataset
    test: Dataset
    embedder: Embedder | None
    vectors: FloatArray | None  # (documents, dimension)
    neighbours: Neighbours | None
    encoder: str = ""  # the name of the checkpoint behind the embedder, "" for the usual one


@dataclass(frozen=True, slots=True)
class Round:
    """A fitted model's view of the pool."""

    point: CurvePoint
    scores: FloatArray  # (pool, labels)
    thresholds: FloatArray  # (labels,)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("simulate", help="replay a labelled file and draw learning curves")
    add_file_arguments(parser)
    parser.add_argument("--family", default="", choices=["", *sorted(FAMILIES)], help="needed but for spans")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a family's parameter"
    )
    parser.add_argument("--strategy", choices=sorted(STRATEGIES))
    parser.add_argument(
        "--site-defaults",
        action="store_true",
        help="the strategy and --tune-at unless given, first batch, batches, and shares of a "
        "new project; the holdout is not labelled, so a tuned encoder is used without being compared on it",
    )
    parser.add_argument(
        "--start", default="kmeans", choices=sorted(STRATEGIES), help="how the first are chosen"
    )
    parser.add_argument("--seed-labels", type=int, default=100, metavar="N", help="0 starts from names alone")
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="labels between two models")
    parser.add_argument("--budget", type=int, default=1000, metavar="N", help="labels in all")
    parser.add_argument("--random-share", type=float, default=0.0, metavar="X", help="of each batch, 0 to 1")
    parser.add_argument(
        "--novel-share", type=float, default=0.0, metavar="X", help="of each batch, unlike what has a label"
    )
    parser.add_argument(
        "--holdout-share", type=float, default=0.0, metavar="X", help="of the training file, nobody is asked"
    )
    parser.add_argument(
        "--tune-at", type=_steps, metavar="N,N", help="labels at which the encoder is tuned on them, or never"
    )
    parser.add_argument("--seeds", type=_seeds, default=(0,), metavar="0-9", help="one curve for each")
    parser.add_argument(
        "--json", type=output_file, required=True, metavar="OUT", help="write the curves there"
    )
    parser.add_argument("--plot", type=output_file, metavar="OUT.svg", help="draw the mean curve")
    parser.add_argument(
        "--beside", action="append", default=[], metavar="NAME=FILE", help="draw another JSON's curve beside"
    )
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Simulate every seed; write the JSON after each, so that a stopped run leaves what it has."""
    if labels_spans(arguments):
        if arguments.site_defaults or not arguments.strategy:
            raise TrainingError("For spans, name a --strategy; --site-defaults is for labelled documents.")
        arguments.family = arguments.family or families_in_order(find(arguments.task))[0].key
        with threads_for(arguments.family):
            spans.run(arguments)
        return
    plan, (beside, spreads) = _plan(arguments), read_curves(arguments.beside)
    world = _world(arguments, plan)
    curves: list[Json] = []
    reason = "" if is_enough(len(world.test)) else why_none(len(world.test))
    for seed in arguments.seeds:
        points = []
        with threads_for(plan.spec.family):
            for point in simulate(plan, world, seed):
                points.append(asdict(point))
                _tell(seed, point)
        curves.append({"seed": seed, "points": points})
        content: Json = {"curves": curves, "mean": mean_points(curves), "spread": spread_points(curves)}
        content |= {"reason": reason, "machine": machine()}
        arguments.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if reason:
        raise TrainingError(f"There is no curve: macro-F1 is {reason} in {arguments.test}.")
    if arguments.plot:
        name = f"{plan.spec.family}, {plan.strategy}"
        pictured = {name: _measured(mean_points(curves))} | beside
        spreads = {name: _measured(spread_points(curves))} | spreads
        arguments.plot.write_text(draw(pictured, spreads=spreads), encoding="utf-8")
    print(json.dumps({"mean": mean_points(curves), "spread": spread_points(curves), "machine": machine()}))


def _plan(arguments: argparse.Namespace) -> Replay:
    """Return the plan that the arguments ask for, before a file is read."""
    check_columns(arguments)
    if not arguments.family:
        raise TrainingError("--family is needed: which model is to learn.")
    if arguments.site_defaults:
        vars(arguments).update(SITE_DEFAULTS)
        arguments.strategy = arguments.strategy or task_of(arguments.multi).default_strategy
    if not arguments.strategy:
        raise TrainingError("--strategy is needed, or --site-defaults: how documents are chosen.")
    if not 0 <= arguments.holdout_share < 1:
        raise TrainingError("--holdout-share must be from 0 up to, but not, 1.")
    spec = RunSpec(arguments.family, parse_settings(arguments.set))
    check_parameters(spec)
    takes_encoder = entry(FAMILIES, spec.family).takes_encoder
    if arguments.tune_at and not takes_encoder:
        raise TrainingError(f"--tune-at is for a family whose encoder can be chosen, not for {spec.family}.")
    if arguments.tune_at is None:
        arguments.tune_at = ()
        if arguments.site_defaults:
            arguments.tune_at = steps_of_the_site(spec.family)
    return Replay(
        spec=spec,
        strategy=arguments.strategy,
        start=arguments.start,
        seed_labels=arguments.seed_labels,
        batch=arguments.batch,
        budget=arguments.budget,
        random_share=arguments.random_share,
        novel_share=arguments.novel_share,
        tune_at=arguments.tune_at,
    )


def steps_of_the_site(family: str) -> tuple[int, ...]:
    """Return the labels at which the site tunes the encoder that a family reads, none where it cannot."""
    return TUNE_AT if entry(FAMILIES, family).takes_encoder and is_installed() else ()


def read_curves(pairs: Sequence[str]) -> tuple[dict[str, Points], dict[str, Points]]:
    """Return the mean curves of simulations and their spreads, from pairs NAME=FILE, by these names.

    Raises `TrainingError` for what is no such pair, and for a file that is not the JSON of a simulation.
    """
    means: dict[str, Points] = {}
    spreads: dict[str, Points] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals:
            raise TrainingError(f"A curve needs NAME=FILE, not {pair!r}.")
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            means[name] = _measured(content["mean"])
            spreads[name] = _measured(content.get("spread", ()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(f"{path} is not the JSON of a simulation ({error}).") from error
    return means, spreads


def _measured(points: Sequence[Mapping[str, float | None]]) -> list[dict[str, float]]:
    """Return what can be drawn: the points that have figures."""
    found = [{key: value for key, value in point.items() if value is not None} for point in points]
    return [point for point in found if "macro_f1" in point]


def _world(arguments: argparse.Namespace, plan: Replay) -> World:
    """Read the files, and embed the texts where the family or a strategy reads vectors."""
    columns = {"text": arguments.text, "label": arguments.label, "multi": arguments.multi}
    train, test = read_datasets(arguments.train, [arguments.test], **columns)
    train = _without_holdout(train, arguments.holdout_share)
    check_plan(plan, train)
    reads_vectors = entry(FAMILIES, plan.spec.family).reads_vectors
    if not reads_vectors and not any(
        entry(STRATEGIES, key).reads_vectors for key in (plan.start, plan.strategy)
    ):
        return World(train, test, None, None, None)
    embedder, _ = open_embedder(arguments)
    vectors = embedder.embed(train.texts)
    near = nearest(vectors) if reads_vectors else None
    return World(train, test, embedder, vectors, near, arguments.encoder)


def check_plan(plan: Replay, train: Dataset) -> None:
    """Raise `TrainingError` for a plan that cannot be carried out on these documents."""
    shares = plan.random_share, plan.novel_share
    if plan.batch < 1 or plan.seed_labels < 0 or not all(0 <= share <= 1 for share in shares):
        raise TrainingError(
            "--batch must be at least 1, --seed-labels at least 0, --random-share and --novel-share 0 to 1."
        )
    if plan.budget < plan.seed_labels or plan.budget > len(train):
        raise TrainingError(
            f"--budget must be at least --seed-labels and at most the {len(train)} documents there are."
        )
    task = train.schema.task
    for key in (plan.start, plan.strategy):
        if not entry(STRATEGIES, key).suits(task):
            raise TrainingError(f"The strategy {key!r} does not suit the task {task.key!r}.")


def simulate(plan: Replay, world: World, seed: int) -> Iterator[CurvePoint]:
    """Yield a point after the first labels and after each batch, by the functions that the site uses.

    Figures are of models that read the encoder that was tuned last; batches are chosen by the one as it was.
    """
    schema, targets = world.train.schema, world.train.targets
    check_plan(plan, world.train)
    choose = CHOOSER.load()
    rng = np.random.default_rng(seed)
    labelled = np.zeros(0, np.int64)
    if plan.seed_labels:
        names = name_vectors(schema, world.embedder) if world.embedder and schema.task.exclusive else None
        nothing = np.zeros(len(schema), np.int64)
        pool = PoolView(len(world.train), None, world.vectors, None, nothing, names=names)
        labelled = choose(plan.start, pool, plan.seed_labels, rng, random_share=plan.random_share).indices
    with tempfile.TemporaryDirectory(prefix="winnow-simulate-") as folder:
        previous: Path | None = None
        read, tuned_at, tune_s = world, 0, 0.0
        while True:
            rest = np.setdiff1d(np.arange(len(world.train)), labelled)
            spec = replace(plan.spec, seed=seed, previous=previous)
            started, step = time.perf_counter(), last_step(len(labelled), plan.tune_at)
            if step > tuned_at and can_be_tuned(targets[labelled].sum(axis=0)):
                read, tuned_at = _tuned(world, labelled, Path(folder) / f"tuned-{step}"), step
                tune_s = time.perf_counter() - started
            model, found = _learn(spec, world, labelled, rest)
            point = found.point
            if read is not world:
                served = _learn(replace(spec, previous=None), read, labelled, rest)[1].point
                point = replace(served, fit_s=served.fit_s + point.fit_s)
            wanted = min(plan.batch, plan.budget - len(labelled), len(rest))
            started = time.perf_counter()
            if wanted > 0:
                pool = PoolView(
                    size=len(rest),
                    scores=found.scores,
                    vectors=None if world.vectors is None else world.vectors[rest],
                    thresholds=found.thresholds,
                    label_counts=targets[labelled].sum(axis=0).astype(np.int64),
                    labelled=None if world.vectors is None else world.vectors[labelled],
                )
                shares = {"random_share": plan.random_share, "novel_share": plan.novel_share}
                chosen = choose(plan.strategy, pool, wanted, rng, **shares)
            yield replace(point, query_s=time.perf_counter() - started, tune_s=tune_s)
            tune_s = 0.0
            if wanted <= 0:
                return
            previous = Path(folder) / str(len(labelled))
            previous.mkdir()
            model.save(previous)
            labelled = np.concatenate([labelled, rest[chosen.indices]])


def _tuned(world: World, labelled: IntArray, folder: Path) -> World:
    """Return the world as the encoder sees it that is tuned on the labelled documents; `folder` keeps it."""
    embedder = tuned_embedder(world.encoder, rows_of(world.train, labelled), folder)
    vectors = embedder.embed(world.train.texts)
    return replace(world, embedder=embedder, vectors=vectors, neighbours=nearest(vectors))


def mean_points(curves: Sequence[Json]) -> list[dict[str, float | None]]:
    """Return the mean over curves at each number of labels that all of them reached; None has none."""
    steps = [{point["labels"]: point for point in curve["points"]} for curve in curves]
    shared = sorted(set.intersection(*(set(step) for step in steps))) if steps else []
    return [
        {key: _mean([step[labels][key] for step in steps]) for key in steps[0][labels]} | {"labels": labels}
        for labels in shared
    ]


def spread_points(curves: Sequence[Json]) -> list[dict[str, float | None]]:
    """Return the standard deviation between curves at each number of labels; None of a single curve."""
    steps = [{point["labels"]: point for point in curve["points"]} for curve in curves]
    shared = [int(point["labels"] or 0) for point in mean_points(curves)]
    return [
        {key: _deviation([step[labels][key] for step in steps]) for key in ("macro_f1", "micro_f1")}
        | {"labels": labels}
        for labels in shared
    ]


def _without_holdout(train: Dataset, share: float) -> Dataset:
    """Return the documents of the pool lane, near duplicates on one side, as an import divides them."""
    keys = [split_key(text) for text in train.texts]
    held = hold_out(Counter(keys), share)
    return rows_of(train, np.array([key not in held for key in keys], bool))


def _learn(spec: RunSpec, world: World, labelled: IntArray, rest: IntArray) -> tuple[TextModel, Round]:
    """Return a model of the labelled documents, which may see the rest as its pool, and its figures."""
    near = world.neighbours
    if near is not None:
        # Neighbours are numbered as a dataset counts its documents: the labelled ones first, then the rest.
        order = np.concatenate([labelled, rest])
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        near = Neighbours(place[near.indices[order]], near.similarities[order])
    texts = tuple(world.train.texts[i] for i in rest)
    dataset = replace(rows_of(world.train, labelled), pool=Pool(texts, near))
    nothing = rows_of(world.train, np.zeros(0, np.int64))
    fitted = fit_model(spec, dataset, nothing, world.embedder)
    model = fitted.model
    pool = model.pool_scores() if isinstance(model, ScoresPool) else model.predict_proba(texts)
    scores, thresholds = model.predict_proba(world.test.texts), np.full(len(dataset.schema), 0.5, np.float32)
    # A task that takes the best label needs neither calibration nor thresholds to be measured.
    if dataset.schema.task.has_thresholds:
        tuned = calibrate_and_tune(spec, dataset, nothing, model, world.embedder)
        pool, scores, thresholds = tuned.scores(pool), tuned.scores(scores), tuned.thresholds
    decisions = dataset.schema.task.decide(scores, thresholds)
    macro, micro = (
        figure(measure(world.test.targets, decisions), len(world.test)) for measure in (macro_f1, micro_f1)
    )
    point = CurvePoint(len(labelled), macro, micro, fitted.seconds, 0.0)
    return model, Round(point, pool, thresholds)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def _tell(seed: int, point: CurvePoint) -> None:
    print(
        f"seed {seed}  {point.labels:6d} labels  macro-F1 {_shown(point.macro_f1)}  "
        f"micro-F1 {_shown(point.micro_f1)}  fit {point.fit_s:.2f} s  query {point.query_s:.3f} s"
        + (f"  tuned in {point.tune_s:.0f} s" if point.tune_s else ""),
        file=sys.stderr,
        flush=True,
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _steps(text: str) -> tuple[int, ...]:
    """Read "300,500", or "never" for none."""
    parts = [] if text == "never" else text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not numbers of labels, such as 300,500, and not never."
        )
    return tuple(sorted(int(part) for part in parts))


def _seeds(text: str) -> tuple[int, ...]:
    """Read "0,1,2", a range "0-9", or both."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{part!r} is no seed and no range of seeds, such as 0-9.")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
