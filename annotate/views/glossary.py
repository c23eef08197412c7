from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate import access
from annotate.services.pages import glossary


@require_safe
def words(request: HttpRequest) -> HttpResponse:
    access.signed_in(request.user)
    return render(request, "glossary/page.html", {"terms": glossary.TERMS})
