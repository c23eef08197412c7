"""Where the site may send something to: addresses of the public internet, and networks that its owner names.

A lead types the address, and the site stands inside a network that the lead may not be let into.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # an IPv4 address in its last 32 bits (RFC 6052)


class NotPublic(Exception):
    """A sentence that says why nothing is sent there."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, all of which may be sent to. Raises `NotPublic`.

    NB: whoever connects has to connect to one of these: the same name asked again may be another address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotPublic(_("There is no address of the name “%(host)s”.") % {"host": host}) from error
    addresses = list(dict.fromkeys(str(place[0]) for *_rest, place in found))
    if not all(map(may_be_sent_to, addresses)):
        raise NotPublic(
            _("“%(host)s” is not an address of the public internet, so nothing is sent there.")
            % {"host": host}
        )
    return addresses


def may_be_sent_to(written: str) -> bool:
    meant = _meant(ipaddress.ip_address(written))
    return is_named(written) or all(address.is_global and not address.is_multicast for address in meant)


def is_named(written: str) -> bool:
    """Tell whether the owner of the site has named a network with this address."""
    address = ipaddress.ip_address(written)
    return any(address in ipaddress.ip_network(name) for name in settings.WEBHOOK_NETWORKS)


def _meant(address: Address) -> Iterator[Address]:
    """Yield an address and those that it leads to."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        yield from filter(None, (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())))
        if address in TRANSLATED:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
