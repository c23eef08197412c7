from __future__ import annotations

from django.http import Http404, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from annotate import access
from annotate.services.exports import formats
from annotate.services.people.api_keys import Scope


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
