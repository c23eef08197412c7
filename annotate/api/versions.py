from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

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
from annotate.models import ClassMetric, ModelVersion
from annotate.models.jobs import JobKind
from annotate.services.people.api_keys import Scope
from annotate.services.versions import model_card, publication
from annotate.services.work import jobs


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    reason = serializers.CharField(
        source="why_not_measured",
        read_only=True,
        help_text="Why the figures are null, else empty.",
    )

    class Meta:
        model = ModelVersion
        fields = [
            "number",
            "family",
            "variant",
            "stage",
            "verdict",
            "labelled",
            "holdout_documents",
            "macro_f1",
            "macro_f1_low",
            "macro_f1_high",
            "micro_f1",
            "micro_f1_low",
            "micro_f1_high",
            "reason",
            "created_at",
            "published_at",
        ]


class ClassMetricSerializer(serializers.ModelSerializer[ClassMetric]):
    label = serializers.CharField(source="label.name")  # type: ignore[assignment]
    precision_interval = serializers.SerializerMethodField()
    recall_interval = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(help_text="Why the figures are null, else empty.")

    class Meta:
        model = ClassMetric
        fields = [
            "label",
            "threshold",
            "support",
            "hits",
            "decided",
            "precision",
            "precision_interval",
            "recall",
            "recall_interval",
            "f1",
            "f1_low",
            "f1_high",
            "reason",
        ]

    def get_precision_interval(self, row: ClassMetric) -> list[float] | None:
        return None if row.precision_interval is None else list(row.precision_interval)

    def get_recall_interval(self, row: ClassMetric) -> list[float] | None:
        return None if row.recall_interval is None else list(row.recall_interval)

    def get_reason(self, row: ClassMetric) -> str:
        return row.why_not_measured


class MetricsSerializer(serializers.Serializer[Any]):
    version = ModelVersionSerializer()
    per_class = ClassMetricSerializer(many=True, help_text="Null figures: `reason` says why.")


class VersionsView(APIView):
    scopes = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="list_versions",
        summary="List the model versions, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(ModelVersionSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        return page(self, request, project.versions.all(), ModelVersionSerializer)


class MetricsView(APIView):
    scopes = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="read_metrics",
        summary="Read a version's figures on the holdout lane, per class",
        responses=MetricsSerializer,
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        version = get_object_or_404(project.versions, number=number)
        metrics = version.class_metrics.select_related("label").order_by("label__position", "label_id")
        return Response(MetricsSerializer({"version": version, "per_class": metrics}).data)


class ModelCardSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    markdown = serializers.CharField(help_text="The card in English.")


class ModelCardView(APIView):
    scopes = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="read_model_card",
        summary="Read a version's model card: data, labels, figures, thresholds, limits and methods",
        responses=ModelCardSerializer,
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        version = get_object_or_404(project.versions.select_related("project", "run"), number=number)
        return Response({"number": version.number, "markdown": model_card.write(version)})


class PublishView(APIView):
    scopes = {"POST": Scope.MODELS_WRITE}

    @extend_schema(
        operation_id="publish_version",
        summary="Let a version serve",
        request=None,
        responses=ModelVersionSerializer,
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        user = access.signed_in(request.user)
        project = access.led_project_for(user, slug)
        version = get_object_or_404(project.versions, number=number)
        return _now_serving(partial(publication.publish, version=version, by=user))


class RollBackSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="The version to go back to; where another one served before by now, nothing is changed.",
    )


class RollBackView(APIView):
    scopes = {"POST": Scope.MODELS_WRITE}

    @extend_schema(
        operation_id="roll_back",
        summary="Publish again what served before; done again, go further back",
        request=RollBackSerializer,
        responses=ModelVersionSerializer,
    )
    def post(self, request: Request, slug: str) -> Response:
        user = access.signed_in(request.user)
        project = access.led_project_for(user, slug)
        sent = RollBackSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        number = sent.validated_data.get("number")
        return _now_serving(partial(publication.roll_back, project=project, by=user, number=number))


def _now_serving(change: Callable[[], ModelVersion]) -> Response:
    """Answer with the version that serves now, and have a worker score all documents with it."""
    try:
        version = change()
    except publication.NotPublished as refusal:
        raise Problem(HTTPStatus.CONFLICT, "not_published", str(refusal)) from refusal
    tasks.wake(jobs.ask(kind=JobKind.RESCORE, project=version.project, version=version))
    return Response(ModelVersionSerializer(version).data)
