"""The administrator's pages: accounts are managed here, nearly everything else can only be looked at."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from annotate import models


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Services keep the invariants of these rows, so a form must not write them."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


admin.site.register(models.User, UserAdmin)


@admin.register(models.Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ["name", "slug", "task", "families", "created_at"]
    search_fields = ["name", "slug"]


@admin.register(models.Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["project", "user", "role"]
    list_filter = ["role"]
    list_select_related = ["project", "user"]


@admin.register(models.Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "external_id", "lane", "half"]
    list_filter = ["lane", "half"]
    list_select_related = ["project"]
    search_fields = ["external_id"]


@admin.register(models.Annotation)
class AnnotationAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "document_id", "annotator", "outcome", "source", "updated_at"]
    list_filter = ["outcome", "source"]
    list_select_related = ["project", "annotator"]


@admin.register(models.TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "family", "variant", "state", "attempt", "created_at", "finished_at"]
    list_filter = ["state", "family"]
    list_select_related = ["project"]


@admin.register(models.ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["project", "number", "family", "variant", "stage", "labelled", "macro_f1"]
    list_filter = ["stage", "family"]
    list_select_related = ["project"]


@admin.register(models.Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "kind", "version", "state", "attempt", "created_at", "finished_at"]
    list_filter = ["state", "kind"]
    list_select_related = ["project", "version"]


@admin.register(models.WorkerPulse)
class WorkerPulseAdmin(ReadOnlyAdmin):
    list_display = ["queue", "seen_at"]
