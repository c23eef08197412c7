"""Answers in requests: in names of labels, as one part of a request says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from annotate.models import Label, Project
from annotate.task_types import answers
from training.types import Answer, Span


class NamedAnswers:
    """Reads answers in the names of a project's labels; a merged one may still be called by its old name."""

    def __init__(self, project: Project) -> None:
        self.parts = project.task_type.answer_columns
        merged = Label.objects.filter(project=project, merged_into__isnull=False)
        self._known = {name: into for name, into in merged.values_list("name", "merged_into") if into}
        self._known |= dict(Label.objects.live().filter(project=project).values_list("name", "pk"))

    def read(self, asked: Mapping[str, Any], *, is_needed: bool = True) -> Answer:
        """Return the answer of a request; raises where it has none though `is_needed`, or unknown labels."""
        if is_needed and (missing := [part for part in self.parts if part not in asked]):
            sentence = _("An answer in this project needs `%(part)s`.") % {"part": missing[0]}
            raise serializers.ValidationError({missing[0]: sentence})
        spans = tuple(Span(one["start"], one["end"], one["label"]) for one in asked.get("spans", ()))
        named = Answer(tuple(asked.get("labels", ())), spans)
        unknown = [name for name in answers.labels_of(named) if name not in self._known]
        if unknown:
            sentence = _("The project has no label %(name)r.") % {"name": unknown[0]}
            raise serializers.ValidationError({self.parts[0]: sentence})
        return answers.translated(named, self._known)
