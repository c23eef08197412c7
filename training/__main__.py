"""The command line: `python -m training COMMAND`; each module named here is one command."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from training.records import FileError
from training.types import TrainingError

_COMMANDS = (
    "training.cli.train",
    "training.cli.compare",
    "training.cli.distil",
    "training.cli.cascade",
    "training.cli.export",
    "training.cli.predict",
    "training.cli.bench",
    "training.cli.llm",
    "training.cli.tune_encoder",
    "training.cli.simulate",
    "training.cli.drift",
)


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; an error that the user can mend is one sentence and exit code 2."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TrainingError, FileError, OSError) as error:
        print(f"{parsed.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in _COMMANDS:
        import_module(name).add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
