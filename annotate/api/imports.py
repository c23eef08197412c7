from __future__ import annotations

from http import HTTPStatus

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.errors import Problem
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import page
from annotate.models import Import
from annotate.models.imports import ImportRemoval
from annotate.services.deletion import imports as deletion
from annotate.services.people.api_keys import Scope
from annotate.services.projects.refused import Refused


class ImportSerializer(serializers.ModelSerializer[Import]):
    removal = serializers.CharField(
        read_only=True,
        help_text="`undo` or `documents` where the import is or was taken back, else empty; `state` says "
        "how far that is.",
    )

    class Meta:
        model = Import
        fields = [
            "id",
            "name",
            "state",
            "dry_run",
            "rows",
            "created",
            "updated",
            "unchanged",
            "broken",
            "removal",
            "removed",
            "restored",
            "error",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class ImportsView(APIView):
    scopes = {"GET": Scope.DOCUMENTS_READ}

    @extend_schema(
        operation_id="list_imports",
        summary="List the files that were imported, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(ImportSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        return page(self, request, Import.objects.filter(project=project).order_by("pk"), ImportSerializer)


class ImportView(APIView):
    scopes = {"GET": Scope.DOCUMENTS_READ, "DELETE": Scope.DOCUMENTS_WRITE}

    @extend_schema(operation_id="read_import", summary="Read one import", responses=ImportSerializer)
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = access.led_project_for(request.user, slug)
        return Response(ImportSerializer(get_object_or_404(project.imports, pk=number)).data)

    @extend_schema(
        operation_id="delete_imported",
        summary="Delete the documents of an import, with all that people said of them",
        responses={HTTPStatus.ACCEPTED: ImportSerializer},
    )
    def delete(self, request: Request, slug: str, number: int) -> Response:
        return _take_back(request, slug, number, ImportRemoval.DOCUMENTS)


class UndoImportView(APIView):
    scopes = {"POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="undo_import",
        summary="Undo an import that nobody has worked on",
        request=None,
        responses={HTTPStatus.ACCEPTED: ImportSerializer},
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        return _take_back(request, slug, number, ImportRemoval.UNDO)


def _take_back(request: Request, slug: str, number: int, removal: ImportRemoval) -> Response:
    """Begin it, and answer with the import, whose address tells how far it is. Twice is once."""
    project = access.led_project_for(request.user, slug)
    upload = get_object_or_404(project.imports, pk=number)
    try:
        opened = deletion.begin(upload=upload, removal=removal, by=access.signed_in(request.user))
    except Refused as refusal:
        raise Problem(HTTPStatus.CONFLICT, "not_taken_back", str(refusal)) from refusal
    tasks.wake(opened)
    upload.refresh_from_db()
    return Response(ImportSerializer(upload).data, status=HTTPStatus.ACCEPTED)
