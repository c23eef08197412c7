from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import FileResponse, Http404, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.errors import Problem
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.forms.exports import ExportForm
from annotate.models import Export
from annotate.services.documents.spreadsheet import PARTS, ROWS
from annotate.services.exports import formats, job
from annotate.services.exports.contents import Contents
from annotate.services.people.api_keys import Scope
from annotate.services.projects.refused import Refused


class ExportView(APIView):
    scopes = {"GET": Scope.ANNOTATIONS_READ}

    @extend_schema(
        operation_id="export_annotations",
        summary="Stream all annotations with their documents",
        parameters=[
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=sorted(formats.FORMATS)),
            OpenApiParameter("everything", bool, description="Also documents nobody has decided on."),
        ],
        responses={(200, media): OpenApiTypes.BINARY for media in ("application/x-ndjson", "text/csv")},
    )
    # NB: not `format`: drf-spectacular leaves out every address with an argument of that name.
    def get(self, request: Request, slug: str, kind: str) -> StreamingHttpResponse:
        project = access.reviewed_project_for(request.user, slug)
        if kind not in formats.FORMATS:
            raise Http404
        everything = request.query_params.get("everything", "").lower() in {"1", "true", "yes"}
        return StreamingHttpResponse(
            formats.stream(project, kind, everything=everything, by=access.signed_in(request.user)),
            content_type=formats.FORMATS[kind],
            headers={"Content-Disposition": f'attachment; filename="{project.slug}.{kind}"'},
        )


class ExportRequest(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=list(formats.KNOWN))
    per = serializers.ChoiceField(
        choices=list(ROWS), default=Contents().per, help_text="What one row is about."
    )
    parts = serializers.ListField(
        child=serializers.ChoiceField(choices=list(PARTS)),
        default=list(Contents().parts),
        help_text="Which columns it has besides.",
    )
    whole = serializers.BooleanField(default=False, help_text="Also documents without an answer.")
    filters = serializers.DictField(
        child=serializers.CharField(),
        default=dict,
        help_text="Filters of the documents page by name, as its address has them.",
    )


class ExportSerializer(serializers.ModelSerializer[Export]):
    """How far an export is; `progress` goes from 0 to 1, and `error` says why one failed."""

    class Meta:
        model = Export
        fields = [
            "id", "format", "contents", "state", "progress", "error", "rows", "size", "created_at",
            "finished_at", "expires_at",
        ]  # fmt: skip


class ExportJobsView(APIView):
    scopes = {"GET": Scope.ANNOTATIONS_READ, "POST": Scope.ANNOTATIONS_READ}

    @extend_schema(
        operation_id="list_exports",
        summary="List the exports that are kept, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(ExportSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        return page(self, request, project.exports.all(), ExportSerializer)

    @extend_schema(
        operation_id="ask_for_export",
        summary="Ask for an export that a worker writes",
        request=ExportRequest,
        responses={202: ExportSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        asked = checked(ExportRequest, request.data)
        query = QueryDict(mutable=True)
        query.update({**asked["filters"], "per": asked["per"], "format": asked["format"]})
        query.setlist("part", asked["parts"])
        if asked["whole"]:
            query["whole"] = "1"
        form = ExportForm(query, project=project)
        if not form.is_valid():
            raise serializers.ValidationError(
                {name: list(map(str, told)) for name, told in form.errors.items()}
            )
        if faults := form.filter_faults(asked["filters"]):
            raise serializers.ValidationError({"filters": faults})
        try:
            export = job.ask(
                project=project,
                format=asked["format"],
                chosen=form.contents,
                by=access.signed_in(request.user),
            )
        except Refused as refusal:
            raise Problem(HTTPStatus.CONFLICT, "too_many_exports", str(refusal)) from refusal
        transaction.on_commit(partial(tasks.wake, [export]))
        return Response(ExportSerializer(export).data, status=HTTPStatus.ACCEPTED)


class ExportJobView(APIView):
    scopes = {"GET": Scope.ANNOTATIONS_READ}

    @extend_schema(
        operation_id="read_export", summary="Tell how far an export is", responses=ExportSerializer
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = access.led_project_for(request.user, slug)
        return Response(ExportSerializer(get_object_or_404(project.exports, pk=pk)).data)


class ExportFileView(APIView):
    scopes = {"GET": Scope.ANNOTATIONS_READ}

    @extend_schema(
        operation_id="download_export",
        summary="Download the file of an export that is done",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str, pk: int) -> FileResponse:
        project = access.led_project_for(request.user, slug)
        export = get_object_or_404(project.exports, pk=pk)
        if not export.file:
            sentence = _("This export has no file: its state is %(state)s.") % {"state": export.state}
            raise Problem(HTTPStatus.CONFLICT, "not_ready", sentence)
        return FileResponse(
            export.file.open(),
            as_attachment=True,
            filename=f"{project.slug}.{formats.KNOWN[export.format].suffix}",
            content_type=formats.KNOWN[export.format].media,
        )
