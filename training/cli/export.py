"""`python -m training export`: a bundle in the format of another way to serve."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from training.cli.inputs import output_file, read_texts

FORMATS = {"torchscript": "training.export.torchscript"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("export", help="write a bundle's model in another format")
    parser.add_argument("bundle", type=Path, metavar="DIR")
    parser.add_argument("--format", required=True, choices=sorted(FORMATS))
    parser.add_argument("--out", type=output_file, required=True, metavar="F", help="the file to write")
    parser.add_argument("--texts", type=Path, metavar="F", help="compare with the bundle on these texts")
    parser.add_argument("--text", default="text", metavar="COL", help="column of the text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Export, and print the inputs and how well the file agrees with its bundle."""
    texts = read_texts(arguments.texts, arguments.text) if arguments.texts else []
    # Imported only here, because it loads packages that prediction does not need.
    found = import_module(FORMATS[arguments.format]).export_torchscript(
        arguments.bundle, arguments.out, texts
    )
    print(json.dumps(asdict(found)))
