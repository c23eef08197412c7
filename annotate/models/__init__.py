"""State and invariants: accounts, projects, documents, imports, runs, predictions, annotations.

A module imports only from those named before it.
"""

from __future__ import annotations

from annotate.models.accounts import (
    AddressLink,
    ApiKey,
    AuthenticatorApp,
    OpenSession,
    OutsideLogin,
    Passkey,
    PasswordLink,
    RecoveryCode,
    User,
)
from annotate.models.annotations import Annotation, AnnotationLabel, AnnotationSpan, Decision
from annotate.models.bulk import BulkChange, BulkItem
from annotate.models.documents import (
    Comment,
    Document,
    FoldedText,
    ImportChange,
    Mention,
    SavedView,
    UnindexedText,
)
from annotate.models.events import Event
from annotate.models.imports import Export, Import, ImportProblem, Restoration
from annotate.models.jobs import Job, Mail, Removal, Sweep, Webhook, WebhookDelivery
from annotate.models.members import Invitation, Membership, RemovedMember
from annotate.models.predictions import (
    AskedText,
    Corridor,
    DriftAlarm,
    Feedback,
    LlmAnswer,
    OutOfFoldScore,
    PredictedLabel,
    Prediction,
    PredictionTally,
    PredictionWindow,
)
from annotate.models.projects import DictionaryEntry, GuidelinesVersion, Label, Project
from annotate.models.queue import Assignment, Batch, Card, HandedOnAnswer, WorkList
from annotate.models.runs import TrainingRun
from annotate.models.vectors import Embedding, Neighbourhood
from annotate.models.versions import (
    ClassMetric,
    KeptScores,
    ModelVersion,
    Publication,
    ReportCard,
    Shadow,
)
from annotate.models.work import WorkerPulse

__all__ = [
    "AddressLink",
    "Annotation",
    "AnnotationLabel",
    "AnnotationSpan",
    "ApiKey",
    "AskedText",
    "Assignment",
    "Batch",
    "AuthenticatorApp",
    "BulkChange",
    "BulkItem",
    "Card",
    "ClassMetric",
    "Comment",
    "Corridor",
    "Decision",
    "DictionaryEntry",
    "Document",
    "DriftAlarm",
    "Embedding",
    "Event",
    "Export",
    "Feedback",
    "FoldedText",
    "GuidelinesVersion",
    "HandedOnAnswer",
    "Import",
    "ImportChange",
    "ImportProblem",
    "Invitation",
    "Job",
    "KeptScores",
    "Label",
    "LlmAnswer",
    "Mail",
    "Membership",
    "Mention",
    "ModelVersion",
    "Neighbourhood",
    "OpenSession",
    "OutsideLogin",
    "Passkey",
    "PasswordLink",
    "OutOfFoldScore",
    "PredictedLabel",
    "Prediction",
    "PredictionTally",
    "PredictionWindow",
    "Project",
    "Publication",
    "RecoveryCode",
    "Removal",
    "RemovedMember",
    "SavedView",
    "ReportCard",
    "Restoration",
    "Shadow",
    "Sweep",
    "TrainingRun",
    "UnindexedText",
    "User",
    "Webhook",
    "WebhookDelivery",
    "WorkList",
    "WorkerPulse",
]
