"""Logging in by the account of another site, which tells who somebody is by OpenID Connect."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from annotate.services.projects.refused import Refused

# What the other site may sign with. NB: none of them by a shared secret, nor by nothing.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
SECONDS = 5.0  # of each answer; the person waits for it
MOST_BYTES = 1_000_000
CLOCKS_DIFFER = 60  # seconds
PLACES_KEPT = 3600  # seconds for which the other site's addresses are taken to be the same


@dataclass(frozen=True, slots=True)
class Places:
    """Where the other site does what, as it says itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    takes_basic: bool


@dataclass(frozen=True, slots=True)
class LoginQuestion:
    """What ties an answer to the browser that asked: kept in its session until then."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> LoginQuestion:
        return cls(*(secrets.token_urlsafe(32) for _part in range(3)))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, by the other site's word; `email` is "" where it does not vouch for the address."""

    issuer: str
    subject: str
    email: str = ""
    name: str = ""


def is_configured() -> bool:
    return bool(settings.OIDC_ISSUER)


def name() -> str:
    """Return what people know the other site by; "" where there is none."""
    return str((settings.OIDC_ISSUER and settings.OIDC_NAME) or urlsplit(settings.OIDC_ISSUER).hostname or "")


def address(question: LoginQuestion) -> str:
    """Return where the browser goes to ask the other site."""
    wanted = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": _way_back(),
        "scope": "openid email profile",
        "state": question.state,
        "nonce": question.nonce,
        "code_challenge": _challenge(question.verifier),
        "code_challenge_method": "S256",
    }
    with _client() as client:
        start = _places(client).authorization
    return f"{start}{'&' if '?' in start else '?'}{urlencode(wanted)}"


def _way_back() -> str:
    return str(settings.SITE_URL) + reverse("outside-login-back")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answered(code: str, question: LoginQuestion) -> Identity:
    """Return who the code stands for, by a token that the other site has signed for this very question.

    Raises `Refused` where it cannot be reached, or what it says is not proved.
    """
    with _client() as client:
        places = _places(client)
        tokens = _exchange(client, places, code, question)
        claims = _proved(client, places, str(tokens.get("id_token", "")), question)
        if "email" not in claims and places.userinfo:
            bearer = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
            told = _json(client, client.build_request("GET", places.userinfo, headers=bearer))
            if told.get("sub") == claims["sub"]:
                claims = {**told, **claims}
    is_vouched_for = claims.get("email_verified") is True
    return Identity(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"])[:255],
        email=str(claims.get("email", "")) if is_vouched_for else "",
        name=str(claims.get("preferred_username") or claims.get("email") or ""),
    )


def _exchange(client: httpx.Client, places: Places, code: str, question: LoginQuestion) -> Mapping[str, Any]:
    sent = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _way_back(),
        "code_verifier": question.verifier,
    }
    who = settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET
    if places.takes_basic:
        request = client.build_request("POST", places.token, data=sent)
        quoted = ":".join(quote(part, safe="") for part in who)  # as RFC 6749 wants it, 2.3.1
        request.headers["Authorization"] = f"Basic {base64.b64encode(quoted.encode()).decode()}"
    else:
        sent |= {"client_id": who[0], "client_secret": who[1]}
        request = client.build_request("POST", places.token, data=sent)
    return _json(client, request)


def _proved(client: httpx.Client, places: Places, token: str, question: LoginQuestion) -> dict[str, Any]:
    """Return what a token claims, once its signature, its times and whom it is for are right."""
    try:
        keys = jwt.PyJWKSet.from_dict(_json(client, client.build_request("GET", places.keys)))
        wanted = jwt.get_unverified_header(token).get("kid")
        fitting = [key for key in keys.keys if wanted is None or key.key_id == wanted]
        if len(fitting) != 1:
            raise jwt.InvalidTokenError("the key is not among those of the site")
        claims = jwt.decode(
            token,
            fitting[0],
            algorithms=ALGORITHMS,
            audience=settings.OIDC_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=CLOCKS_DIFFER,
            options={"require": REQUIRED},
        )
    except jwt.PyJWTError as error:
        raise Refused(_not_proved(str(error))) from error
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), question.nonce.encode()):
        raise Refused(_not_proved("nonce"))
    if claims.get("azp", settings.OIDC_CLIENT_ID) != settings.OIDC_CLIENT_ID:
        raise Refused(_not_proved("azp"))
    return claims


def _not_proved(why: str) -> str:
    return _("What %(site)s said of you could not be verified: %(why)s. Try again.") % {
        "site": name(),
        "why": why,
    }


_known: dict[str, tuple[float, Places]] = {}


def _places(client: httpx.Client) -> Places:
    """Return where the other site does what; asked for once an hour."""
    issuer = str(settings.OIDC_ISSUER)
    since, places = _known.get(issuer, (float("-inf"), None))
    if places is None or time.monotonic() - since > PLACES_KEPT:
        address = issuer.rstrip("/") + "/.well-known/openid-configuration"
        told = _json(client, client.build_request("GET", address))
        if told.get("issuer") != issuer:
            raise Refused(_not_proved("issuer"))
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        places = Places(
            authorization=_safe(told, "authorization_endpoint"),
            token=_safe(told, "token_endpoint"),
            keys=_safe(told, "jwks_uri"),
            userinfo=_safe(told, "userinfo_endpoint") if told.get("userinfo_endpoint") else "",
            takes_basic="client_secret_basic" in methods,
        )
        _known[issuer] = time.monotonic(), places
    return places


def _safe(told: Mapping[str, Any], place: str) -> str:
    """Return an address of the other site; one that is less safe than the issuer's own is refused."""
    address = str(told.get(place, ""))
    if urlsplit(address).scheme not in {"https", urlsplit(settings.OIDC_ISSUER).scheme}:
        raise Refused(_not_proved(place))
    return address


def _client() -> httpx.Client:
    return httpx.Client(timeout=SECONDS, follow_redirects=False)


def _json(client: httpx.Client, request: httpx.Request) -> dict[str, Any]:
    """Return what the other site answers, of which no more is read than such an answer may need."""
    sentence = _("%(site)s cannot be reached, or does not answer as it should. Try again later.")
    away = sentence % {"site": name()}
    try:
        answer = client.send(request, stream=True)
        read = b""
        for part in answer.iter_bytes():
            read += part
            if len(read) > MOST_BYTES:
                raise Refused(away)
        told = json.loads(read)
    except (httpx.HTTPError, ValueError) as error:
        raise Refused(away) from error
    if answer.status_code != 200 or not isinstance(told, dict):
        raise Refused(away)
    return told
