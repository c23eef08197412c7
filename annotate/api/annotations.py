from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.answers import NamedAnswers
from annotate.api.base.errors import Problem
from annotate.api.base.fields import SpanField
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.forms.keys import as_key
from annotate.models import Annotation, AnnotationSpan, Label
from annotate.models.annotations import DECIDABLE, Outcome
from annotate.services.labeling import api_decisions, decisions
from annotate.services.people.api_keys import Scope
from annotate.services.runs import schedule
from annotate.task_types.span import MOST_SPANS


class KeptSpan(serializers.ModelSerializer[AnnotationSpan]):
    label = serializers.CharField(source="label.name")  # type: ignore[assignment]

    class Meta:
        model = AnnotationSpan
        fields = ["start", "end", "label"]


class AnnotationSerializer(serializers.ModelSerializer[Annotation]):
    annotator = serializers.CharField(source="annotator.username")
    external_id = serializers.CharField(source="document.external_id", allow_null=True)
    labels = serializers.SlugRelatedField[Label](slug_field="name", many=True, read_only=True)
    spans = KeptSpan(many=True, read_only=True)

    class Meta:
        model = Annotation
        fields = [
            "id",
            "document",
            "external_id",
            "annotator",
            "outcome",
            "labels",
            "spans",
            "reason",
            "seconds",
            "source",
            "is_gold",
            "guidelines_version",
            "created_at",
            "updated_at",
        ]


KEY_HELP = (
    "Names this decision. The same request sent again with its key changes nothing; with another document or "
    "another decision it is refused with 409 (`key_reused`)."
)


LABELS_HELP = "Names of labels; an answer needs them, and an empty list says that none of the labels applies."


SPANS_HELP = (
    "Of a project that labels pieces of texts: an answer needs them, and an empty list says that there is "
    "nothing in the text."
)
DIGEST_HELP = (
    "The SHA-256 of the text that the spans are of, as `sha256` of the document: they are refused where the "
    "text has been changed since."
)


class AnnotationRequest(serializers.Serializer[Any]):
    key = serializers.UUIDField(required=False, help_text=KEY_HELP)
    document = serializers.IntegerField(required=False, min_value=1, help_text="Its id; or `external_id`.")
    external_id = serializers.CharField(required=False, max_length=255)
    outcome = serializers.ChoiceField(
        [(outcome.value, outcome.label) for outcome in DECIDABLE], default=Outcome.ANSWERED
    )
    labels = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=1000, help_text=LABELS_HELP
    )
    spans = SpanField(many=True, required=False, max_length=MOST_SPANS, help_text=SPANS_HELP)  # type: ignore[call-arg]
    sha256 = serializers.CharField(required=False, max_length=64, help_text=DIGEST_HELP)
    seconds = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=86_400)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=10_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("document" in attrs) == ("external_id" in attrs):
            raise serializers.ValidationError(_("Name the document by either `document` or `external_id`."))
        if attrs["outcome"] == Outcome.ANSWERED and not {"labels", "spans"} & {*attrs}:
            sentence = _("An answer needs `labels`; an empty list says that none of the labels applies.")
            raise serializers.ValidationError({"labels": sentence})
        return attrs


class AnnotationsView(APIView):
    scopes = {"GET": Scope.ANNOTATIONS_READ, "POST": Scope.ANNOTATIONS_WRITE}

    @extend_schema(
        operation_id="list_annotations",
        summary="List annotations: a lead or a reviewer everybody's, an annotator their own",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("document", int, description="Only those of this document, by its id."),
        ],
        responses=paged(AnnotationSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        user = access.signed_in(request.user)
        project = access.project_for(user, slug)
        rows = project.annotations.select_related("annotator", "document").prefetch_related(
            "labels", "spans__label"
        )
        # Annotators see their own answers only, so that they answer without knowing those of others.
        if not access.reviews(user, project):
            rows = rows.filter(annotator=user)
        if document := request.query_params.get("document"):
            if (key := as_key(document)) is None:
                raise serializers.ValidationError({"document": _("This is not the id of a document.")})
            rows = rows.filter(document=key)
        return page(self, request, rows, AnnotationSerializer)

    @extend_schema(
        operation_id="annotate",
        summary="Annotate a document as yourself; a second answer revises the first",
        request=AnnotationRequest,
        responses={201: AnnotationSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        user = access.signed_in(request.user)
        project = access.project_for(user, slug)
        asked = checked(AnnotationRequest, request.data)
        wanted = {name: asked[name] for name in ("external_id",) if name in asked}
        wanted |= {"pk": asked["document"]} if "document" in asked else {}
        document = get_object_or_404(project.documents.select_related("project"), **wanted)
        try:
            annotation = api_decisions.submit(
                document=document,
                annotator=user,
                key=asked.get("key") or uuid.uuid4(),
                outcome=asked["outcome"],
                answer=NamedAnswers(project).read(asked, is_needed=asked["outcome"] == Outcome.ANSWERED),
                digest=asked.get("sha256", ""),
                seconds=asked.get("seconds"),
                reason=asked.get("reason", ""),
            )
        except api_decisions.KeyReused as reused:
            raise Problem(HTTPStatus.CONFLICT, "key_reused", str(reused)) from reused
        except decisions.Rejected as rejection:
            raise Problem(HTTPStatus.CONFLICT, "rejected", str(rejection)) from rejection
        tasks.wake(schedule.open_if_due(project=project))
        return Response(AnnotationSerializer(annotation).data, status=HTTPStatus.CREATED)
