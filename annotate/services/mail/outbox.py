"""Mails are rows: a request asks for one, and a worker hands it to the mail server, once that is there."""

from __future__ import annotations

import smtplib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import AddressLink, Invitation, Mail, Project, User
from annotate.models.jobs import MailKind
from annotate.models.members import Role
from annotate.models.work import WorkState
from annotate.services.mail import letters
from annotate.services.mail.letters import Letter, Unsendable
from annotate.services.people import email_addresses, invitations
from annotate.services.projects import quotas
from annotate.services.projects.refused import Refused
from annotate.services.work import lease
from annotate.services.work.perform import perform

HOUR = timedelta(hours=1)
# Mails for a forgotten password within an hour: to one account, and asked for from one address, which may be
# that of a whole office.
OF_AN_ACCOUNT = 3
OF_AN_ADDRESS = 20
GIVEN_UP_AFTER = timedelta(days=1)
SOONEST, LATEST = 30, 900  # seconds until a server that was away is asked again
LONGEST_ANSWER = 200  # characters that are shown of what a server said


def is_configured() -> bool:
    return bool(settings.EMAIL_HOST)


def ask_for_password(*, typed: str, address: str | None) -> list[Mail]:
    """Ask for a mail to whoever has the account of a name or an address; the caller wakes a worker.

    Nothing here depends on whether there is such an account: the worker looks. Raises `Refused` where
    somebody has asked too often; where many have asked for one account, its person has mails enough.
    """
    recent = Mail.objects.filter(kind=MailKind.PASSWORD, created_at__gt=timezone.now() - HOUR)
    security_log.record("password-mail-asked", user=typed, address=address)
    if recent.filter(asked_from=address).count() >= OF_AN_ADDRESS:
        raise Refused(_("From here many mails were asked for within an hour. Wait, or ask an administrator."))
    if recent.filter(to__iexact=typed).count() >= OF_AN_ACCOUNT:
        return []
    return [_ask(MailKind.PASSWORD, typed, asked_from=address)]


@transaction.atomic
def invite(
    *, project: Project, by: User, by_mail: bool, **wanted: Any
) -> tuple[list[tuple[Invitation, str]], list[Mail]]:
    """Invite people, by mail those who are given as an address; return their invitations, and the mails."""
    issued = invitations.issue(project=project, by=by, by_mail=by_mail and is_configured(), **wanted)
    return issued, send_invitations(by=by, rows=[row for row, _token in issued if row.address])


@transaction.atomic
def send_invitations(*, by: User, rows: Iterable[Invitation]) -> list[Mail]:
    """Ask for the mails of invitations; what an earlier mail's link opened, the new one's opens alone."""
    wanted = list(rows)
    quotas.check_mails(by, len(wanted))
    return [_ask(MailKind.INVITATION, row.address, asked_by=by, invitation=row) for row in wanted]


@transaction.atomic
def confirm_address(*, user: User, address: str) -> list[Mail]:
    """Ask for the mail by whose link a person's address becomes `address`."""
    quotas.check_mails(user, 1)
    link = email_addresses.propose(user=user, address=address)
    return [_ask(MailKind.ADDRESS, address, asked_by=user, address_link=link)]


@transaction.atomic
def change_address(link: AddressLink) -> list[Mail]:
    """Give a person the address that they have confirmed, and have the former one told."""
    former = email_addresses.confirm(link)
    is_told = former and is_configured() and former.casefold() != link.address.casefold()
    return [_ask(MailKind.ADDRESS_CHANGED, former, asked_by=link.user)] if is_told else []


@transaction.atomic
def tell_leads(project: Project, kind: MailKind) -> list[Mail]:
    """Have a project's leads told of what happened, each in their language, where they have an address."""
    if not is_configured():
        return []
    leads = User.objects.filter(memberships__project=project, memberships__role=Role.LEAD, is_active=True)
    with_address = leads.exclude(email="").order_by("pk")
    return [_ask(kind, lead.email, project=project, language=lead.language) for lead in with_address]


def _ask(kind: MailKind, to: str, *, language: str = "", **about: Any) -> Mail:
    language = language or get_language() or settings.LANGUAGE_CODE
    return Mail.objects.create(kind=kind, to=to, language=language, woken_at=timezone.now(), **about)


def run(mail_id: int) -> list[Mail]:
    """Hand a mail over, unless it was put off until later."""
    if Mail.objects.due().filter(pk=mail_id).exists():
        perform(Mail, mail_id, _send, refusals=(Unsendable,))
    return []  # nothing follows


def _send(row: Mail) -> None:
    written = letters.write(row)
    try:
        _hand_over(written)
    except OSError as error:  # smtplib's errors are of this kind, too
        if not _may_pass(error):
            raise Unsendable(
                _("The mail server refused the mail: %(why)s") % {"why": _told(error)}
            ) from error
        _put_off(row, error)


def _hand_over(written: list[Letter]) -> None:
    if not written:
        return
    with get_connection() as connection:
        for letter in written:
            EmailMessage(
                letter.subject,
                letter.text,
                to=[letter.to],
                connection=connection,
                headers={"Auto-Submitted": "auto-generated"},
            ).send()


def _may_pass(error: OSError) -> bool:
    """Tell whether to try again later may help: a server is away, or has asked for that by its answer."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code < 500 for code, _said in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    return isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)


def _told(error: OSError) -> str:
    """Return what a server said, as far as it is fit to be shown."""
    said: object = error.strerror or str(error)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        said = b" ".join(said for _code, said in error.recipients.values())
    elif isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_ANSWER]


def _put_off(row: Mail, error: OSError) -> None:
    """Try again later, after half of the time that the mail has waited already.

    Where nobody answered at all, the other mails wait with it, so that they do not each wait for an answer.
    """
    age = timezone.now() - row.created_at
    if age > GIVEN_UP_AFTER:
        raise Unsendable(
            _("The mail server took nothing for a day: %(why)s") % {"why": _told(error)}
        ) from error
    seconds = min(max(age.total_seconds() / 2, SOONEST), LATEST)
    why = _("The mail server is away, and is tried again: %(why)s") % {"why": _told(error)}
    lease.put_off(row=row, seconds=seconds, why=why)
    if not isinstance(error, smtplib.SMTPException):
        then = timezone.now() + timedelta(seconds=seconds)
        others = Mail.objects.due().filter(state=WorkState.QUEUED)
        others.update(queued_at=then, woken_at=then, error=why)
