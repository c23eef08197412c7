"""Finds settings that can be read but would not work or would not be safe, at every start and in `check`."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from email.utils import parseaddr
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http.request import split_domain_port, validate_host

from annotate.services.versions.variants import RESERVED, TUNED
from annotate.task_types import TASK_TYPES
from training.llm.asking import check_concurrency
from training.llm.client import Endpoint
from training.registry import CHOOSER, ENCODER_TUNER, FAMILIES, STRATEGIES
from training.tasks import TASKS
from training.types import TrainingError

SHORTEST_KEY = 32
ENGINES = {"django.db.backends.sqlite3", "django.db.backends.postgresql"}
BROKER_SCHEMES = {"redis", "rediss", "unix"}
Apps = Sequence[AppConfig] | None


@register(Tags.security)
def secret_key_is_long(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEBUG or len(settings.SECRET_KEY) >= SHORTEST_KEY:
        return []
    hint = "Leave SECRET_KEY empty to let this installation make one, or set 50 random characters."
    return [Warning(f"SECRET_KEY has fewer than {SHORTEST_KEY} characters.", hint=hint, id="annotate.W001")]


@register(Tags.security)
def some_host_is_allowed(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEBUG or settings.ALLOWED_HOSTS:
        return []
    hint = "Name the site's hosts, with commas between them: ALLOWED_HOSTS=label.example.org"
    return [Error("ALLOWED_HOSTS is empty: every request is refused.", hint=hint, id="annotate.E002")]


@register(Tags.security)
def https_behind_a_proxy_can_send_forms(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.HTTPS:
        return []
    found: list[CheckMessage] = []
    if settings.SECURE_PROXY_SSL_HEADER is None:
        hint = "Set WINNOW_BEHIND_PROXY=1 if a proxy speaks HTTPS and sets X-Forwarded-Proto itself."
        message = "WINNOW_HTTPS is on, but no proxy is believed: plain requests are redirected for ever."
        found.append(Warning(message, hint=hint, id="annotate.W003"))
    elif not settings.CSRF_TRUSTED_ORIGINS:
        hint = "Name the address that browsers show: CSRF_TRUSTED_ORIGINS=https://label.example.org"
        message = (
            "WINNOW_HTTPS is on behind a proxy, and CSRF_TRUSTED_ORIGINS is empty: forms may be refused."
        )
        found.append(Warning(message, hint=hint, id="annotate.W004"))
    return found


@register(Tags.database)
def database_is_known(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine in ENGINES:
        return []
    hint = "Use sqlite:///… or postgres://user:password@host/name."
    return [Error(f"DATABASE_URL names the engine {engine}.", hint=hint, id="annotate.E005")]


@register()
def broker_is_known(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    scheme = urlsplit(settings.REDIS_URL).scheme
    if scheme in BROKER_SCHEMES:
        return []
    hint = "Use redis://host:6379/0, rediss://… with TLS, or unix:///path; empty: the embedded broker."
    return [Error(f"REDIS_URL has the scheme “{scheme}”.", hint=hint, id="annotate.E006")]


@register()
def home_can_be_written(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    home: Path = settings.HOME
    standing = next(folder for folder in (home, *home.parents) if folder.exists())
    if standing.is_dir() and os.access(standing, os.W_OK | os.X_OK):
        return []
    hint = "Give this user the folder, or name another one in WINNOW_HOME."
    return [Error(f"Winnow cannot write to {home}.", hint=hint, id="annotate.E007")]


@register(Tags.security)
def home_is_private(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    home: Path = settings.HOME
    if not home.is_dir() or not home.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return []
    hint = (
        f"Close it: chmod 700 {home}. `manage.py up` does so at its start where the folder is its user's own."
    )
    return [Warning(f"Other users of this machine can look into {home}.", hint=hint, id="annotate.W012")]


@register()
def checkpoints_can_be_told_apart(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if TUNED not in settings.CHECKPOINTS:
        return []
    hint = f"Write ./{TUNED} for a folder of that name."
    message = f"WINNOW_CHECKPOINTS names “{TUNED}”, which stands for the encoder that a project tunes."
    return [Error(message, hint=hint, id="annotate.E009")]


@register()
def families_fit_the_site(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Look at what the registry cannot know: the site's own words, and the files that are installed."""
    found: list[CheckMessage] = []
    for family in FAMILIES.values():
        for name in sorted(set(RESERVED) & set(family.usual)):
            message = f"The family “{family.title}” has an option “{name}”, which means another thing here."
            found.append(Error(message, hint="Rename it in training/registry.py.", id="annotate.E010"))
    for entry in (*FAMILIES.values(), *STRATEGIES.values(), CHOOSER, ENCODER_TUNER):
        module = entry.path.partition(":")[0]
        if not _is_there(module):
            message = f"“{entry.title}” cannot be loaded: there is no module {module}."
            found.append(Error(message, hint="Mend its path in training/registry.py.", id="annotate.E011"))
    return found


def _is_there(module: str) -> bool:
    """Look for a module; this imports the packages that hold it, never the module itself."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # one of the packages is not there
        return False


@register()
def tasks_have_both_halves(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """A task of the site is an object of `training.tasks`, and its twin here has the same key."""
    found: list[CheckMessage] = []
    for key in sorted({*TASK_TYPES} - {*TASKS}):
        message = (
            f"The task “{key}” has one half only: it is not in the registry of training/tasks/__init__.py."
        )
        found.append(Error(message, hint="Add its other half there.", id="annotate.E012"))
    for key, kind in TASK_TYPES.items():
        if key in TASKS and kind.task is not TASKS[key]:
            message = f"The task “{key}” of the site is another object than that of training.tasks."
            found.append(Error(message, hint="Let the twin's `task` be that object.", id="annotate.E012"))
    return found


@register()
def mail_can_be_sent(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Look at what mails need besides a server: whom they are from, and where their links lead."""
    if not settings.EMAIL_HOST:
        return []
    found: list[CheckMessage] = []
    try:
        validate_email(parseaddr(settings.DEFAULT_FROM_EMAIL)[1])
    except ValidationError:
        message = f"EMAIL_URL is set, and EMAIL_FROM is no address: “{settings.DEFAULT_FROM_EMAIL}”."
        hint = "Name whom mails are from: EMAIL_FROM='Winnow <winnow@example.org>'"
        found.append(Error(message, hint=hint, id="annotate.E013"))
    if message := _unreachable(settings.SITE_URL):
        hint = "Name the address that browsers show: WINNOW_URL=https://label.example.org"
        found.append(Error(f"EMAIL_URL is set, and {message}", hint=hint, id="annotate.E014"))
    if settings.EMAIL_HOST_PASSWORD and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        message = "EMAIL_URL sends its password over the network in clear."
        hint = "Use smtp+starttls:// or smtps://, unless the server is this machine."
        found.append(Warning(message, hint=hint, id="annotate.W015"))
    return found


@register()
def another_site_can_be_asked(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Look at what a login by another site needs, and at who gets in by it."""
    if not settings.OIDC_ISSUER:
        return []
    found: list[CheckMessage] = []
    issuer = urlsplit(settings.OIDC_ISSUER)
    if issuer.scheme != "https" and issuer.hostname not in {"localhost", "127.0.0.1"}:
        hint = "Name it as the other site does: WINNOW_OIDC_ISSUER=https://accounts.example.org"
        found.append(Error("WINNOW_OIDC_ISSUER is no https:// address.", hint=hint, id="annotate.E016"))
    if not settings.OIDC_CLIENT_ID or not settings.OIDC_CLIENT_SECRET:
        hint = "Set WINNOW_OIDC_CLIENT_ID and WINNOW_OIDC_CLIENT_SECRET as the other site gave them."
        found.append(Error("A login by another site needs a client.", hint=hint, id="annotate.E017"))
    if message := _unreachable(settings.SITE_URL):
        hint = "Name the address that browsers show: WINNOW_URL=https://label.example.org"
        message = f"People cannot come back from the other site: {message}"
        found.append(Error(message, hint=hint, id="annotate.E018"))
    if settings.OIDC_SIGN_UP and not settings.OIDC_DOMAINS:
        hint = "Name whose accounts are let in: WINNOW_OIDC_DOMAINS=example.org"
        message = "Whoever has an account at the other site makes one here."
        found.append(Warning(message, hint=hint, id="annotate.W019"))
    return found


def _unreachable(url: str) -> str:
    """Return why links that begin with `url` lead nowhere; "" where they may lead to this site."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return f"WINNOW_URL is not the address of the site: “{url}”."
    if parts.path:
        return f"WINNOW_URL has a path, and the site answers at the root of its host: “{url}”."
    if not settings.DEBUG and not validate_host(
        split_domain_port(parts.netloc.lower())[0], settings.ALLOWED_HOSTS
    ):
        return f"ALLOWED_HOSTS does not hold the host of WINNOW_URL, “{parts.hostname}”."
    return ""


@register()
def llm_can_be_asked(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.LLM_URL:
        return []
    hint = "See WINNOW_LLM_URL, WINNOW_LLM_MODEL and WINNOW_LLM_API_KEY; leave all empty to ask no LLM."
    try:
        Endpoint(settings.LLM_URL, settings.LLM_MODEL, key=settings.LLM_API_KEY)
    except TrainingError as error:
        return [Error(f"The LLM could not be asked. {error}", hint=hint, id="annotate.E008")]
    try:
        check_concurrency(settings.LLM_CONCURRENCY)
    except TrainingError as error:
        return [Error(f"WINNOW_LLM_CONCURRENCY: {error}", id="annotate.E008")]
    if min(settings.LLM_INPUT_PRICE, settings.LLM_OUTPUT_PRICE) < 0:
        return [Error("A price of the LLM is negative.", hint="Set it to 0 or more.", id="annotate.E008")]
    return []
