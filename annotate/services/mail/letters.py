"""What each kind of mail says. Tokens of links are made as the mail is handed over, and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from annotate.models import Mail, User
from annotate.models.jobs import MailKind
from annotate.services.people import email_addresses, invitations, password_links

MOST_ACCOUNTS = 5  # of one address; more than a few are no person's
LONGEST_SUBJECT = 150


class Unsendable(Exception):
    """There is nothing to send any more, or nobody takes it; the message is a sentence for the lead."""


@dataclass(frozen=True, slots=True)
class Letter:
    to: str
    subject: str
    text: str


def write(row: Mail) -> list[Letter]:
    """Return what a row is to send, in the language that it was asked for in.

    Raises `Unsendable`, in English, where what it is about has ended meanwhile.
    """
    with translation.override(row.language):
        letters = WRITERS[MailKind(row.kind)](row)
    return [Letter(each.to, " ".join(each.subject.split())[:LONGEST_SUBJECT], each.text) for each in letters]


def _link(name: str, token: str) -> str:
    """Return a link by the site's own address: what a request calls the host, anybody may have written."""
    return settings.SITE_URL + reverse(name, args=[token])


def _for_password(row: Mail) -> list[Letter]:
    """Write to whoever has an account of the name or the address that was typed, if anybody has.

    NB: to the address of the account, not to the one typed: letters that look alike, or whose capitals are
    alike, are found as well.
    """
    people = User.objects.filter(is_active=True, is_machine=False).exclude(email="")
    found = people.filter(Q(username=row.to) | Q(email__iexact=row.to)).order_by("pk")[:MOST_ACCOUNTS]
    return [_password_letter(user) for user in found]


def _password_letter(user: User) -> Letter:
    link = _link("password-link", password_links.issue(user=user, by=None))
    return Letter(
        user.email,
        _("New password for Winnow"),
        _(
            "Somebody, probably you, has asked for a new password for the account “%(user)s” on %(site)s.\n\n"
            "This link lets you set one, once and within a day:\n%(link)s\n\n"
            "If it was not you, do nothing: your password stays as it is."
        )
        % {"user": user.get_username(), "site": settings.SITE_URL, "link": link},
    )


def _invitation(row: Mail) -> list[Letter]:
    invitation = row.invitation
    token = invitations.renew(invitation) if invitation is not None else ""
    if invitation is None or not token:
        with translation.override(settings.LANGUAGE_CODE):  # what is stored is English
            raise Unsendable(_("The invitation was used, taken back or had run out before it was sent."))
    project = invitation.project.name
    return [
        Letter(
            row.to,
            _("Invitation to “%(project)s”") % {"project": project},
            _(
                "%(by)s invites you to label texts in the project “%(project)s” on %(site)s.\n\n"
                "This link lets you in, once and until %(until)s:\n%(link)s\n\n"
                "If you do not know what this is about, do nothing."
            )
            % {
                "by": invitation.invited_by.get_username(),
                "project": " ".join(project.split()),
                "site": settings.SITE_URL,
                "until": formats.date_format(
                    timezone.localtime(invitation.expires_at), "SHORT_DATETIME_FORMAT"
                ),
                "link": _link("invitation", token),
            },
        )
    ]


def _address(row: Mail) -> list[Letter]:
    token = email_addresses.renew(row.address_link) if row.address_link is not None else ""
    if row.address_link is None or not token:
        with translation.override(settings.LANGUAGE_CODE):
            raise Unsendable(_("The change of address was replaced or had run out before it was sent."))
    return [
        Letter(
            row.to,
            _("Confirm your e-mail address for Winnow"),
            _(
                "The account “%(user)s” on %(site)s wants this e-mail address.\n\n"
                "This link confirms it, once and within a day:\n%(link)s\n\n"
                "If it was not you, do nothing: the account does not get this address."
            )
            % {
                "user": row.address_link.user.get_username(),
                "site": settings.SITE_URL,
                "link": _link("address-link", token),
            },
        )
    ]


def _address_changed(row: Mail) -> list[Letter]:
    name = row.asked_by.get_username() if row.asked_by else ""
    return [
        Letter(
            row.to,
            _("Your account has another e-mail address"),
            _(
                "The account “%(user)s” on %(site)s has another e-mail address now, and nothing more is sent "
                "to this one.\n\nIf it was not you, tell an administrator of the site at once."
            )
            % {"user": name, "site": settings.SITE_URL},
        )
    ]


def _login_changed(row: Mail) -> list[Letter]:
    name = row.asked_by.get_username() if row.asked_by else ""
    subjects = {
        MailKind.FACTOR_ADDED: _("A second factor was added to your account"),
        MailKind.FACTOR_REMOVED: _("A second factor was removed from your account"),
        MailKind.CODES_MADE: _("New recovery codes were made for your account"),
        MailKind.PASSWORD_CHANGED: _("The password of your account was changed"),
    }
    subject = subjects[MailKind(row.kind)]
    text = _(
        "%(what)s: “%(user)s” on %(site)s, at %(when)s.\n\n"
        "If it was not you, tell an administrator of the site at once."
    ) % {
        "what": subject,
        "user": name,
        "site": settings.SITE_URL or "Winnow",
        "when": formats.date_format(timezone.localtime(row.created_at), "SHORT_DATETIME_FORMAT"),
    }
    return [Letter(row.to, subject, text)]


def _of_project(row: Mail, address: str) -> dict[str, str]:
    """Return the name of a mail's project, and the link to one of its pages."""
    if row.project is None or row.project.deleted_at is not None:
        with translation.override(settings.LANGUAGE_CODE):
            raise Unsendable(_("The project was deleted before the mail was sent."))
    name = " ".join(row.project.name.split())
    return {"project": name, "link": settings.SITE_URL + reverse(address, args=[row.project.slug])}


def _drift(row: Mail) -> list[Letter]:
    about = _of_project(row, "drift")
    return [
        Letter(
            row.to,
            _("Drift in “%(project)s”") % about,
            _(
                "Programs ask the model of the project “%(project)s” about other texts than usual.\n\n"
                "What has moved, and what to do:\n%(link)s"
            )
            % about,
        )
    ]


def _webhook_off(row: Mail) -> list[Letter]:
    about = _of_project(row, "webhooks")
    return [
        Letter(
            row.to,
            _("A webhook of “%(project)s” was switched off") % about,
            _(
                "A webhook of the project “%(project)s” took nothing for a day, or said that it wants no "
                "more, and is told nothing since.\n\n"
                "What it answered last, and how it is switched on again:\n%(link)s"
            )
            % about,
        )
    ]


WRITERS: Mapping[MailKind, Callable[[Mail], list[Letter]]] = {
    MailKind.PASSWORD: _for_password,
    MailKind.INVITATION: _invitation,
    MailKind.ADDRESS: _address,
    MailKind.ADDRESS_CHANGED: _address_changed,
    MailKind.DRIFT: _drift,
    MailKind.WEBHOOK_OFF: _webhook_off,
    MailKind.FACTOR_ADDED: _login_changed,
    MailKind.FACTOR_REMOVED: _login_changed,
    MailKind.CODES_MADE: _login_changed,
    MailKind.PASSWORD_CHANGED: _login_changed,
}
