"""A page that asks before something is ended: what happens, what stays, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotate.models import Project


def ask(
    request: HttpRequest,
    *,
    title: str,
    told: Sequence[str],
    button: str,
    back: str,
    project: Project | None = None,
    tab: str = "",
) -> HttpResponse:
    """Ask by GET at the address that a POST does it at; `told` says what happens, a sentence or two each."""
    context = {"project": project, "tab": tab, "title": title, "told": told, "button": button, "back": back}
    return render(request, "confirmation.html", context)
