from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.base.schema import paged
from annotate.api.base.scopes import ANY_TOKEN
from annotate.api.base.views import page
from annotate.models import Label, Project


class LabelSerializer(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ["id", "name", "description", "hotkey"]


class ProjectSerializer(serializers.ModelSerializer[Project]):
    labels = serializers.SerializerMethodField()
    families = serializers.ListField(
        child=serializers.CharField(), help_text="The model families that train by themselves."
    )

    class Meta:
        model = Project
        fields = [
            "slug",
            "name",
            "task",
            "guidelines",
            "guidelines_version",
            "families",
            "created_at",
            "labels",
        ]

    @extend_schema_field(LabelSerializer(many=True))
    def get_labels(self, project: Project) -> list[dict[str, object]]:
        live = [label for label in project.labels.all() if label.archived_at is None]
        return [dict(LabelSerializer(label).data) for label in live]


class ProjectsView(APIView):
    scopes = {"GET": ANY_TOKEN}

    @extend_schema(
        operation_id="list_projects",
        summary="List the projects of the token's user",
        responses=paged(ProjectSerializer),
    )
    def get(self, request: Request) -> Response:
        mine = Project.objects.of(access.signed_in(request.user)).prefetch_related("labels")
        return page(self, request, mine, ProjectSerializer)


class ProjectView(APIView):
    scopes = {"GET": ANY_TOKEN}

    @extend_schema(operation_id="read_project", summary="Read one project", responses=ProjectSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(ProjectSerializer(access.project_for(request.user, slug)).data)
