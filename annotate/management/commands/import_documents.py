from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError

from annotate import tasks
from annotate.models import Project
from annotate.models.jobs import JobKind
from annotate.models.work import WorkState
from annotate.outages.console import Console
from annotate.services.imports import job, lanes, missing
from annotate.services.imports.columns import ColumnMapping
from annotate.services.work import jobs
from training.records import READERS, FileError

DECLARED = (
    "format",
    "encoding",
    "delimiter",
    "header",
    "sheet",
)  # what is told of the file, not of its columns


class Command(BaseCommand):
    help = "Import a file into a project: CSV, TSV, JSONL, JSON, XLSX, Parquet or plain lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("file", type=Path)
        for column in ("text", "id", "label"):
            parser.add_argument(f"--{column}", help=f"the {column} column; guessed unless given")
        parser.add_argument("--separator", help="what separates several labels in one cell")
        parser.add_argument("--meta", action="append", help="a column to keep beside the text; repeat it")
        parser.add_argument("--format", choices=sorted(READERS))
        parser.add_argument("--encoding")
        parser.add_argument("--delimiter")
        parser.add_argument("--sheet", help="the sheet of a workbook; the first visible one unless given")
        parser.add_argument("--no-header", dest="header", action="store_false", default=None)
        parser.add_argument("--gold", action="store_true", default=None, help="the labels are gold answers")
        parser.add_argument("--create-labels", action="store_true", default=None)
        parser.add_argument(
            "--empty-is-answer", action="store_true", default=None, help="an empty label means: none applies"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project called {options['project']!r}.")
        path: Path = options["file"]
        given = {key: value for key, value in options.items() if value is not None}
        declared = {key: given[key] for key in DECLARED if key in given}
        try:
            with path.open("rb") as file:
                upload = job.begin(
                    project=project, user=None, file=File(file), name=path.name, declared=declared
                )
            mapping = ColumnMapping.load({**upload.mapping, **given})
            for note in job.preview(upload)[2].notes:
                self.stderr.write(note)
            job.start(upload=upload, mapping=mapping, dry_run=options["dry_run"])
        except (FileError, OSError) as error:
            raise CommandError(str(error)) from error
        done = job.run(import_id=upload.pk)
        if done is None:
            upload.refresh_from_db()
            taken = "A worker has taken this import over; the site's import page shows how it goes."
            raise CommandError(upload.error or taken)
        tell_problem, tell = Console(self.stderr), Console(self.stdout)
        for problem in done.problems.all():
            tell_problem(f"{done.name}:{problem.row}: {problem.reason}")
        would = "would be " if done.dry_run else ""
        tell(
            f"{done.created:,} {would}added, {done.updated:,} {would}updated, {done.unchanged:,} unchanged, "
            f"{done.broken:,} broken."
        )
        for label in missing.told(done):
            self.stderr.write(missing.sentence(label))
        for why, rows in missing.frequent(done.unfit):
            self.stderr.write(f"Stored without a decision: {rows:,}. {why or 'For other reasons.'}")
        for what, rows in missing.frequent(done.spellings):
            self.stderr.write(f"{what or 'Other labels look alike.'} Rows: {rows:,}.")
        for sentence in lanes.told(done):
            self.stdout.write(sentence)
        if done.state == WorkState.FAILED:
            raise CommandError(done.error)
        if not done.dry_run and done.created + done.updated:
            tasks.wake(jobs.ask(kind=JobKind.VECTORS, project=project))
