"""Hands one message to an address: signed, to the very address that was looked at, within a few seconds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
from django.utils.translation import gettext as _

from annotate.services.webhooks import public_addresses
from annotate.services.webhooks.public_addresses import NotPublic

SECONDS = 5.0  # for all of it, however slowly the other side speaks
SECRET_MARK = "whsec_"
FAULTS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of it: the status of the answer, None where none came, and why it was not taken, else ""."""

    status: int | None
    why: str


def signature(secret: str, key: str, at: int, body: bytes) -> str:
    """Sign as the Standard Webhooks do (standardwebhooks.com), which libraries in any language verify."""
    signed = b".".join([key.encode(), str(at).encode(), body])
    mac = hmac.digest(base64.b64decode(secret.removeprefix(SECRET_MARK)), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode()}"


def send(address: str, *, secret: str, key: str, at: int, body: bytes) -> SendResult:
    """Post a body. Nothing of the answer but its status is read, and no redirect is followed."""
    headers: dict[bytes | str, bytes | str] = {
        "Content-Type": "application/json",
        "User-Agent": "Winnow",
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret, key, at, body),
    }
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
    context = ssl.create_default_context()
    try:
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=GuardedBackend()) as pool,
            pool.stream(
                "POST", address, headers=headers, content=body, extensions={"timeout": timeouts}
            ) as answer,
        ):
            status = answer.status
    except NotPublic as refusal:
        return SendResult(None, str(refusal))
    except httpcore.TimeoutException:
        return SendResult(None, _("It did not answer within %(n)s seconds.") % {"n": round(SECONDS)})
    except FAULTS as error:
        return SendResult(None, _("It could not be reached: %(why)s") % {"why": f"{error}"[:200]})
    if 200 <= status < 300:
        return SendResult(status, "")
    if 300 <= status < 400:
        return SendResult(
            status, _("It answered %(status)s; redirects are not followed.") % {"status": status}
        )
    return SendResult(status, _("It answered %(status)s.") % {"status": status})


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to addresses that may be sent to, and to no other, until its time is over."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SECONDS
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = public_addresses.resolve(host, port)
        for address in others:
            try:
                return self._connect(address, port, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(last, port, socket_options)

    def _connect(
        self, address: str, port: int, socket_options: Iterable[Any] | None
    ) -> httpcore.NetworkStream:
        stream = self._network.connect_tcp(
            address, port, timeout=_left(self._until), socket_options=socket_options
        )
        return HurriedStream(stream, self._until)


class HurriedStream(httpcore.NetworkStream):
    """A connection that ends at a moment: a timeout for each read lets one byte a second go on for ever."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._until))
        return HurriedStream(secured, self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
