"""What somebody asks for beside a card: why a text was suggested so, examples, what they decided before."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from annotate import access
from annotate.forms.keys import as_key
from annotate.models import Card
from annotate.services.documents import comments
from annotate.services.labeling import examples as labelled
from annotate.services.pages import history as own_decisions
from annotate.services.versions import explanations, predictions
from annotate.views.labeling.card import CardView

MOST_MENTIONS = 20


@require_GET
def why(request: HttpRequest, slug: str, key: uuid.UUID) -> HttpResponse:
    project = access.project_for(request.user, slug)
    dealt = Card.objects.select_related("document", "shown_version").filter(document__project=project)
    card = get_object_or_404(dealt, key=key, annotator=access.signed_in(request.user))
    view = CardView(project, card=card, document=card.document)
    names = {choice.label.pk: choice.label.name for choice in view.choices}
    told = predictions.reasons_of(
        version=card.shown_version, text=card.document.text, label_ids=view.explained_labels
    )
    reasons = None if told is None else explanations.named(told, names, text=card.document.text)
    template = "labeling/_explanation.html" if request.htmx else "labeling/explanation.html"  # type: ignore[attr-defined]
    return render(request, template, {"project": project, "reasons": reasons})


@require_GET
def examples(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    label = access.label_for(request.user, slug, pk)
    key = request.GET.get("card", "")
    shown = access.card_given_to(request.user, slug, key).document_id if key else None
    found = labelled.of_label(label, besides=shown)
    template = "labeling/_examples.html" if request.htmx else "labeling/examples.html"  # type: ignore[attr-defined]
    return render(request, template, {"project": label.project, "label": label, "examples": found})


@require_safe
def history(request: HttpRequest, slug: str) -> HttpResponse:
    return render(request, "labeling/_history.html", _decisions(request, slug))


@require_safe
def my_work(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what somebody decided, and the comments that name them, which are seen with that."""
    context = _decisions(request, slug)
    named = comments.mentions(project=context["project"], user=access.signed_in(request.user))
    context["mentions"] = list(named[:MOST_MENTIONS])
    if request.method == "GET":
        comments.note_opened(named)
    return render(request, "labeling/my_work.html", context)


def _decisions(request: HttpRequest, slug: str) -> dict[str, Any]:
    project = access.project_for(request.user, slug)
    label = as_key(request.GET.get("label", ""))
    found = own_decisions.decided(
        project=project,
        annotator=access.signed_in(request.user),
        label=label,
        before=as_key(request.GET.get("before", "")),
    )
    shown = found[: own_decisions.PAGE]
    older = shown[-1].pk if len(found) > len(shown) else None
    return {
        "project": project,
        "decided": shown,
        "older": older,
        "label": label,
        "labels": project.labels.all(),
    }
