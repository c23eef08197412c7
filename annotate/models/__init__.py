"""State and invariants: accounts, projects, documents, imports, runs, predictions, annotations.

A module imports only from those named before it.
"""

from __future__ import annotations

from annotate.models.accounts import ApiKey, User
from annotate.models.annotations import Annotation, AnnotationLabel, Assignment, Batch, Card, Decision
from annotate.models.documents import Document, Embedding, Neighbourhood
from annotate.models.imports import Import, ImportProblem
from annotate.models.llm import LlmAnswer
from annotate.models.predictions import Prediction
from annotate.models.projects import Label, Membership, Project
from annotate.models.reportcards import ReportCard
from annotate.models.runs import ClassMetric, ModelVersion, TrainingRun, WorkerPulse

__all__ = [
    "Annotation",
    "AnnotationLabel",
    "ApiKey",
    "Assignment",
    "Batch",
    "Card",
    "ClassMetric",
    "Decision",
    "Document",
    "Embedding",
    "Import",
    "ImportProblem",
    "Label",
    "LlmAnswer",
    "Membership",
    "ModelVersion",
    "Neighbourhood",
    "Prediction",
    "Project",
    "ReportCard",
    "TrainingRun",
    "User",
    "WorkerPulse",
]
