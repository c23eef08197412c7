"""Whose address a request came from, for counting and for the log."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NETWORK_BITS = 64  # what one customer of an IPv6 provider has at least, and may change at will


def client_address(request: HttpRequest) -> str | None:
    """Return the address, of IPv6 its network; None where there is none, as behind a unix socket."""
    address = sender(request)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False).network_address)
    return None if address is None else str(address)


def sender(request: HttpRequest) -> Address | None:
    """Return the whole address.

    A header is believed only where the settings say that a proxy writes it. Of several addresses in it the
    last one counts: the proxy has added it, and anybody may have sent the others.
    """
    sent = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        sent = request.headers.get(settings.PROXY_ADDRESS_HEADER, "").rpartition(",")[2] or sent
    try:
        address = ipaddress.ip_address(sent.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_among(address: Address | None, networks: Iterable[str]) -> bool:
    """Tell whether an address is one of the networks, as of `10.1.0.0/16`."""
    return address is not None and any(address in ipaddress.ip_network(name) for name in networks)
