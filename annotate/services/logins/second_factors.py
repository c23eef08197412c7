"""The second step of a login: a code of an app, one that was written down, or a passkey."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlsplit

import pyotp
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import AuthenticatorApp, Passkey, RecoveryCode, User
from annotate.models.events import EventKind
from annotate.models.jobs import MailKind
from annotate.services import events, sealing
from annotate.services.people import notices, sessions
from annotate.services.people.api_keys import digest
from annotate.services.projects.refused import Refused

STEP_SECONDS = 30
TOLERATED = 1  # steps before and after the present one, as clocks differ and people type slowly
RECOVERY_CODES = 10
# Wrong codes of an app in a row, over however long: whoever has the password alone guesses one of a million
# with three of them right at a time, so that a hundred guesses find it once in 3,000 trials.
MOST_WRONG = 100
SHOWN = "second_factor_shown"  # in a session, whether one was shown since it began


def has_any(user: User) -> bool:
    apps, keys = AuthenticatorApp.objects.filter(user=user), Passkey.objects.filter(user=user)
    return apps.exists() or keys.exists()


def is_wanting(session: SessionBase) -> bool:
    """Tell whether a session was begun without what the site asks of everybody by now."""
    return settings.SECOND_FACTOR_REQUIRED and not session.get(SHOWN, False)


def takes_codes(user: User) -> bool:
    """Tell whether there is any code that `user` could type."""
    codes = RecoveryCode.objects.filter(user=user, used_at=None)
    return AuthenticatorApp.objects.filter(user=user).exists() or codes.exists()


def new_secret() -> str:
    return pyotp.random_base32()


def app_uri(user: User, secret: str) -> str:
    """Return what an app reads from the picture: the secret, and whose it is on which site."""
    site = urlsplit(settings.SITE_URL).hostname
    issuer = f"Winnow ({site})" if site else "Winnow"
    return pyotp.TOTP(secret).provisioning_uri(name=user.get_username(), issuer_name=issuer)


@transaction.atomic
def add_app(*, user: User, secret: str, code: str, session: SessionBase) -> list[str]:
    """Let an app's codes be the second step from now on; return new recovery codes where there are none.

    Sessions elsewhere, which were begun without it, end. Raises `Refused` where the code is not the app's.
    """
    step = _step_of(secret, code)
    if step is None:
        raise Refused(_("This is not the app's code. Look whether its clock is right, and try the next."))
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if AuthenticatorApp.objects.filter(user=user).exists():
        raise Refused(_("An app is set up already. Remove it first."))
    AuthenticatorApp.objects.create(user=user, sealed_secret=sealing.seal(secret), last_step=step)
    return added(user, "app", session)


def added(user: User, what: str, session: SessionBase) -> list[str]:
    """Record a new factor and end the sessions elsewhere; return recovery codes where there are none."""
    events.record(EventKind.SECOND_FACTOR_ADDED, by=user, subject=user.get_username(), what=what)
    security_log.record("second-factor-added", user=user.get_username(), what=what)
    notices.tell(user, MailKind.FACTOR_ADDED)
    sessions.end(sessions.open_of(user).exclude(session_key=session.session_key))
    session[SHOWN] = True
    return [] if RecoveryCode.objects.filter(user=user).exists() else _new_codes(user)


@transaction.atomic
def renew_codes(*, user: User) -> list[str]:
    """Return new recovery codes, which are shown once and stored as digests; those of before end."""
    notices.tell(user, MailKind.CODES_MADE)
    return _new_codes(user)


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [f"{secrets.token_hex(4)}-{secrets.token_hex(4)}" for _number in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=digest(code)) for code in codes)
    events.record(EventKind.RECOVERY_CODES_MADE, by=user, subject=user.get_username())
    security_log.record("recovery-codes-made", user=user.get_username())
    return codes


@transaction.atomic
def remove_app(*, user: User) -> None:
    """Take the app away; with the last factor the recovery codes go, too."""
    if AuthenticatorApp.objects.filter(user=user).delete()[0]:
        removed(user=user, by=user, what="app")


def removed(*, user: User, by: User | None, what: str) -> None:
    """Record that a factor was taken away, and forget the recovery codes where none is left.

    Raises `Refused` where somebody takes their own last one away and the site wants everybody to have one.
    """
    is_left = has_any(user)
    if settings.SECOND_FACTOR_REQUIRED and user == by and not is_left:
        raise Refused(_("On this site everybody has a second factor. Add another one first."))
    events.record(EventKind.SECOND_FACTOR_REMOVED, by=by, subject=user.get_username(), what=what)
    security_log.record("second-factor-removed", user=user.get_username(), what=what, by=by or "")
    notices.tell(user, MailKind.FACTOR_REMOVED)
    if not is_left:
        RecoveryCode.objects.filter(user=user).delete()


@transaction.atomic
def take_all(*, user: User, by: User | None) -> bool:
    """Take every factor of somebody who has lost theirs, and end their sessions; False where none is."""
    if not has_any(user):
        return False
    AuthenticatorApp.objects.filter(user=user).delete()
    Passkey.objects.filter(user=user).delete()
    sessions.end_all(user)
    removed(user=user, by=by, what="all")
    return True


def is_right(user: User, code: str) -> bool:
    """Use a code up, if it is one: of the app, or a recovery code. None works twice."""
    plain = "".join(code.split()).lower()
    if plain.isascii() and plain.isdigit():
        return _is_of_app(user, plain)
    used = RecoveryCode.objects.filter(user=user, digest=digest(plain), used_at=None)
    if not has_any(user) or not used.update(used_at=timezone.now()):
        return False
    AuthenticatorApp.objects.filter(user=user).update(wrong_in_a_row=0)
    security_log.record("recovery-code-used", user=user.get_username())
    return True


def is_shut(user: User) -> bool:
    """Tell whether too many wrong codes were sent for any other to be looked at."""
    return AuthenticatorApp.objects.filter(user=user, wrong_in_a_row__gte=MOST_WRONG).exists()


def _is_of_app(user: User, code: str) -> bool:
    app = AuthenticatorApp.objects.filter(user=user).first()
    if app is None:
        return False
    mine = AuthenticatorApp.objects.filter(pk=app.pk, wrong_in_a_row__lt=MOST_WRONG)
    step = _step_of(sealing.unseal(app.sealed_secret), code)
    # NB: one statement decides, so that of two who send the same code at once one gets in.
    if step is not None and mine.filter(last_step__lt=step).update(last_step=step, wrong_in_a_row=0):
        return True
    mine.update(wrong_in_a_row=F("wrong_in_a_row") + 1)
    return False


def _step_of(secret: str, code: str) -> int | None:
    """Return the step of which `code` is the app's; None where it is that of none."""
    if not secret:
        return None
    app, now = pyotp.TOTP(secret), int(time.time()) // STEP_SECONDS
    steps = range(now - TOLERATED, now + TOLERATED + 1)
    right = [step for step in steps if constant_time_compare(app.generate_otp(step), "".join(code.split()))]
    return right[-1] if right else None


class SecondFactorBackend(BaseBackend):
    """Takes the second step as Django takes a password, so that axes counts wrong ones and locks the door."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str, second_factor: str
    ) -> User | None:
        user = User.objects.filter(username=username, is_active=True, is_machine=False).first()
        return user if user is not None and is_right(user, second_factor) else None
