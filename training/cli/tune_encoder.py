"""`python -m training tune-encoder`: a team's own version of an encoder, from its labelled texts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from training.cli.embedders import add_encoder_arguments
from training.cli.inputs import output_file, output_folder, read_datasets
from training.registry import ENCODER_TUNER, Entry
from training.types import Json

# Both are imported only when the command runs, as they bring packages that other commands do without.
_TUNING = Entry("tuning_settings", "Tuning an encoder", "training.families.encoder_tuning.contrastive:Tuning")
_DEFAULT = Entry("default_encoder", "Tuning an encoder", "training.encoders.export:DEFAULT_ENCODER")
_SETTINGS = {
    "epochs": int,
    "batch_size": int,
    "learning_rate": float,
    "temperature": float,
    "kept": float,
    "seed": int,
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("tune-encoder", help="tune an encoder on labelled texts")
    parser.add_argument("--train", type=Path, required=True, metavar="F", help="labelled texts to learn from")
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text")
    parser.add_argument("--label", required=True, metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument(
        "--out", type=output_folder, required=True, metavar="DIR", help="what --encoder then takes"
    )
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the figures there")
    for name, kind in _SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="X")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Tune the encoder, export it, and print what it took."""
    (dataset,) = read_datasets(
        arguments.train, [], text=arguments.text, label=arguments.label, multi=arguments.multi
    )
    given = {name: getattr(arguments, name) for name in _SETTINGS if getattr(arguments, name) is not None}
    if "epochs" in given:
        given["least_steps"] = 0  # who asks for a number of epochs gets these
    tuned = ENCODER_TUNER.load()(
        arguments.encoder or _DEFAULT.load(),
        dataset,
        arguments.out,
        arguments.cache / "encoders",
        tuning=_TUNING.load()(**given),
        on_progress=_Told(),
    )
    figures: dict[str, Json] = tuned.to_json()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")
    print(json.dumps(figures, ensure_ascii=False))


class _Told:
    """Prints each tenth of the progress once."""

    def __init__(self) -> None:
        self._tenth = 0

    def __call__(self, done: float) -> None:
        if int(10 * done) > self._tenth:
            self._tenth = int(10 * done)
            print(f"{done:4.0%} tuned", file=sys.stderr, flush=True)
