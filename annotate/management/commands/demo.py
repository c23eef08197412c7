from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate.embedded import claims, preparation, site
from annotate.models import Project
from annotate.outages.console import Console
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
        self._write = Console(self.stdout)
        try:
            if not options["up"]:
                preparation.migrate()
                self._write(self._prepare(options))
                return
            site.run(settings.HOME, options["host"], options["port"], prepare=lambda: self._prepare(options))
        except (claims.Taken, preparation.NotStarted, texts.Unavailable, seed.Unanswerable) as error:
            raise CommandError(str(error)) from error
        except records.FileError as error:
            raise CommandError(f"{error} Nothing was imported.") from error

    def _prepare(self, options: dict[str, Any]) -> str:
        lead, password = seed.ensure_lead()
        if options["file"]:
            project, counts = seed.ensure_file_project(path=options["file"], by=lead)
            read = f"{counts.created:,} new texts of {counts.rows:,} rows in {options['file']}"
            self._write(f"Project “{project}”: {read}.")
            for number, reason in counts.problems[:5]:
                self._write(f"  row {number}: {reason}")
            if not project.labels.live().exists():
                self._write("The file has no label column: name the labels on the project's page.")
        else:
            slugs = (seed.SENTIMENT, seed.TOPICS)
            missing = [slug for slug in slugs if not Project.objects.filter(slug=slug).exists()]
            rated = list(texts.read(texts.archive(settings.HOME / "demo"))) if missing else []
            for slug in missing:
                project = seed.ensure_project(slug=slug, by=lead, rated=rated)
                self._write(f"Project “{project}” has {project.documents.count():,} texts.")
        if wanted := options["oracle"]:
            asked = Project.objects.filter(slug=options["project"]).first()
            if asked is None:
                raise CommandError(
                    f"There is no project “{options['project']}”; run the demo without --oracle first."
                )
            oracle = seed.ensure_oracle(project=asked)
            given = 0
            while given < wanted and seed.answer_next(project=asked, oracle=oracle):
                given += 1
            self._write(f"The oracle gave {given} answers in “{asked}”.")
            schedule.open_if_due(project=asked)  # the site's tick wakes a worker, now or when it is started
        if password:
            return f"\nLog in as {lead.username} with the password {password} (shown this once)."
        return f"\nLog in as {lead.username}. Password lost? manage.py changepassword {lead.username}"
