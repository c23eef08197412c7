"""`python -m training cascade`: two bundles become one that is fast on easy texts and strong on the rest."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from training.bundles.bundle import read_manifest
from training.bundles.cascade import CascadePredictor
from training.bundles.predictor import Predictor
from training.cli.card import show
from training.cli.inputs import add_objective_arguments, read_answers
from training.reportcard.card import Candidate, Comparison, Constraints
from training.reportcard.measurement import Measured, machine, measure
from training.reportcard.recommend import recommend
from training.runs.cascade_tuning import TOLERANCE, build_cascade
from training.types import Dataset, Json, LabelSchema


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("cascade", help="let a cheap bundle answer what it is sure of")
    parser.add_argument("cheap", type=Path, metavar="CHEAP", help="folder of the fast bundle")
    parser.add_argument("strong", type=Path, metavar="STRONG", help="folder of the accurate bundle")
    parser.add_argument("--tune", type=Path, required=True, metavar="F", help="find the split on these texts")
    parser.add_argument("--test", type=Path, required=True, metavar="F", help="labelled texts to measure on")
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text")
    parser.add_argument("--label", required=True, metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="macro-F1 that may be lost")
    add_objective_arguments(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the cascade")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Tune and write the cascade, then measure it beside both of its parts."""
    schema = Predictor(arguments.strong).schema
    tuning, test = (_read(path, schema, arguments) for path in (arguments.tune, arguments.test))
    split = build_cascade(
        arguments.cheap,
        arguments.strong,
        tuning,
        arguments.out,
        objective=arguments.objective,
        objective_value=arguments.objective_value,
        tolerance=arguments.tolerance,
        replace_bundle=True,
        seed=arguments.seed,
    )
    places = {"cheap": arguments.cheap, "strong": arguments.strong, "cascade": arguments.out}
    rows = [
        measure(Candidate(name, read_manifest(path).family), path, test, seed=arguments.seed)
        for name, path in places.items()
    ]
    answers = CascadePredictor(arguments.out).answer(test.texts)
    _report(
        rows, test, {"tuned": asdict(split), "cheap_share": float(1 - answers.by_strong.mean())}, arguments
    )


def _read(path: Path, schema: LabelSchema, arguments: argparse.Namespace) -> Dataset:
    texts, answers = read_answers(path, arguments.text, arguments.label, arguments.multi)
    return Dataset(schema, tuple(texts), schema.encode(answers))


def _report(
    rows: list[Measured], test: Dataset, found: dict[str, Json], arguments: argparse.Namespace
) -> None:
    candidates = tuple(row.candidate for row in rows)
    decisions = {row.candidate.name: row.decisions for row in rows}
    chosen = recommend(candidates, decisions, test.targets, Constraints(), seed=arguments.seed)
    card = Comparison(len(test), len(test.schema), machine(), Constraints(), candidates, chosen)
    content = card.to_json() | found | _against_strong(*candidates[1:])
    if arguments.json:
        arguments.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    print(show(card))
    print(
        f"The cheap part answers {found['cheap_share']:.0%} of the texts; the cascade has "
        f"{content['speedup']:.2f} times the texts a second of the strong part, and loses "
        f"{content['macro_f1_loss']:+.4f} macro-F1."
    )


def _against_strong(strong: Candidate, cascade: Candidate) -> dict[str, float]:
    """Return how many times faster the cascade is than its strong part, and the macro-F1 that it loses."""
    assert strong.speed is not None
    assert cascade.speed is not None
    assert strong.evaluation is not None
    assert cascade.evaluation is not None
    lost = (strong.evaluation.macro_f1 or 0.0) - (cascade.evaluation.macro_f1 or 0.0)
    return {"speedup": cascade.speed.texts_per_s / strong.speed.texts_per_s, "macro_f1_loss": lost}
