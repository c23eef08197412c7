from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# The names of accounts that stand for programs; lists of annotations would pass a person off as one of them.
MACHINE_NAMES = ("import", "oracle")
# What looks alike becomes one letter: Cyrillic, Greek and Armenian ones, and those of a narrow font.
LOOK_ALIKES = str.maketrans(
    {"а": "a", "α": "a", "с": "c", "ϲ": "c", "е": "e", "ε": "e", "м": "m", "о": "o", "ο": "o", "օ": "o"}
    | {"0": "o", "р": "p", "ρ": "p", "г": "r", "т": "t", "τ": "t"}
    | dict.fromkeys("iіι1ӏ|", "l")
)


def look_of(name: str) -> str:
    """Return a name as a reader sees it: without case, accents, wide forms or the alphabet of a letter."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c for c in decomposed if unicodedata.category(c) not in {"Mn", "Cf"})
    return letters.translate(LOOK_ALIKES)


def refuse_machine_name(name: str) -> None:
    if look_of(name) in map(look_of, MACHINE_NAMES):
        raise ValidationError(
            _("“%(name)s” looks like the name of a machine; choose another."), params={"name": name}
        )


class UserManager(BaseUserManager["User"]):
    """Makes accounts of people, on the command line too; machines get theirs from what they belong to."""

    def create_user(self, username: str, *args: Any, **fields: Any) -> User:
        refuse_machine_name(username)
        return super().create_user(username, *args, **fields)

    def create_superuser(self, username: str, *args: Any, **fields: Any) -> User:
        refuse_machine_name(username)
        return super().create_superuser(username, *args, **fields)


class User(AbstractUser):
    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        help_text=_("Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only."),
        validators=[UnicodeUsernameValidator(), refuse_machine_name],
        error_messages={"unique": _("A user with that username already exists.")},
    )
    is_machine = models.BooleanField(
        _("machine"),
        default=False,
        help_text=_("An annotator that is a program, as imports are; it cannot log in."),
    )

    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("In which dates are shown to you; empty: that of the site."),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("In which the site is shown to you; empty: that of your browser."),
    )

    email_confirmed_at = models.DateTimeField(
        _("e-mail address confirmed"),
        null=True,
        editable=False,
        help_text=_("When the person, or an administrator, has shown that the address is theirs."),
    )

    objects: ClassVar[UserManager] = UserManager()


# What browsers and systems are told by; each names others as well, so that the first that fits counts.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


class OpenSession(models.Model):
    """A browser in which somebody is logged in, told from others by what it calls itself and where it is.

    The session itself is a row of Django's; a row here whose session has ended means nothing.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="open_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    device = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True)
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.user_id} · {self.device}"

    @property
    def browser(self) -> str:
        """Return what its owner would call the browser; what it calls itself where that is not known."""
        name = next((name for mark, name in BROWSERS if mark in self.device), "")
        system = next((name for mark, name in SYSTEMS if mark in self.device), "")
        if not name or not system:
            return self.device or gettext("unknown")
        return gettext("%(browser)s on %(system)s") % {"browser": name, "system": system}


class PasswordLinkQuerySet(models.QuerySet["PasswordLink"]):
    def open(self) -> PasswordLinkQuerySet:
        """Return those that still set a password: of each account the newest alone."""
        newer = PasswordLink.objects.filter(user=models.OuterRef("user"), pk__gt=models.OuterRef("pk"))
        return self.filter(
            ~models.Exists(newer), used_at=None, expires_at__gt=timezone.now(), user__is_active=True
        )


class PasswordLink(models.Model):
    """A link by which one person sets a new password, once. Only the digest of its token is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="password_links")
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = PasswordLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user_id} · {self.expires_at:%Y-%m-%d %H:%M}"


class AddressLinkQuerySet(models.QuerySet["AddressLink"]):
    def open(self) -> AddressLinkQuerySet:
        """Return those that still change an address: of each account the newest alone."""
        newer = AddressLink.objects.filter(user=models.OuterRef("user"), pk__gt=models.OuterRef("pk"))
        return self.filter(
            ~models.Exists(newer), used_at=None, expires_at__gt=timezone.now(), user__is_active=True
        )


class AddressLink(models.Model):
    """An e-mail address that somebody wants, until they show by a link sent to it that it is theirs.

    Only the digest of the link's token is stored, and there is none until the mail is handed over.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="address_links")
    address = models.EmailField()
    digest = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - unique where there is one
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = AddressLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user_id} · {self.address}"


class AuthenticatorApp(models.Model):
    """An app on somebody's phone that shows a code every half minute, the second step of their login.

    `sealed_secret` is encrypted by a key that comes of SECRET_KEY. Codes up to `last_step` work no more.
    """

    user = models.OneToOneField(User, models.CASCADE, related_name="authenticator_app")
    sealed_secret = models.TextField()
    last_step = models.BigIntegerField(default=0)
    wrong_in_a_row = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user_id} · {self.made_at:%Y-%m-%d}"


class RecoveryCode(models.Model):
    """A code that somebody has written down for when their phone is gone. Only its digest is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.digest[:8]}…"


class Passkey(models.Model):
    """A device or a key that signs a challenge for its owner; `credential` holds its public key.

    `uses` is how often it says to have signed, which a copy of it would not know; 0 where it does not count.
    """

    LONGEST_ID = 1400

    user = models.ForeignKey(User, models.CASCADE, related_name="passkeys")
    name = models.CharField(_("name"), max_length=100)
    credential_id = models.CharField(max_length=LONGEST_ID, unique=True)
    credential = models.BinaryField()
    uses = models.PositiveBigIntegerField(default=0)
    made_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class OutsideLogin(models.Model):
    """An account of another site that lets somebody in here, by the name that the other site gives it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="outside_logins")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    made_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="outside_login_of_one_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.subject}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: object) -> ApiKeyQuerySet:
        return self.filter(revoked_at=None).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now), user__is_active=True
        )


class ApiKey(models.Model):
    """A token of one user. Only its digest is stored; the prefix lets a person recognise it in a list."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
