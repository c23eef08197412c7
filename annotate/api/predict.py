from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.base.errors import Problem
from annotate.api.base.throttles import TextThrottle
from annotate.models import Project
from annotate.services.drift import prediction_ids
from annotate.services.drift.counting import COUNTER
from annotate.services.people.api_keys import Scope
from annotate.services.versions import predictions
from annotate.services.versions.predictions import (
    MOST_NGRAMS,
    NothingPublished,
    NothingServes,
    Predictions,
    TextPrediction,
)

MAX_TEXTS = 1000
MAX_EXPLAINED = 100  # an explanation takes several times as long as its prediction


def _text_field(**options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=settings.IMPORT_MAX_CELL, trim_whitespace=False, allow_blank=True, **options
    )


class PredictRequest(serializers.Serializer[Any]):
    text = _text_field(required=False, help_text="One text; or give `texts`.")
    texts = serializers.ListField(
        child=_text_field(),
        required=False,
        min_length=1,
        max_length=MAX_TEXTS,
        help_text=f"Up to {MAX_TEXTS:,}.",
    )
    top = serializers.IntegerField(
        required=False,
        min_value=1,
        default=5,
        help_text="How many scores of each text come back; spans come all.",
    )
    explain = serializers.BooleanField(
        required=False, default=False, help_text=f"Tell why; for up to {MAX_EXPLAINED:,} texts of a request."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("text" in attrs) == ("texts" in attrs):
            raise serializers.ValidationError(_("Give either `text` or `texts`."))
        if attrs["explain"] and len(attrs.get("texts", ())) > MAX_EXPLAINED:
            raise serializers.ValidationError(
                {"texts": _("At most %(n)s texts can be explained in one request.") % {"n": MAX_EXPLAINED}}
            )
        return attrs


class LabelScore(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(
        allow_null=True, help_text="Calibrated, 0 to 1; null where the version only ranks (see `guess`)."
    )


class Ngram(serializers.Serializer[Any]):
    ngram = serializers.CharField(trim_whitespace=False)
    contribution = serializers.FloatField(help_text="What it adds to the score's logit; below 0: against.")
    start = serializers.IntegerField(allow_null=True, help_text="First character in the text, from 0.")
    end = serializers.IntegerField(allow_null=True, help_text="One after the last character.")


class Explanation(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    ngrams = Ngram(many=True, help_text=f"Up to {MOST_NGRAMS} that do not overlap, the weightiest first.")


class PredictedSpan(serializers.Serializer[Any]):
    start = serializers.IntegerField(help_text="Its first character in the text, from 0, in code points.")
    end = serializers.IntegerField(help_text="One after its last character.")
    text = serializers.CharField(trim_whitespace=False)
    label = serializers.CharField()  # type: ignore[assignment]
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="How likely exactly this span is right, calibrated, 0 to 1; null where the version only "
        "ranks (see `guess`).",
    )


class PredictedText(serializers.Serializer[Any]):
    id = serializers.CharField(
        allow_null=True,
        help_text="Names this prediction in feedback; null for an answer with hundreds of labels.",
    )
    labels = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Not of a project of spans alone."
    )
    scores = LabelScore(many=True, required=False, help_text="Best first. Not of a project of spans alone.")
    spans = PredictedSpan(
        many=True, required=False, help_text="Only of a project with spans: what was found, in order."
    )
    silent = serializers.BooleanField(
        help_text="The version only guesses, and the text is in a language or about things that it does not "
        "know: it gives no answer."
    )
    abstained = serializers.BooleanField(
        help_text="The version is less confident than its lead asks for: it decides on no label, and its "
        "scores tell what it holds likely."
    )
    answered_by = serializers.ChoiceField(
        choices=["cheap", "strong"],
        required=False,
        help_text="Only of a cascade: which of its two models answered.",
    )
    explanation = Explanation(
        many=True,
        required=False,
        allow_null=True,
        help_text="Only with `explain`: for each decided label, or the best one where none is decided. "
        "Null where the family of the version cannot tell.",
    )


class PredictResponse(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="The number of the model version that answered.")
    family = serializers.CharField()
    thresholds = serializers.DictField(
        child=serializers.FloatField(),
        help_text="The threshold applied to each label; empty where the best score alone decides, and where "
        "scores only rank.",
    )
    guess = serializers.CharField(
        help_text="What the answers are while too few labels calibrate the scores, as in “guess from label "
        "names”; empty where scores are calibrated."
    )
    predictions = PredictedText(many=True)
    warning = serializers.CharField(help_text="Why not the published version answered; mostly empty.")


class PredictView(APIView):
    scopes = {"POST": Scope.PREDICT}
    throttle_classes = [TextThrottle]

    @extend_schema(
        operation_id="predict",
        request=PredictRequest,
        responses=PredictResponse,
        summary="Ask the published model",
    )
    def post(self, request: Request, slug: str) -> Response:
        project = access.project_for(request.user, slug)
        form = PredictRequest(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        try:
            texts = asked.get("texts") or [asked["text"]]
            answer = predictions.predict(project=project, texts=texts, explain=asked["explain"])
        except NothingPublished as error:
            raise Problem(HTTPStatus.CONFLICT, "nothing_published", str(error)) from error
        except NothingServes as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "nothing_serves", str(error)) from error
        COUNTER.add(project, texts, answer)
        names = prediction_ids.issue(project, texts, answer)
        body = {
            "version": answer.version,
            "family": answer.family,
            "thresholds": {answer.labels[pk]: value for pk, value in answer.thresholds.items()},
            "guess": answer.guess,
            "predictions": [
                {
                    "id": name,
                    **_found(project, answer, said, text, asked["top"]),
                    **_about(answer, said, asked["explain"]),
                }
                for name, text, said in zip(names, texts, answer.texts, strict=True)
            ],
            "warning": answer.warning,
        }
        return Response(body)


def _found(
    project: Project, answer: Predictions, said: TextPrediction, text: str, top: int
) -> dict[str, Any]:
    """Write what was found in a text. A decided label keeps its score even where it is not among the best."""
    found: dict[str, Any] = {}
    if project.task_type.marks_text:
        pairs = zip(said.answer.spans, said.answer.span_scores, strict=True)
        found = {
            "spans": [
                {
                    "start": span.start,
                    "end": span.end,
                    "text": text[span.start : span.end],
                    "label": answer.labels[int(span.label)],
                    "confidence": score,
                }
                for span, (_label, score) in pairs
            ]
        }
    if "labels" not in project.task_type.answer_columns:
        return found
    decided = set(said.answer.labels)
    given = set() if said.is_abstained else decided
    scores = enumerate(said.answer.label_scores)
    kept = [(int(pk), score) for place, (pk, score) in scores if place < top or pk in decided]
    return found | {
        "labels": [answer.labels[pk] for pk, _score in kept if pk in given],
        "scores": [{"label": answer.labels[pk], "score": score} for pk, score in kept],
    }


def _about(answer: Predictions, said: TextPrediction, explain: bool) -> dict[str, Any]:
    """Write whether and how a text was answered, and why where that was asked."""
    told: dict[str, Any] = {"silent": said.is_silent, "abstained": said.is_abstained}
    if said.answered_by:
        told["answered_by"] = said.answered_by
    if explain:
        told["explanation"] = None if said.reasons is None else []
        for reason in said.reasons or ():
            ngrams = []
            for weight in reason.ngrams:
                start, end = weight.span or (None, None)
                contribution = weight.contribution
                ngrams.append(
                    {"ngram": weight.ngram, "contribution": contribution, "start": start, "end": end}
                )
            told["explanation"].append({"label": answer.labels[reason.label_id], "ngrams": ngrams})
    return told
