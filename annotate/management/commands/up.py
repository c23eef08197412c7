from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate.embedded import claims, preparation, site


class Command(BaseCommand):
    help = "Start the whole site: broker, web, workers and beat, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        try:
            site.run(settings.HOME, host, port, prepare=lambda: "")
        except (claims.Taken, preparation.NotStarted) as error:
            raise CommandError(str(error)) from error
