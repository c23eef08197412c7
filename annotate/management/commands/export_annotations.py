from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from annotate.models import Project
from annotate.services.exports import formats


class Command(BaseCommand):
    help = "Write a project's annotations as JSONL or CSV, to a file or to standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--format", choices=sorted(formats.FORMATS), default="jsonl")
        parser.add_argument("--everything", action="store_true", help="documents without annotations as well")
        parser.add_argument("--out", type=Path, help="standard output unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project called {options['project']!r}.")
        blocks = formats.stream(project, options["format"], everything=options["everything"])
        out: Path | None = options["out"]
        if out is None:
            try:
                self._write(blocks, sys.stdout.buffer)
                sys.stdout.flush()
            except BrokenPipeError:
                # A reader such as `head` closed the pipe; Python would complain about that when it exits.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        try:
            with out.open("wb") as file:
                self._write(blocks, file)
        except OSError as error:
            raise CommandError(f"{out} could not be written: {error.strerror}.") from error

    @staticmethod
    def _write(blocks: Any, file: BinaryIO) -> None:
        for block in blocks:
            file.write(block)
