"""The project that the bench of pages asks is made as the database is now, and every filter is asked for."""

from __future__ import annotations

import pytest

from annotate.models import Prediction, Project
from annotate.services.documents import filters
from bench import large


@pytest.mark.django_db(transaction=True)
def test_every_filter_has_documents_to_find() -> None:
    made = large.make(documents=400)
    assert set(made["filters"]) == set(filters.FILTERS) - {"q"}
    project = Project.objects.get(slug=made["slug"])
    assert project.documents.count() == Prediction.objects.exclude(confidence=None).count() == 400
    for name in (
        "decided",
        "disagree",
        "label_error",
        "import",
        "batch",
        "meta",
        "decided_from",
        "imported_to",
        "conf_from",
        "margin_to",
    ):
        found = [filters.find(project, {name: value}).count() for value in made["filters"][name]]
        assert max(found) > 0, name
