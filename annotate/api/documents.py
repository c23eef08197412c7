from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.errors import Problem
from annotate.api.base.fields import SpanField
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.forms.documents import FilterForm
from annotate.models import Comment, Document, Project
from annotate.models.jobs import JobKind
from annotate.services.deletion import document as deletion
from annotate.services.documents import changes, comments, filters
from annotate.services.imports.upsert import IncomingDocument, recorded, store_rows
from annotate.services.people.api_keys import Scope
from annotate.services.projects.refused import Refused
from annotate.services.runs import schedule
from annotate.services.work import jobs
from annotate.task_types.span import MOST_SPANS
from training.storable import LIMITS, json_fault, text_fault
from training.types import Answer, Span

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
    spans = SpanField(  # type: ignore[call-arg]
        many=True,
        required=False,
        allow_null=True,
        max_length=MOST_SPANS,
        help_text="The same in a project that labels pieces of texts; an empty list says that there is none.",
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


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author = serializers.CharField(source="author.username")

    class Meta:
        model = Comment
        fields = ["id", "author", "text", "created_at"]


class CommentRequest(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=comments.LONGEST)
    key = serializers.UUIDField(
        required=False, help_text="Names this comment: the same request sent again keeps one."
    )


class DocumentChange(serializers.Serializer[Any]):
    meta = serializers.DictField(
        help_text="The keys to set; `null` removes a key, and what is not named stays. A text is changed by "
        "adding it again with its `external_id`."
    )

    def validate_meta(self, meta: dict[str, Any]) -> dict[str, Any]:
        if fault := json_fault(meta):
            place = fault.pointer or "/"
            raise serializers.ValidationError(f"What is kept beside the text {fault.reason}, at {place}.")
        return meta


FILTER_PARAMETERS = [
    OpenApiParameter(name, str, description=f"As on the documents page: {entry.title}.")
    for name, entry in filters.FILTERS.items()
]


class DocumentsView(APIView):
    """Listed to leads and reviewers only, because annotators are not to know which documents are holdout."""

    scopes = {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="list_documents",
        summary="List documents that fit the filters, oldest first",
        parameters=[
            *PAGE_PARAMETERS,
            *FILTER_PARAMETERS,
            OpenApiParameter("external_id", str, description="Only the document of this external id."),
        ],
        responses=paged(DocumentSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        documents = filters.find(project, _wanted(request, project))
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


def _wanted(request: Request, project: Project) -> dict[str, Any]:
    """Return the filters of a request. One that is not known, or has no such value, is a mistake: a program
    must not get all documents where it has asked for a few."""
    form = FilterForm(request.query_params, project=project)
    wanted = form.wanted
    if form.errors:
        raise serializers.ValidationError(
            {name: [str(sentence) for sentence in told] for name, told in form.errors.items()}
        )
    known = {*form.fields, *(parameter.name for parameter in PAGE_PARAMETERS), "external_id"}
    if unknown := sorted(set(request.query_params) - known):
        sentence = _("There is no filter of this name; there are %(names)s.")
        raise serializers.ValidationError({unknown[0]: sentence % {"names": ", ".join(sorted(form.fields))}})
    return wanted


class DocumentView(APIView):
    scopes = {
        "GET": Scope.DOCUMENTS_READ,
        "PATCH": Scope.DOCUMENTS_WRITE,
        "DELETE": Scope.DOCUMENTS_WRITE,
    }

    @extend_schema(operation_id="read_document", summary="Read one document", responses=DocumentSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        return Response(DocumentSerializer(get_object_or_404(project.documents, pk=pk)).data)

    @extend_schema(
        operation_id="change_document",
        summary="Change what stands beside a text",
        request=DocumentChange,
        responses=DocumentSerializer,
    )
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        project = access.led_project_for(request.user, slug)
        document = get_object_or_404(project.documents.select_related("project"), pk=pk)
        meta = checked(DocumentChange, request.data)["meta"]
        try:
            changed = changes.change_metadata(
                document=document, changes=meta, by=access.signed_in(request.user)
            )
        except ValueError as error:
            raise serializers.ValidationError({"meta": str(error)}) from error
        return Response(DocumentSerializer(changed).data)

    @extend_schema(
        operation_id="delete_document",
        summary="Delete a document with all that was made of its text; nobody can bring it back",
        responses={204: None},
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        project = access.led_project_for(request.user, slug)
        document = get_object_or_404(project.documents.select_related("project"), pk=pk)
        try:
            deletion.delete(document=document, by=access.signed_in(request.user))
        except Refused as refusal:
            raise Problem(HTTPStatus.CONFLICT, "refused", str(refusal)) from refusal
        return Response(status=HTTPStatus.NO_CONTENT)


class CommentsView(APIView):
    scopes = {"GET": Scope.DOCUMENTS_READ, "POST": Scope.DOCUMENTS_WRITE}

    @extend_schema(
        operation_id="list_comments",
        summary="List the comments on a document, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(CommentSerializer),
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        document = get_object_or_404(project.documents, pk=pk)
        return page(self, request, comments.of_document(document), CommentSerializer)

    @extend_schema(
        operation_id="comment",
        summary="Comment on a document as yourself",
        request=CommentRequest,
        responses={201: CommentSerializer},
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        project = access.reviewed_project_for(request.user, slug)
        document = get_object_or_404(project.documents.select_related("project"), pk=pk)
        asked = checked(CommentRequest, request.data)
        comment = comments.add(
            document=document,
            by=access.signed_in(request.user),
            key=asked.get("key") or uuid.uuid4(),
            text=asked["text"],
        )
        if (comment.document_id, comment.author_id) != (pk, request.user.pk):
            sentence = _("This key names another comment; make a new key for each.")
            raise Problem(HTTPStatus.CONFLICT, "key_reused", sentence)
        return Response(CommentSerializer(comment).data, status=HTTPStatus.CREATED)


def _row(number: int, document: dict[str, Any]) -> IncomingDocument:
    labels, spans = document.get("labels"), document.get("spans")
    given = tuple(Span(one["start"], one["end"], one["label"]) for one in spans or ())
    return IncomingDocument(
        text=document["text"],
        external_id=document.get("external_id") or "",
        answer=None if labels is None and spans is None else Answer(tuple(labels or ()), given),
        meta=document.get("meta", {}),
        number=number,
    )
