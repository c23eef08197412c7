"""Logins, refused ones and logouts in the security log, whichever page they happen on."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from annotate import security_log
from annotate.services.people.addresses import client_address


@receiver(user_logged_in)
def log_login(request: HttpRequest, user: Any, **_: Any) -> None:
    security_log.record("login", user=user.get_username(), address=client_address(request))


@receiver(user_logged_out)
def log_logout(request: HttpRequest, user: Any, **_: Any) -> None:
    name = user.get_username() if user else ""
    security_log.record("logout", user=name, address=client_address(request))


@receiver(user_login_failed)
def log_refusal(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """NB: axes refuses before the password is looked at, and says so on the request."""
    is_locked = bool(getattr(request, "axes_locked_out", False))
    event = "login-locked" if is_locked else "login-refused"
    address = client_address(request) if request is not None else None
    security_log.record(event, user=credentials.get("username"), address=address)
