"""A form that came after its session or its token had ended: what was typed is carried on and not lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict
from django.urls import reverse

MOST = 1_000_000  # characters; more than people type
TOKEN = "csrfmiddlewaretoken"
SECRET = "password"  # a field with this in its name never travels back to the browser
ADDRESS, NAME, VALUE, MISSING = "unsent-address", "unsent-name", "unsent-value", "unsent-missing"


@dataclass(frozen=True, slots=True)
class Unsent:
    """The fields of a form and where they were sent; `has_gaps` where a password or a file was among them."""

    address: str
    fields: tuple[tuple[str, str], ...]
    has_gaps: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> Unsent | None:
        """Return what a request carries that is worth keeping, or None."""
        if request.path in {reverse("login"), reverse("logout")}:
            return cls.carried(request.POST)
        sent = [(name, value) for name, values in request.POST.lists() for value in values if name != TOKEN]
        fields = tuple((name, value) for name, value in sent if SECRET not in name)
        if (
            not any(value.strip() for _name, value in fields)
            or sum(len(value) for _n, value in fields) > MOST
        ):
            return None
        return cls(request.get_full_path(), fields, len(fields) < len(sent) or bool(request.FILES))

    @classmethod
    def carried(cls, sent: QueryDict) -> Unsent | None:
        """Return what `hidden` has put into another form, or None where it carries nothing of this site."""
        address = sent.get(ADDRESS, "")
        names, values = sent.getlist(NAME), sent.getlist(VALUE)
        is_ours = address.startswith("/") and not address.startswith(("//", "/\\"))
        if not is_ours or not names or len(names) != len(values):
            return None
        return cls(address, tuple(zip(names, values, strict=True)), MISSING in sent)

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield the hidden fields by which another form carries this one on."""
        yield ADDRESS, self.address
        for name, value in self.fields:
            yield NAME, name
            yield VALUE, value
        if self.has_gaps:
            yield MISSING, "1"


def is_from_here(request: HttpRequest) -> bool:
    """Tell whether a page of this site sent a request, as far as its browser says.

    NB: what another site made a browser send must not be shown with a button that sends it.
    """
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    sender = request.headers.get("Origin") or request.headers.get("Referer", "")
    return urlsplit(sender).netloc == request.get_host()
