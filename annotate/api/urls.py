from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from annotate.api.annotations import AnnotationsView
from annotate.api.base.missing import MissingView
from annotate.api.base.schema import DocsView, SchemaView
from annotate.api.documents import DocumentsView
from annotate.api.exports import ExportView
from annotate.api.predict import PredictView
from annotate.api.projects import ProjectsView, ProjectView
from annotate.api.versions import MetricsView, ModelsView, PublishView, RollBackView

PROJECT = "projects/<slug:slug>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("docs", DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path("projects", ProjectsView.as_view(), name="api-projects"),
    path(PROJECT, ProjectView.as_view(), name="api-project"),
    path(f"{PROJECT}/predict", PredictView.as_view(), name="api-predict"),
    path(f"{PROJECT}/documents", DocumentsView.as_view(), name="api-documents"),
    path(f"{PROJECT}/annotations", AnnotationsView.as_view(), name="api-annotations"),
    path(f"{PROJECT}/annotations/export.<str:kind>", ExportView.as_view(), name="api-export"),
    path(f"{PROJECT}/models", ModelsView.as_view(), name="api-models"),
    path(f"{PROJECT}/models/<int:number>/metrics", MetricsView.as_view(), name="api-metrics"),
    path(f"{PROJECT}/models/<int:number>/publish", PublishView.as_view(), name="api-publish"),
    path(f"{PROJECT}/models/roll-back", RollBackView.as_view(), name="api-roll-back"),
    # Unknown addresses get a problem detail as well, not the site's page.
    re_path(r"^.*$", MissingView.as_view(), name="api-missing"),
]
