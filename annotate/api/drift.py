from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import page
from annotate.models import DriftAlarm, PredictionWindow
from annotate.services.drift import alarms
from annotate.services.people.api_keys import Scope


class MovedLabelSerializer(serializers.Serializer[Any]):
    label = serializers.IntegerField(allow_null=True, help_text="Its id; null: no label.")  # type: ignore[assignment]
    before = serializers.FloatField(help_text="Its share of the texts that is usual.")
    now = serializers.FloatField()


class WindowSerializer(serializers.ModelSerializer[PredictionWindow]):
    version = serializers.IntegerField(source="version.number", allow_null=True)
    moved = serializers.SerializerMethodField(help_text="The labels that speak most for a change.")

    class Meta:
        model = PredictionWindow
        fields = [
            "id",
            "version",
            "texts",
            "imported",
            "began_at",
            "ended_at",
            "distance",
            "limit",
            "kl",
            "js",
            "psi",
            "moved",
            "readings",
            "is_outside",
            "is_usual",
        ]

    @extend_schema_field(MovedLabelSerializer(many=True))
    def get_moved(self, row: PredictionWindow) -> list[dict[str, Any]]:
        return [
            {"label": int(key) if key else None, "before": before, "now": now}
            for key, before, now in row.moved
        ]


class AlarmSerializer(serializers.ModelSerializer[DriftAlarm]):
    version = serializers.IntegerField(source="version.number", allow_null=True)
    seen_by = serializers.CharField(source="seen_by.username", allow_null=True)
    ended_by = serializers.CharField(
        source="ended_by.username",
        allow_null=True,
        help_text="Who said that this is usual; null where its texts were answered and learned.",
    )

    class Meta:
        model = DriftAlarm
        fields = [
            "id",
            "window",
            "version",
            "queued",
            "raised_at",
            "seen_at",
            "seen_by",
            "ended_at",
            "ended_by",
        ]


class WindowsView(APIView):
    scopes = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="list_drift_windows",
        summary="List the windows of what was predicted, each against what was usual",
        parameters=PAGE_PARAMETERS,
        responses=paged(WindowSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        return page(self, request, project.prediction_windows.select_related("version"), WindowSerializer)


class AlarmsView(APIView):
    scopes = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="list_drift_alarms",
        summary="List the alarms of drift; one without `ended_at` is open",
        parameters=PAGE_PARAMETERS,
        responses=paged(AlarmSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        rows = project.drift_alarms.select_related("version", "seen_by", "ended_by")
        return page(self, request, rows, AlarmSerializer)


class SeenAlarmView(APIView):
    scopes = {"POST": Scope.MODELS_WRITE}

    @extend_schema(
        operation_id="see_drift_alarm",
        summary="Note that you have seen an alarm",
        request=None,
        responses=AlarmSerializer,
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user = access.signed_in(request.user)
        alarm = _alarm(request, slug, pk)
        alarms.note_seen(alarm=alarm, by=user)
        return Response(AlarmSerializer(_alarm(request, slug, pk)).data)


class UsualAlarmView(APIView):
    scopes = {"POST": Scope.MODELS_WRITE}

    @extend_schema(
        operation_id="take_drift_as_usual",
        summary="End an alarm: what raised it is usual from now on",
        request=None,
        responses=AlarmSerializer,
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user = access.signed_in(request.user)
        alarm = _alarm(request, slug, pk)
        alarms.take_as_usual(alarm=alarm, by=user)
        return Response(AlarmSerializer(_alarm(request, slug, pk)).data)


def _alarm(request: Request, slug: str, pk: int) -> DriftAlarm:
    project = access.led_project_for(request.user, slug)
    rows = project.drift_alarms.select_related("project", "version", "seen_by", "ended_by")
    return get_object_or_404(rows, pk=pk)
