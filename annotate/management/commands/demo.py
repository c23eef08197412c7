from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate import tasks
from annotate.embedded import claims, preparation, site
from annotate.embedded.learning import SiteLearning
from annotate.models import Project
from annotate.outages.console import Console
from annotate.services.demo import oracle, seed, texts
from training import records


class Command(BaseCommand):
    help = "Make the demo's projects, or one of your own file; with --up, start the site as well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="start with this file instead of the demo's texts")
        parser.add_argument(
            "--oracle", type=int, default=0, metavar="N", help="give N known answers, a model after each step"
        )
        parser.add_argument("--project", default=seed.KIND, help="the project that the oracle answers in")
        parser.add_argument("--up", action="store_true", help="start the site afterwards, until Ctrl-C")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        self._write = Console(self.stdout)
        wanted, slug = options["oracle"], options["project"]
        try:
            if options["up"]:
                beside = ["demo", "--oracle", str(wanted), "--project", slug] if wanted else []
                prepare = partial(self._prepare, options)
                site.run(settings.HOME, options["host"], options["port"], prepare=prepare, beside=beside)
            preparation.migrate()
            self._write(self._prepare(options))
            if wanted:
                self._answer(slug, wanted)
        except (claims.Taken, preparation.NotStarted, texts.Unavailable, oracle.Unanswerable) as error:
            raise CommandError(str(error)) from error
        except records.FileError as error:
            raise CommandError(f"{error} Nothing was imported.") from error
        except KeyboardInterrupt as stopped:
            raise CommandError("Stopped. What was answered until now is kept.") from stopped

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
            missing = [slug for slug in seed.PROJECTS if not Project.objects.filter(slug=slug).exists()]
            rated = list(texts.read(texts.archive(settings.HOME / "demo"))) if missing else []
            for slug in missing:
                project = seed.ensure_project(slug=slug, by=lead, rated=rated)
                self._write(f"Project “{project}” has {project.documents.count():,} texts.")
        if options["oracle"] and not Project.objects.filter(slug=options["project"]).exists():
            raise CommandError(
                f"There is no project “{options['project']}”; run the demo without --oracle first."
            )
        if password:
            return f"\nLog in as {lead.username} with the password {password} (shown this once)."
        return f"\nLog in as {lead.username}. Password lost? manage.py changepassword {lead.username}"

    def _answer(self, slug: str, wanted: int) -> None:
        project = Project.objects.get(slug=slug)
        annotator = oracle.ensure(project=project)
        learning = SiteLearning(project, settings.HOME, wake=tasks.wake, write=self._write)
        learning.begin()
        given = oracle.answer_in_steps(
            project=project, oracle=annotator, wanted=wanted, learn=learning.after_step
        )
        self._write(f"The oracle gave {given} answers in “{project}”.")
        learning.end()
