from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import page
from annotate.forms.keys import as_key
from annotate.models import Event
from annotate.models.events import EventKind
from annotate.services.pages import events as log
from annotate.services.people.api_keys import Scope


class EventSerializer(serializers.ModelSerializer[Event]):
    by = serializers.CharField(
        source="by_name", help_text="Who did it, as they were called then; empty: the site."
    )
    document = serializers.IntegerField(source="document_id", allow_null=True)
    sentence = serializers.SerializerMethodField(help_text="The event as the site tells it.")

    class Meta:
        model = Event
        fields = ["id", "at", "kind", "by", "document", "subject", "details", "sentence"]

    def get_sentence(self, event: Event) -> str:
        return log.sentence(event)


class EventsView(APIView):
    scopes = {"GET": Scope.EVENTS_READ}

    @extend_schema(
        operation_id="list_events",
        summary="List what people changed in a project, oldest first",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("kind", str, enum=EventKind.values, description="Only this kind."),
            OpenApiParameter("document", int, description="Only of this document, gone or not."),
        ],
        responses=paged(EventSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        rows = Event.objects.filter(project_id=project.pk)
        if kind := request.query_params.get("kind"):
            if kind not in EventKind.values:
                raise serializers.ValidationError({"kind": _("There is no event of this kind.")})
            rows = rows.filter(kind=kind)
        if document := request.query_params.get("document"):
            if (key := as_key(document)) is None:
                raise serializers.ValidationError({"document": _("This is not the id of a document.")})
            rows = rows.filter(document_id=key)
        return page(self, request, rows, EventSerializer)
