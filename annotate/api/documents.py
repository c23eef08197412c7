from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.schema import PAGE_PARAMETERS, paged
from annotate.api.views import page
from annotate.models import Document, Project
from annotate.models.documents import Lane
from annotate.services.tokens import Scope


class DocumentSerializer(serializers.ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["id", "external_id", "text", "sha256", "meta", "lane", "created_at"]


class DocumentsView(APIView):
    """A lead's, because the lane of a document is not for annotators to know."""

    scopes = {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="list_documents",
        summary="List documents, oldest first",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("lane", str, enum=Lane.values, description="Only this lane."),
            OpenApiParameter("external_id", str, description="Only the document of this external id."),
        ],
        responses=paged(DocumentSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        return page(self, request, _wanted(project, request), DocumentSerializer)


def _wanted(project: Project, request: Request) -> QuerySet[Document]:
    documents = Document.objects.filter(project=project)
    if lane := request.query_params.get("lane"):
        if lane not in Lane.values:
            raise serializers.ValidationError({"lane": f"The lane is one of {', '.join(Lane.values)}."})
        documents = documents.filter(lane=lane)
    if external_id := request.query_params.get("external_id"):
        documents = documents.filter(external_id=external_id)
    return documents
