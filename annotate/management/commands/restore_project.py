from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError

from annotate import tasks
from annotate.models import User
from annotate.models.work import WorkState
from annotate.services.archives import job
from annotate.services.archives.reading import ArchiveError


class Command(BaseCommand):
    help = "Restore a project from an archive that the export page has written, however large it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--lead", help="the username of who leads it; nobody does unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        lead = (
            User.objects.filter(username=options["lead"], is_active=True).first() if options["lead"] else None
        )
        if options["lead"] and lead is None:
            raise CommandError(f"There is no account called {options['lead']!r}.")
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                row = job.begin(file=File(file), name=path.name, by=lead)
        except OSError as error:
            raise CommandError(f"{path} could not be read: {error.strerror}.") from error
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        opened = job.run(row.pk)
        row.refresh_from_db()
        if row.state != WorkState.SUCCEEDED or row.project is None:
            raise CommandError(row.error or "The restoration was taken over by a worker; see the log.")
        tasks.wake(opened)
        found = row.found
        self.stdout.write(
            f"{row.project.slug}: {found['documents']:,} documents, {found['annotations']:,} annotations, "
            f"{found['versions']} versions; {len(found['placeholders'])} accounts nobody can log in to."
        )
