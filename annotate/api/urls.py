from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from annotate.api.annotations import AnnotationsView
from annotate.api.base.missing import MissingView
from annotate.api.base.schema import DocsView, SchemaView
from annotate.api.bulk import BulkChangesView, BulkChangeView, StartBulkChangeView, UndoBulkChangeView
from annotate.api.documents import CommentsView, DocumentsView, DocumentView
from annotate.api.drift import AlarmsView, SeenAlarmView, UsualAlarmView, WindowsView
from annotate.api.events import EventsView
from annotate.api.exports import ExportFileView, ExportJobsView, ExportJobView, ExportView
from annotate.api.feedback import FeedbackView
from annotate.api.imports import ImportsView, ImportView, UndoImportView
from annotate.api.labels import (
    ArchiveLabelView,
    LabelOrderView,
    LabelsView,
    LabelView,
    MergeLabelView,
    RestoreLabelView,
    SplitLabelView,
)
from annotate.api.members import InvitationsView, InvitationView, MembersView, MemberView
from annotate.api.predict import PredictView
from annotate.api.projects import ProjectsView, ProjectView
from annotate.api.versions import MetricsView, ModelCardView, PublishView, RollBackView, VersionsView

PROJECT = "projects/<slug:slug>"


def _versions(word: str, suffix: str = "") -> list[URLPattern]:
    return [
        path(f"{PROJECT}/{word}", VersionsView.as_view(), name=f"api-versions{suffix}"),
        path(f"{PROJECT}/{word}/<int:number>/metrics", MetricsView.as_view(), name=f"api-metrics{suffix}"),
        path(f"{PROJECT}/{word}/<int:number>/card", ModelCardView.as_view(), name=f"api-card{suffix}"),
        path(f"{PROJECT}/{word}/<int:number>/publish", PublishView.as_view(), name=f"api-publish{suffix}"),
        path(f"{PROJECT}/{word}/roll-back", RollBackView.as_view(), name=f"api-roll-back{suffix}"),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("docs", DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path("projects", ProjectsView.as_view(), name="api-projects"),
    path(PROJECT, ProjectView.as_view(), name="api-project"),
    path(f"{PROJECT}/predict", PredictView.as_view(), name="api-predict"),
    path(f"{PROJECT}/predictions/feedback", FeedbackView.as_view(), name="api-feedback"),
    path(f"{PROJECT}/drift/windows", WindowsView.as_view(), name="api-drift-windows"),
    path(f"{PROJECT}/drift/alarms", AlarmsView.as_view(), name="api-drift-alarms"),
    path(f"{PROJECT}/drift/alarms/<int:pk>/seen", SeenAlarmView.as_view(), name="api-drift-alarm-seen"),
    path(f"{PROJECT}/drift/alarms/<int:pk>/usual", UsualAlarmView.as_view(), name="api-drift-alarm-usual"),
    path(f"{PROJECT}/documents", DocumentsView.as_view(), name="api-documents"),
    path(f"{PROJECT}/documents/<int:pk>", DocumentView.as_view(), name="api-document"),
    path(f"{PROJECT}/documents/<int:pk>/comments", CommentsView.as_view(), name="api-comments"),
    path(f"{PROJECT}/bulk", BulkChangesView.as_view(), name="api-bulk-changes"),
    path(f"{PROJECT}/bulk/<int:pk>", BulkChangeView.as_view(), name="api-bulk"),
    path(f"{PROJECT}/bulk/<int:pk>/start", StartBulkChangeView.as_view(), name="api-bulk-start"),
    path(f"{PROJECT}/bulk/<int:pk>/undo", UndoBulkChangeView.as_view(), name="api-bulk-undo"),
    path(f"{PROJECT}/imports", ImportsView.as_view(), name="api-imports"),
    path(f"{PROJECT}/imports/<int:number>", ImportView.as_view(), name="api-import"),
    path(f"{PROJECT}/imports/<int:number>/undo", UndoImportView.as_view(), name="api-import-undo"),
    path(f"{PROJECT}/events", EventsView.as_view(), name="api-events"),
    path(f"{PROJECT}/labels", LabelsView.as_view(), name="api-labels"),
    path(f"{PROJECT}/labels/order", LabelOrderView.as_view(), name="api-labels-order"),
    path(f"{PROJECT}/labels/<int:pk>", LabelView.as_view(), name="api-label"),
    path(f"{PROJECT}/labels/<int:pk>/archive", ArchiveLabelView.as_view(), name="api-label-archive"),
    path(f"{PROJECT}/labels/<int:pk>/restore", RestoreLabelView.as_view(), name="api-label-restore"),
    path(f"{PROJECT}/labels/<int:pk>/merge", MergeLabelView.as_view(), name="api-label-merge"),
    path(f"{PROJECT}/labels/<int:pk>/split", SplitLabelView.as_view(), name="api-label-split"),
    path(f"{PROJECT}/members", MembersView.as_view(), name="api-members"),
    path(f"{PROJECT}/members/<int:pk>", MemberView.as_view(), name="api-member"),
    path(f"{PROJECT}/invitations", InvitationsView.as_view(), name="api-invitations"),
    path(f"{PROJECT}/invitations/<int:pk>", InvitationView.as_view(), name="api-invitation"),
    path(f"{PROJECT}/annotations", AnnotationsView.as_view(), name="api-annotations"),
    path(f"{PROJECT}/annotations/export.<str:kind>", ExportView.as_view(), name="api-export"),
    path(f"{PROJECT}/exports", ExportJobsView.as_view(), name="api-exports"),
    path(f"{PROJECT}/exports/<int:pk>", ExportJobView.as_view(), name="api-export-job"),
    path(f"{PROJECT}/exports/<int:pk>/file", ExportFileView.as_view(), name="api-export-file"),
    *_versions("versions"),
    # What the versions were called up to 0.1: programs that ask there go on working; the docs leave it out.
    *_versions("models", "-before"),
    # Unknown addresses get a problem detail as well, not the site's page.
    re_path(r"^.*$", MissingView.as_view(), name="api-missing"),
]
