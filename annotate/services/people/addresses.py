"""Whose address a request came from, for counting and for the log."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

NETWORK_BITS = 64  # what one customer of an IPv6 provider has at least, and may change at will


def client_address(request: HttpRequest) -> str | None:
    """Return the address, of IPv6 its network; None where there is none, as behind a unix socket.

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
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False).network_address)
    return str(address)
