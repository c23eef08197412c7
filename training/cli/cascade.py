"""`python -m training cascade`: two bundles become one that is fast on easy texts and strong on the rest."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from training.bundles.bundle import read_manifest
from training.bundles.cascade import CascadePredictor
from training.bundles.predictor import Predictor
from training.cli.candidates import compare_measured
from training.cli.card import show
from training.cli.inputs import add_objective_arguments, output_file, output_folder, read_dataset
from training.figures.evidence import figure, is_enough, why_none
from training.reportcard.card import Candidate
from training.reportcard.measurement import measure
from training.runs.cascade_tuning import TOLERANCE, build_cascade


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
    parser.add_argument(
        "--out", type=output_folder, required=True, metavar="DIR", help="folder of the cascade"
    )
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Tune and write the cascade, then measure it beside both of its parts."""
    schema = Predictor(arguments.strong).schema
    columns = {"text": arguments.text, "label": arguments.label, "multi": arguments.multi}
    tuning = read_dataset(arguments.tune, schema, **columns)
    test = read_dataset(arguments.test, schema, **columns)
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
    cheap_share = float(1 - answers.by_strong.mean())
    card = compare_measured(rows, test, seed=arguments.seed)
    _, strong, cascade = card.candidates
    assert strong.speed is not None
    assert cascade.speed is not None
    assert strong.evaluation is not None
    assert cascade.evaluation is not None
    speedup = cascade.speed.texts_per_s / strong.speed.texts_per_s
    figures = strong.evaluation.macro_f1, cascade.evaluation.macro_f1
    lost = None if figures[0] is None or figures[1] is None else figures[0] - figures[1]
    content = card.to_json() | {
        "tuned": asdict(split)
        | {name: figure(getattr(split, name), len(tuning)) for name in ("macro_f1", "strong_macro_f1")},
        "cheap_share": cheap_share,
        "speedup": speedup,
        "macro_f1_loss": lost,
        "reason": "" if is_enough(len(test)) else why_none(len(test)),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    print(show(card))
    loses = f"loses {lost:+.4f} macro-F1" if lost is not None else f"has a loss {why_none(len(test))}"
    print(
        f"The cheap part answers {cheap_share:.0%} of the texts; the cascade has {speedup:.2f} times the "
        f"texts a second of the strong part, and {loses}."
    )
