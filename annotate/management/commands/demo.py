from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate.embedded import claims, preparation, site
from annotate.models import Project, User
from annotate.services.demo import seed, texts
from annotate.services.runs import schedule
from training import records


class Command(BaseCommand):
    help = "Make the demo's projects, or one of your own file; with --up, start the site as well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="start with this file instead of the demo's texts")
        parser.add_argument("--oracle", type=int, default=0, metavar="N", help="give N known answers")
        parser.add_argument(
            "--project", default=seed.SENTIMENT, help="the project that the oracle answers in"
        )
        parser.add_argument("--up", action="store_true", help="start the site afterwards, until Ctrl-C")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not options["up"]:
                preparation.migrate()
                self._write(self._prepare(options))
                return
            host, port = options["host"], options["port"]
            stood = site.run(
                settings.HOME, host, port, write=self._write, prepare=lambda: self._prepare(options)
            )
        except (claims.Taken, preparation.NotStarted, texts.Unavailable, seed.Unanswerable) as error:
            raise CommandError(str(error)) from error
        except records.FileError as error:
            raise CommandError(f"{error} Nothing was imported.") from error
        if not stood:
            raise CommandError("The site stopped because a program that it needs does not stay up.")

    def _prepare(self, options: dict[str, Any]) -> str:
        lead, password = seed.ensure_lead()
        if options["file"]:
            self._seed_file(options["file"], lead)
        else:
            self._seed(lead)
        if options["oracle"]:
            self._answer(options["project"], options["oracle"])
        if password:
            return f"\nLog in as {lead.username} with the password {password} (shown this once)."
        return f"\nLog in as {lead.username}. Password lost? manage.py changepassword {lead.username}"

    def _seed(self, lead: User) -> None:
        missing = [
            slug for slug in (seed.SENTIMENT, seed.TOPICS) if not Project.objects.filter(slug=slug).exists()
        ]
        if not missing:
            return
        rated = list(texts.read(texts.archive(settings.HOME / "demo")))
        for slug in missing:
            project = seed.ensure_project(slug=slug, by=lead, rated=rated)
            self._write(f"Project “{project}” has {project.documents.count():,} texts.")

    def _seed_file(self, path: Path, lead: User) -> None:
        project, counts = seed.ensure_file_project(path=path, by=lead)
        self._write(f"Project “{project}”: {counts.created:,} new texts of {counts.rows:,} rows in {path}.")
        for number, reason in counts.problems[:5]:
            self._write(f"  row {number}: {reason}")
        if not project.labels.live().exists():
            self._write("The file has no label column: name the labels on the project's page.")

    def _answer(self, slug: str, wanted: int) -> None:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project “{slug}”; run the demo without --oracle first.")
        oracle = seed.ensure_oracle(project=project)
        given = 0
        while given < wanted and seed.answer_next(project=project, oracle=oracle):
            given += 1
        self._write(f"The oracle gave {given} answers in “{project}”.")
        schedule.open_if_due(project=project)  # the site's tick wakes a worker, now or when it is started

    def _write(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
