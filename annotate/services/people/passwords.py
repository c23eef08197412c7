"""What ends with a password: everything that was opened by it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import User
from annotate.models.jobs import MailKind
from annotate.services.people import api_keys, notices, sessions


class EndsWhatItOpened:
    """A validator that finds no fault. Django tells it of each new password, wherever that was set.

    A session carries a digest of the password that it began with, so that it would end by itself; that its
    row goes as well keeps it out of the list of a person's sessions.
    """

    def validate(self, password: str, user: Any = None) -> None:
        pass

    def get_help_text(self) -> str:
        return _("A new password ends all your API keys, and your sessions in other browsers.")

    def password_changed(self, password: str, user: Any = None) -> None:
        if isinstance(user, User):
            ended = api_keys.end(user.api_keys.all())
            sessions.end_all(user)
            notices.tell(user, MailKind.PASSWORD_CHANGED)
            security_log.record("password-changed", user=user.get_username(), keys_ended=ended)
