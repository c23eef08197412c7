"""Mails that tell a person what was changed in how they log in, so that they see it where it was not they."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import get_language

from annotate.models import Mail, User
from annotate.models.jobs import MailKind


def tell(user: User, kind: MailKind) -> None:
    """Have a mail written to the address of an account, where there are one and a mail server.

    The row goes with the change that it tells of, in one transaction; the sweeper wakes a worker for it.
    """
    if not settings.EMAIL_HOST or not user.email or not user.is_active:
        return
    language = user.language or get_language() or settings.LANGUAGE_CODE
    Mail.objects.create(kind=kind, to=user.email, language=language, asked_by=user)
