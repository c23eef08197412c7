from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from annotate.api.missing import MissingView
from annotate.api.predict import PredictView

urlpatterns: list[URLPattern | URLResolver] = [
    path("projects/<slug:slug>/predict", PredictView.as_view(), name="api-predict"),
    # Unknown addresses get a problem detail as well, not the site's page.
    re_path(r"^.*$", MissingView.as_view(), name="api-missing"),
]
