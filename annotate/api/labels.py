"""The labels of a project: listed, made, changed, put in order, archived, merged and split."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.errors import Problem
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.scopes import ANY_TOKEN
from annotate.api.base.views import checked, page
from annotate.forms.keys import LARGEST_KEY, as_key
from annotate.forms.projects import LONGEST_NAME
from annotate.models import Annotation, Job, Label, Project
from annotate.models.jobs import JobKind
from annotate.models.work import WorkState
from annotate.services.bulk import splitting
from annotate.services.people.api_keys import Scope
from annotate.services.projects import labels, merging
from annotate.services.projects.labels import LabelEdit
from annotate.services.projects.refused import Refused
from annotate.task_types import label_names

MOST_LABELS = 1000
KEY_OF_A_LABEL = {"min_value": 1, "max_value": LARGEST_KEY}


class LabelRowSerializer(serializers.ModelSerializer[Label]):
    """A label, an archived one too: then `archived_at` says since when, `merged_into` what it became."""

    class Meta:
        model = Label
        fields = [
            "id", "name", "description", "hotkey", "position", "of_spans", "archived_at", "merged_into",
        ]  # fmt: skip


class NewLabelRequest(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=LONGEST_NAME)
    description = serializers.CharField(max_length=10_000, default="", allow_blank=True)


class MadeLabelRequest(NewLabelRequest):
    of_spans = serializers.BooleanField(
        default=False,
        help_text="In a project of labels and spans: it is given to pieces of the text. It stays so.",
    )


class LabelRequest(serializers.Serializer[Any]):
    """What changes; what it leaves out stays as it is."""

    name = serializers.CharField(max_length=LONGEST_NAME, required=False)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    hotkey = serializers.CharField(
        max_length=1,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="The key that chooses it on the labelling page; empty for none.",
    )


class OrderRequest(serializers.Serializer[Any]):
    labels = serializers.ListField(
        child=serializers.IntegerField(**KEY_OF_A_LABEL),
        min_length=1,
        max_length=MOST_LABELS,
        help_text="Ids in the order that the labels are to have; those that it leaves out stand behind them.",
    )


class MergeRequest(serializers.Serializer[Any]):
    into = serializers.IntegerField(**KEY_OF_A_LABEL, help_text="The id of the label that it becomes.")


class SplitRequest(serializers.Serializer[Any]):
    labels = NewLabelRequest(  # type: ignore[call-arg]
        many=True, min_length=splitting.FEWEST_PARTS, max_length=MOST_LABELS,
        help_text="What takes its place; those that are not there yet are made.",
    )  # fmt: skip
    people = serializers.ListField(
        child=serializers.CharField(max_length=150),
        required=False,
        min_length=1,
        help_text="User names of those who label its documents again; you alone if you leave it out.",
    )


class MergeSerializer(serializers.Serializer[Any]):
    label = serializers.IntegerField()  # type: ignore[assignment]
    into = serializers.IntegerField()
    state = serializers.ChoiceField(
        choices=["previewed", *WorkState.values], help_text="`previewed` until it is merged."
    )
    answers = serializers.IntegerField(help_text="How many answers still have the label.")
    consequences = serializers.ListField(
        child=serializers.CharField(), help_text="What the merge means, in a preview."
    )
    error = serializers.CharField(help_text="Why changing its answers has failed.")


class SplitSerializer(serializers.Serializer[Any]):
    labels = LabelRowSerializer(many=True, help_text="Those that take its place.")
    bulk = serializers.IntegerField(
        allow_null=True,
        help_text="The change that makes the list of its documents, at `bulk/ID`; `null` if it had none.",
    )


class LabelsView(APIView):
    scopes = {"GET": ANY_TOKEN, "POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="list_labels",
        summary="List the labels of a project, archived and merged ones too, oldest first",
        parameters=PAGE_PARAMETERS,
        responses=paged(LabelRowSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        return page(self, request, access.project_for(request.user, slug).labels.all(), LabelRowSerializer)

    @extend_schema(
        operation_id="create_label",
        summary="Make a label; it gets the next free key",
        request=MadeLabelRequest,
        responses={HTTPStatus.CREATED: LabelRowSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        project, lead = access.led_project_for(request.user, slug), access.signed_in(request.user)
        asked = checked(MadeLabelRequest, request.data)
        wanted, of_spans = [(asked["name"], asked["description"])], asked["of_spans"]
        try:
            (label,) = labels.add_labels(project=project, labels=wanted, by=lead, of_spans=of_spans)
        except Refused as refusal:
            raise _problem(refusal) from refusal
        return Response(LabelRowSerializer(label).data, status=HTTPStatus.CREATED)


class LabelView(APIView):
    scopes = {"GET": ANY_TOKEN, "PATCH": Scope.LABELS_WRITE}

    @extend_schema(operation_id="read_label", summary="Read one label", responses=LabelRowSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        label = get_object_or_404(access.project_for(request.user, slug).labels, pk=pk)
        return Response(LabelRowSerializer(label).data)

    @extend_schema(
        operation_id="change_label",
        summary="Rename or describe a label, or give it another key; its answers stay",
        request=LabelRequest,
        responses=LabelRowSerializer,
    )
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        label = _label(request, slug, pk)
        edit = LabelEdit(pk=pk, **checked(LabelRequest, request.data))
        try:
            labels.update_labels(project=label.project, edits=[edit], by=access.signed_in(request.user))
        except Refused as refusal:
            raise _problem(refusal) from refusal
        return _changed(label)


class LabelOrderView(APIView):
    scopes = {"POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="order_labels",
        summary="Put the labels into another order, which no model depends on",
        request=OrderRequest,
        responses=LabelRowSerializer(many=True),
    )
    def post(self, request: Request, slug: str) -> Response:
        project, lead = access.led_project_for(request.user, slug), access.signed_in(request.user)
        order = checked(OrderRequest, request.data)["labels"]
        known = set(project.labels.live().values_list("pk", flat=True))
        if unknown := [key for key in order if key not in known]:
            sentence = _("The project offers no label with the id %(id)s.") % {"id": unknown[0]}
            raise serializers.ValidationError({"labels": sentence})
        labels.reorder(project=project, order=order, by=lead)
        return Response(LabelRowSerializer(project.labels.live(), many=True).data)


class ArchiveLabelView(APIView):
    scopes = {"POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="archive_label",
        summary="Offer and learn a label no longer; its answers keep it",
        request=None,
        responses=LabelRowSerializer,
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        label = _label(request, slug, pk)
        labels.archive_label(label=label, by=access.signed_in(request.user))
        return _changed(label)


class RestoreLabelView(APIView):
    scopes = {"POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="restore_label",
        summary="Offer an archived label again; a merged one gets its answers back, but those given anew",
        request=None,
        responses=LabelRowSerializer,
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        label, lead = _label(request, slug, pk), access.signed_in(request.user)
        with transaction.atomic():
            opened = labels.restore_label(label=label, by=lead)
            transaction.on_commit(partial(tasks.wake, opened))
        return _changed(label)


class MergeLabelView(APIView):
    scopes = {"GET": Scope.LABELS_WRITE, "POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="read_merge",
        summary="Tell what merging a label would do; of one that is merged, how far that is",
        parameters=[OpenApiParameter("into", int, description="The label that it would become, by its id.")],
        responses=MergeSerializer,
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        label = _label(request, slug, pk)
        if label.merged_into_id is None:
            named = as_key(request.query_params.get("into", ""))
            return Response(_previewed(label, _into(label.project, named)))
        return Response(_merged(label))

    @extend_schema(
        operation_id="merge_label",
        summary="Let a label be another one from now on; restoring it takes that back",
        request=MergeRequest,
        responses={HTTPStatus.ACCEPTED: MergeSerializer},
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        label, lead = _label(request, slug, pk), access.signed_in(request.user)
        into = _into(label.project, checked(MergeRequest, request.data)["into"])
        if label.merged_into_id != into.pk:  # asked for twice is once
            try:
                with transaction.atomic():
                    opened = merging.merge(label=label, into=into, by=lead)
                    transaction.on_commit(partial(tasks.wake, opened))
            except Refused as refusal:
                raise _problem(refusal) from refusal
            label.refresh_from_db()
        return Response(_merged(label), status=HTTPStatus.ACCEPTED)


class SplitLabelView(APIView):
    scopes = {"POST": Scope.LABELS_WRITE}

    @extend_schema(
        operation_id="split_label",
        summary="Archive a label and have its documents labelled again, between those that take its place",
        request=SplitRequest,
        responses={HTTPStatus.ACCEPTED: SplitSerializer},
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        label, lead = _label(request, slug, pk), access.signed_in(request.user)
        asked = checked(SplitRequest, request.data)
        known = {name: key for key, name in label.project.people_to_ask(lead)}
        people = asked.get("people", [lead.username])
        if unknown := [name for name in people if name not in known]:
            sentence = _("“%(name)s” is not in this project.") % {"name": unknown[0]}
            raise serializers.ValidationError({"people": sentence})
        parts = [(label_names.tidy(part["name"]), part["description"]) for part in asked["labels"]]
        try:
            if label.archived_at:
                sentence = _("“%(name)s” is archived. Restore it first, or choose another.")
                raise Refused(sentence % {"name": label.name})
            with transaction.atomic():
                rows = splitting.split(
                    label=label, parts=parts, people=[known[name] for name in people], by=lead
                )
                transaction.on_commit(partial(tasks.wake, rows))
        except Refused as refusal:
            raise _problem(refusal) from refusal
        new = label.project.labels.live().filter(name__in=[name for name, _description in parts])
        told = {"labels": LabelRowSerializer(new, many=True).data, "bulk": rows[0].pk if rows else None}
        return Response(told, status=HTTPStatus.ACCEPTED)


def _label(request: Request, slug: str, pk: int) -> Label:
    project = access.led_project_for(request.user, slug)
    return get_object_or_404(project.labels.select_related("project"), pk=pk)


def _changed(label: Label) -> Response:
    label.refresh_from_db()
    return Response(LabelRowSerializer(label).data)


def _into(project: Project, key: int | None) -> Label:
    into = project.labels.filter(pk=key or 0).first()
    if into is None:
        raise serializers.ValidationError({"into": _("Name a label of this project by its id.")})
    return into


def _previewed(label: Label, into: Label) -> dict[str, Any]:
    try:
        told = merging.consequences(label, into)
    except Refused as refusal:
        raise _problem(refusal) from refusal
    names = {"label": label.pk, "into": into.pk, "state": "previewed"}
    return names | {
        "answers": Annotation.objects.with_label(label.pk).count(),
        "consequences": told,
        "error": "",
    }


def _merged(label: Label) -> dict[str, Any]:
    """Tell how far a merge is. Where answers are left that no job is about, the tick asks for one."""
    left = Annotation.objects.with_label(label.pk).count()
    job = Job.objects.filter(project=label.project_id, kind=JobKind.MERGE).order_by("-pk").first()
    state, error = WorkState.SUCCEEDED, ""
    if left:
        is_over = job is None or job.state == WorkState.SUCCEEDED
        state, error = (WorkState.QUEUED, "") if is_over or job is None else (WorkState(job.state), job.error)
    names = {"label": label.pk, "into": label.merged_into_id, "state": state}
    return names | {"answers": left, "consequences": [], "error": error}


def _problem(refusal: Refused) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "refused", str(refusal))
