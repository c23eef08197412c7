from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.models import Document
from annotate.models.documents import Lane
from annotate.models.jobs import JobKind
from annotate.services.imports.upsert import IncomingDocument, recorded, store_rows
from annotate.services.people.api_keys import Scope
from annotate.services.runs import schedule
from annotate.services.work import jobs
from training.storable import LIMITS, json_fault, text_fault
from training.types import Answer

MAX_DOCUMENTS = 5000


class DocumentSerializer(serializers.ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["id", "external_id", "text", "sha256", "meta", "lane", "created_at"]


class NewDocument(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=settings.IMPORT_MAX_CELL, trim_whitespace=False)
    external_id = serializers.CharField(required=False, allow_null=True, max_length=255)
    meta = serializers.DictField(
        required=False,
        help_text=f"Anything that should stay with the document: up to {LIMITS.keys:,} fields in all, "
        f"{LIMITS.depth} levels deep, {LIMITS.size:,} bytes of text.",
    )
    labels = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        allow_null=True,
        help_text="Kept as the answer of the annotator `import`; an empty list is the answer `none applies`.",
    )

    def validate_meta(self, meta: dict[str, Any]) -> dict[str, Any]:
        if fault := json_fault(meta):
            place = fault.pointer or "/"
            raise serializers.ValidationError(f"What is kept beside the text {fault.reason}, at {place}.")
        return meta


class DocumentsRequest(serializers.Serializer[Any]):
    documents = NewDocument(many=True, max_length=MAX_DOCUMENTS, allow_empty=False)  # type: ignore[call-arg]
    gold = serializers.BooleanField(default=False, help_text="Keep the labels as gold.")
    create_labels = serializers.BooleanField(default=False, help_text="Make labels that do not exist yet.")
    dry_run = serializers.BooleanField(default=False, help_text="Only say what would happen.")


class RowProblem(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="The place in `documents`, from 0.")
    reason = serializers.CharField()


class DocumentsResponse(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    broken = serializers.IntegerField(help_text="Rows that did not go in; the rest did.")
    pool = serializers.IntegerField(help_text="How many of the created ones models may learn from.")
    holdout = serializers.IntegerField(help_text="How many of the created ones only measure.")
    missing_labels = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Labels that the project does not offer, with the number of documents that were stored "
        "without a decision because of them; an empty name stands for all labels beyond the first 100.",
    )
    unfit_answers = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Why no document of the project can have some of the answers, with the number of documents "
        "that were stored without a decision because of it; an empty name stands for all reasons beyond the "
        "first 100.",
    )
    problems = RowProblem(many=True)


class DocumentsView(APIView):
    """Listed to leads and reviewers only, because annotators are not to know which documents are holdout."""

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
        project = access.reviewed_project_for(request.user, slug)
        documents = Document.objects.filter(project=project)
        if lane := request.query_params.get("lane"):
            if lane not in Lane.values:
                raise serializers.ValidationError({"lane": f"The lane is one of {', '.join(Lane.values)}."})
            documents = documents.filter(lane=lane)
        if external_id := request.query_params.get("external_id"):
            if reason := text_fault(external_id):
                raise serializers.ValidationError({"external_id": f"The id {reason}."})
            documents = documents.filter(external_id=external_id)
        return page(self, request, documents, DocumentSerializer)

    @extend_schema(
        operation_id="store_documents",
        summary="Add documents, or update them by external id, else by text",
        request=DocumentsRequest,
        responses=DocumentsResponse,
    )
    def post(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        asked = checked(DocumentsRequest, request.data)
        rows = [_row(number, document) for number, document in enumerate(asked.pop("documents"))]
        note = None if asked["dry_run"] else recorded(project=project, by=access.signed_in(request.user))
        counts = store_rows(project=project, rows=rows, on_chunk=note, **asked)
        if not asked["dry_run"]:
            tasks.wake(jobs.ask(kind=JobKind.VECTORS, project=project))
            tasks.wake(schedule.open_if_due(project=project))
        told = {name: getattr(counts, name) for name in ("created", "updated", "unchanged", "broken")}
        told |= {"pool": counts.lanes.pool, "holdout": counts.lanes.holdout}
        told |= {"missing_labels": counts.missing, "unfit_answers": counts.unfit}
        problems = [{"index": number, "reason": reason} for number, reason in counts.problems]
        return Response({**told, "problems": problems})


def _row(number: int, document: dict[str, Any]) -> IncomingDocument:
    labels = document.get("labels")
    return IncomingDocument(
        text=document["text"],
        external_id=document.get("external_id") or "",
        answer=None if labels is None else Answer(tuple(labels)),
        meta=document.get("meta", {}),
        number=number,
    )
