"""Take a lost second factor away, where no other administrator can."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate.models import User
from annotate.services.logins import second_factors


class Command(BaseCommand):
    help = "Let somebody who has lost their second factor in by their password alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"], is_machine=False).first()
        if user is None:
            raise CommandError(f"There is nobody called {options['name']}.")
        if not second_factors.take_all(user=user, by=None):
            raise CommandError(f"{user} has no second factor.")
        self.stdout.write(f"{user} logs in by their password alone now. Their sessions have ended.")
