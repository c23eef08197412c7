"""The administrator's pages: accounts are managed here, nearly everything else can only be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from annotate import models, security_log
from annotate.access import signed_in
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.people import accounts, api_keys


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


@admin.register(models.User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    """Accounts are made and changed here; what was given or taken is in the security log."""

    actions = ["end_keys"]

    def save_model(self, request: HttpRequest, obj: models.User, form: Any, change: bool) -> None:
        if "email" in form.changed_data:  # an administrator knows whose it is
            obj.email_confirmed_at = timezone.now() if obj.email else None
        super().save_model(request, obj, form, change)
        if form.changed_data:
            events.record(
                EventKind.ACCOUNT_CHANGED if change else EventKind.ACCOUNT_MADE,
                by=signed_in(request.user),
                subject=obj.get_username(),
                fields=[name for name in form.changed_data if "password" not in name],
            )
        if "is_active" in form.changed_data and not obj.is_active:
            accounts.shut_out(user=obj, by=signed_in(request.user))
        security_log.record(
            "account-changed" if change else "account-made",
            user=obj.get_username(),
            changed=",".join(form.changed_data),
            active=obj.is_active,
            staff=obj.is_staff,
            superuser=obj.is_superuser,
            by=request.user,
        )

    def delete_model(self, request: HttpRequest, obj: models.User) -> None:
        self.delete_queryset(request, models.User.objects.filter(pk=obj.pk))

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[models.User]) -> None:
        # NB: recorded first, as administrators may delete themselves; the name in the event stays then.
        for user in queryset:
            events.record(EventKind.ACCOUNT_DELETED, by=signed_in(request.user), subject=user.get_username())
        super().delete_queryset(request, queryset)

    @admin.action(description=gettext_lazy("End all API keys of the chosen accounts"), permissions=["change"])
    def end_keys(self, request: HttpRequest, users: QuerySet[models.User]) -> None:
        _end(self, request, models.ApiKey.objects.filter(user__in=users))


@admin.register(models.ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["user", "name", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "name", "prefix"]
    exclude = ["digest"]
    actions = ["end"]

    @admin.action(description=gettext_lazy("End the chosen keys"), permissions=["end"])
    def end(self, request: HttpRequest, keys: QuerySet[models.ApiKey]) -> None:
        _end(self, request, keys)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return signed_in(request.user).is_superuser


def _end(page: admin.ModelAdmin[Any], request: HttpRequest, keys: QuerySet[models.ApiKey]) -> None:
    ended = api_keys.end(keys, by=signed_in(request.user))
    page.message_user(
        request, ngettext("%(n)d key has ended.", "%(n)d keys have ended.", ended) % {"n": ended}
    )


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
