"""Many documents changed at once: a preview with its counts, its start, how far it is, and undo."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import QueryDict
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.errors import Problem
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.forms.bulk import ANSWERS, BulkForm, offered
from annotate.forms.documents import FilterForm
from annotate.forms.keys import LARGEST_KEY
from annotate.models import ApiKey, BulkChange, Project, User
from annotate.models.bulk import BulkAction, BulkOptions, ItemState
from annotate.models.documents import Lane
from annotate.services.bulk import consequences, job
from annotate.services.bulk.found import Why
from annotate.services.people.api_keys import Scope
from annotate.services.projects.refused import Refused

MOST_NAMED = 1000


class BulkRequest(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=[(one.value, one.label) for one in BulkAction if one != "undo"])
    filters = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="Filters of the documents page by name, as its address has them. All that fit are changed.",
    )
    documents = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_KEY),
        required=False,
        min_length=1,
        max_length=MOST_NAMED,
        help_text="In place of `filters`: the ids of the documents.",
    )
    labels = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="`label`, `add` and `remove`: names of labels. An empty list says that none applies.",
    )
    gold = serializers.BooleanField(default=False, help_text="As the gold answer, not your own.")
    lane = serializers.ChoiceField(choices=Lane.choices, required=False, help_text="`move`: where to.")
    name = serializers.CharField(required=False, help_text="`list`: what it is called.")
    people = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="`list`: user names of those who label."
    )
    each = serializers.BooleanField(default=False, help_text="`list`: each of them answers each document.")
    second = serializers.BooleanField(default=False, help_text="`list`: also what is answered already.")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if ("filters" in values) == ("documents" in values):
            raise serializers.ValidationError(
                "Name `documents`, or `filters` that they have to fit; `{}` means all documents."
            )
        return values


class StartRequest(serializers.Serializer[Any]):
    documents = serializers.IntegerField(
        required=False,
        help_text="To delete, how many documents the preview has told, so that no more are deleted.",
    )


class BulkSerializer(serializers.ModelSerializer[BulkChange]):
    """A change of many documents; `previewed` is its state until it is started."""

    documents = serializers.SerializerMethodField(
        help_text="How many documents it goes through, near duplicates that move with others included."
    )
    changed = serializers.SerializerMethodField(help_text="How many were changed; in a preview, would be.")
    stays = serializers.SerializerMethodField(help_text="How many stay as they are, by the reason.")
    consequences = serializers.SerializerMethodField(help_text="What it means beyond that; in a preview.")
    progress = serializers.SerializerMethodField(help_text="From 0 to 1.")
    undo_until = serializers.SerializerMethodField(help_text="`null` where it cannot be undone.")
    undo = serializers.SerializerMethodField(help_text="Its undo, once that was asked for, else `null`.")

    class Meta:
        model = BulkChange
        fields = [
            "id", "action", "state", "hits", "documents", "changed", "stays", "consequences", "progress",
            "error", "created_at", "finished_at", "undo_until", "undo",
        ]  # fmt: skip

    def get_documents(self, change: BulkChange) -> int:
        return len(change.keys)

    def get_changed(self, change: BulkChange) -> int:
        return int(change.counts.get(ItemState.CHANGED, 0))

    def get_stays(self, change: BulkChange) -> dict[str, int]:
        return {why.value: change.counts[why] for why in Why if change.counts.get(why)}

    def get_consequences(self, change: BulkChange) -> list[str]:
        return consequences.told(change) if change.is_previewed else []

    def get_progress(self, change: BulkChange) -> float:
        return round(change.position / max(1, len(change.keys)), 3)

    def get_undo_until(self, change: BulkChange) -> str | None:
        until = job.undo_until(change)
        return until.isoformat() if until else None

    def get_undo(self, change: BulkChange) -> dict[str, Any] | None:
        row = BulkChange.objects.filter(undoes=change).first()
        if row is None:
            return None
        told = {"state": row.state, "progress": self.get_progress(row), "error": row.error}
        return told | {key: row.counts.get(key, 0) for key in (ItemState.UNDONE.value, ItemState.KEPT.value)}


class BulkChangesView(APIView):
    scopes = {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="list_bulk_changes",
        summary="List changes of many documents, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(BulkSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        return page(self, request, _changes(project), BulkSerializer)

    @extend_schema(
        operation_id="preview_bulk_change",
        summary="Count what a change of many documents would do, and change nothing yet",
        request=BulkRequest,
        responses={HTTPStatus.CREATED: BulkSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        project, lead = access.led_project_for(request.user, slug), access.signed_in(request.user)
        asked = checked(BulkRequest, request.data)
        action = BulkAction(asked["action"])
        if action not in offered(project):
            raise serializers.ValidationError(
                {"action": _("A document of this project has one label: set it with “label”.")}
            )
        _check_scope(request, action)
        try:
            change = job.preview(
                project=project,
                by=lead,
                action=action,
                options=_options(project, action, asked, lead),
                wanted=_wanted(project, asked.get("filters", {})),
                selected=asked.get("documents"),
            )
        except Refused as refusal:
            raise Problem(HTTPStatus.CONFLICT, "not_changed", str(refusal)) from refusal
        return Response(BulkSerializer(change).data, status=HTTPStatus.CREATED)


class BulkChangeView(APIView):
    scopes = {"GET": Scope.DOCUMENTS_READ}

    @extend_schema(
        operation_id="read_bulk_change",
        summary="Tell how far a change of many documents is",
        responses=BulkSerializer,
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = access.led_project_for(request.user, slug)
        return Response(BulkSerializer(get_object_or_404(_changes(project), pk=pk)).data)


class StartBulkChangeView(APIView):
    scopes = {"POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="start_bulk_change",
        summary="Have a worker do what was previewed",
        request=StartRequest,
        responses={HTTPStatus.ACCEPTED: BulkSerializer},
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        change = _of(request, slug, pk)
        count = checked(StartRequest, request.data).get("documents")
        if change.action == BulkAction.DELETE and count != len(change.keys):
            sentence = _("Say how many documents are to be deleted: the preview has told %(n)s.")
            raise serializers.ValidationError({"documents": sentence % {"n": len(change.keys)}})
        return _done(request, change, job.confirm)


class UndoBulkChangeView(APIView):
    scopes = {"POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="undo_bulk_change",
        summary="Undo a change of many documents, for a day",
        request=None,
        responses={HTTPStatus.ACCEPTED: BulkSerializer},
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        return _done(request, _of(request, slug, pk), job.undo)


def _changes(project: Project) -> Any:
    rows = project.bulk_changes.exclude(action=BulkAction.UNDO).select_related("project", "by")
    return rows.order_by("pk")


def _of(request: Request, slug: str, pk: int) -> BulkChange:
    project = access.led_project_for(request.user, slug)
    change: BulkChange = get_object_or_404(_changes(project), pk=pk)
    _check_scope(request, change.action)
    return change


def _check_scope(request: Request, action: str) -> None:
    """Refuse a token that may not annotate where answers are given; its user was let in already."""
    scopes = request.auth.scopes if isinstance(request.auth, ApiKey) else ()
    if action in ANSWERS and Scope.ANNOTATIONS_WRITE not in scopes:
        sentence = _("This token lacks the scope %(scope)s; make one that has it.")
        raise PermissionDenied(sentence % {"scope": Scope.ANNOTATIONS_WRITE})


def _done(request: Request, change: BulkChange, do: Any) -> Response:
    """Begin it, and answer with the change, whose address tells how far it is. Twice is once."""
    try:
        with transaction.atomic():
            rows = do(bulk=change, by=access.signed_in(request.user))
            transaction.on_commit(partial(tasks.wake, rows))
    except Refused as refusal:
        raise Problem(HTTPStatus.CONFLICT, "not_changed", str(refusal)) from refusal
    change.refresh_from_db()
    return Response(BulkSerializer(change).data, status=HTTPStatus.ACCEPTED)


def _options(project: Project, action: BulkAction, asked: dict[str, Any], by: User) -> BulkOptions:
    """Return what the action needs, checked as the site's form checks it."""
    known = dict(project.labels.live().values_list("name", "pk"))
    members = dict(project.memberships.values_list("user__username", "user"))
    labels, people = asked.get("labels", []), asked.get("people", [])
    for field, names, keys in (("labels", labels, known), ("people", people, members)):
        if unknown := [name for name in names if name not in keys]:
            sentence = _("“%(name)s” is not in this project.")
            raise serializers.ValidationError({field: sentence % {"name": unknown[0][:100]}})
    sent = QueryDict(mutable=True)
    sent.update({name: asked[name] for name in ("lane", "name") if name in asked})
    sent["gold"] = "gold" if asked["gold"] else "own"
    sent["each"] = "each" if asked["each"] else "one"
    sent.update({name: "on" for name in ("second",) if asked[name]})
    sent.setlist("people", [str(members[name]) for name in people])
    sent.setlist("labels", [str(known[name]) for name in labels])
    if len(labels) == 1:
        sent["label"] = str(known[labels[0]])
    if not labels and "labels" in asked:
        sent["none"] = "on"
    form = BulkForm(sent, project=project, action=action, by=by)
    if not form.is_valid():
        # A label alone and several labels are one field here.
        names = {"label": "labels", "none": "labels", "__all__": "non_field_errors"}
        raise serializers.ValidationError(
            {names.get(name, name): list(map(str, told)) for name, told in form.errors.items()}
        )
    return form.options


def _wanted(project: Project, asked: dict[str, str]) -> dict[str, Any]:
    """Return the filters; one that is not known, or has no such value, would change more than was asked."""
    form = FilterForm(_query(asked), project=project)
    wanted = form.wanted
    faults = {name: list(map(str, told)) for name, told in form.errors.items()}
    faults |= {
        name: [_("There is no filter of this name.")] for name in sorted(set(asked) - set(form.fields))
    }
    if faults:
        raise serializers.ValidationError({"filters": faults})
    return wanted


def _query(asked: dict[str, str]) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(asked)
    return query
