from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access, tasks
from annotate.api.base.answers import NamedAnswers
from annotate.api.base.errors import Problem
from annotate.api.base.fields import SpanField
from annotate.api.base.views import checked
from annotate.services.drift import feedback, prediction_ids
from annotate.services.labeling import decisions
from annotate.services.people.api_keys import Scope
from annotate.services.runs import schedule
from annotate.task_types.span import MOST_SPANS

MOST = 100  # of a request: each may become an annotation
DAYS = feedback.WITHIN.days


class FeedbackItem(serializers.Serializer[Any]):
    id = serializers.CharField(
        max_length=prediction_ids.LONGEST, help_text=f"Of a prediction of the last {DAYS} days."
    )
    labels = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=1000,
        help_text="The names of the right labels; an empty list says that none applies.",
    )
    spans = SpanField(many=True, required=False, max_length=MOST_SPANS)  # type: ignore[call-arg]


class FeedbackRequest(serializers.Serializer[Any]):
    feedback = FeedbackItem(many=True, min_length=1, max_length=MOST)  # type: ignore[call-arg]


class FeedbackResult(serializers.Serializer[Any]):
    id = serializers.CharField()
    was_right = serializers.BooleanField(help_text="Whether the model had answered that.")
    annotation = serializers.IntegerField(
        allow_null=True, help_text="The annotation that it became; null where it is only counted."
    )
    detail = serializers.CharField(help_text="Why it is only counted, else empty.")


class FeedbackResponse(serializers.Serializer[Any]):
    feedback = FeedbackResult(many=True)


class FeedbackView(APIView):
    scopes = {"POST": Scope.FEEDBACK}

    @extend_schema(
        operation_id="give_feedback",
        summary=f"Say what is right of up to {MOST} predictions; the same again changes nothing",
        request=FeedbackRequest,
        responses=FeedbackResponse,
    )
    def post(self, request: Request, slug: str) -> Response:
        user = access.signed_in(request.user)
        project = access.project_for(user, slug)
        asked = checked(FeedbackRequest, request.data)["feedback"]
        named = NamedAnswers(project)
        right = [(one["id"], named.read(one)) for one in asked]
        try:
            given = feedback.give(project=project, by=user, right=right)
        except feedback.FeedbackDiffers as other:
            pointer = f"#/feedback/{other.place}/id"
            raise Problem(HTTPStatus.CONFLICT, "feedback_differs", str(other), pointer) from other
        except feedback.FeedbackRefused as refusal:
            pointer = f"#/feedback/{refusal.place}/id"
            raise Problem(HTTPStatus.BAD_REQUEST, "unknown_prediction", str(refusal), pointer) from refusal
        except decisions.Rejected as rejection:
            raise Problem(HTTPStatus.CONFLICT, "rejected", str(rejection)) from rejection
        tasks.wake(schedule.open_if_due(project=project))
        results = [
            {
                "id": name,
                "was_right": one.row.is_right,
                "annotation": one.row.annotation_id,
                "detail": one.why_counted,
            }
            for (name, _answer), one in zip(right, given, strict=True)
        ]
        return Response({"feedback": results})
