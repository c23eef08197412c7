"""The columns of the documents page: the one table that the page and its form ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from annotate.models import Project

# A cell of each is written by `templates/documents/_table.html`; the text always stands first.
COLUMNS: dict[str, Any] = {
    "id": _("External id"),
    "labels": _("Labels"),
    "outcome": _("Outcome"),
    "annotators": _("Annotators"),
    "model": _("Model says"),
    "confidence": _("Confidence"),
    "margin": _("Margin"),
    "lane": _("Lane"),
    "batch": _("Batch"),
    "length": _("Length"),
    "imported": _("Imported"),
    "decided": _("Last decision"),
}
USUAL = ["labels", "annotators", "model", "confidence", "lane"]
OF_META = "meta:"  # before a key of the metadata
SAMPLE = 200  # documents at each end of a project whose metadata is looked at
MOST_KEYS = 50
LONGEST_KEY = 200


def titles(offered: Iterable[str], *, asked: Iterable[str] = ()) -> dict[str, Any]:
    """Return every column that can be chosen with its title, those of metadata offered or asked for too."""
    keys = [*offered, *(name.removeprefix(OF_META) for name in asked if _is_of_meta(name))]
    return COLUMNS | {OF_META + key: key for key in keys}


def _is_of_meta(name: str) -> bool:
    return name.startswith(OF_META) and len(OF_META) < len(name) <= len(OF_META) + LONGEST_KEY


def metadata_keys(project: Project) -> list[str]:
    """Return the keys of the metadata that the newest and the oldest documents have, the commonest first."""
    found: Counter[str] = Counter()
    metadata = project.documents.values_list("meta", flat=True)
    for meta in [*metadata.order_by("-pk")[:SAMPLE], *metadata.order_by("pk")[:SAMPLE]]:
        if isinstance(meta, dict):
            found.update(key for key in meta if len(key) <= LONGEST_KEY)
    return [key for key, _count in found.most_common(MOST_KEYS)]
