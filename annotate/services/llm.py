"""Suggestions by an LLM for the documents that come next, until a model of the project's own is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db.models import Avg, Count, Q, Sum

from annotate.models import Document, LlmAnswer, ModelVersion, Project
from annotate.models.documents import Lane
from annotate.services import snapshots
from training.llm.asking import Question, ask_all
from training.llm.budget import Meter, Prices
from training.llm.client import DEFAULTS, Chat, Endpoint
from training.llm.errors import BudgetSpent
from training.llm.labeller import Answer, Labeller
from training.llm.parse import Outcome
from training.llm.prompt import Example, Prompt, similar
from training.types import Dataset, Embedder, FloatArray, TrainingError

logger = logging.getLogger(__name__)

SLICE_SECONDS = 20.0  # after these a task makes way for others
EXAMPLES = 6  # answered documents that a question shows
REST_SECONDS = 600  # after an endpoint has failed
CERTAIN = 1.0  # an LLM tells no confidence: the page shows none
OUTDATED = "of an earlier text"  # an outcome that an import makes


@dataclass(frozen=True, slots=True)
class Spent:
    """What a project's answers came to; `problem` tells why no more are asked for at the moment."""

    documents: int
    answered: int
    tokens: int
    cost: float
    seconds: float
    problem: str


def is_configured() -> bool:
    return bool(settings.LLM_URL and settings.LLM_MODEL)


def is_wanted(*, project: Project) -> bool:
    """Tell whether to ask: switched on, nothing of the project's own is published, no recent failure."""
    if not is_configured() or not project.llm_budget or cache.get(_rest(project)):
        return False
    is_published = ModelVersion.objects.published().filter(project=project).exists()
    return not is_published and _next(project) is not None


def suggest(*, project: Project, embedder: Embedder | None = None, seconds: float = SLICE_SECONDS) -> int:
    """Answer waiting pool documents, the next ones first, for about `seconds`; return how many.

    Several questions are under way at once, each in a thread of its own; the database is used by this one
    only. With an `embedder` each question shows the answered documents that are most like its own.
    """
    asking = _Asking(project, embedder, time.monotonic() + seconds)
    try:
        with Chat(_endpoint()) as chat:
            labeller = Labeller(chat, _meter(project))
            ask_all(labeller, asking.questions(), asking.keep, concurrency=settings.LLM_CONCURRENCY)
    except TrainingError as error:
        cache.set(_rest(project), str(error), REST_SECONDS)
        if not isinstance(error, BudgetSpent):
            logger.warning("The LLM answers no more texts of project %s: %s", project.slug, error)
    return asking.done


def suggested(*, project: Project, document: Document) -> list[list[float]] | None:
    """Return [label id, score] pairs for a card whose document no model has a prediction of."""
    if not is_configured() or not project.llm_budget or document.lane != Lane.POOL:
        return None
    answers = LlmAnswer.objects.filter(document=document, outcome=Outcome.ANSWERED)
    labels = answers.values_list("labels", flat=True).first()
    return [[key, CERTAIN] for key in labels] if labels else None


def spent(*, project: Project) -> Spent | None:
    """Return the lead's figures, None where the LLM is off and was never asked."""
    figures = project.llm_answers.aggregate(
        documents=Count("pk"),
        answered=Count("pk", filter=Q(outcome=Outcome.ANSWERED)),
        tokens=Sum("tokens", default=0),
        cost=Sum("cost", default=0.0),
        seconds=Avg("seconds", default=0.0),
    )
    is_on = is_configured() and project.llm_budget > 0
    return Spent(**figures, problem=cache.get(_rest(project), "")) if is_on or figures["documents"] else None


def outdate(*, documents: Collection[int]) -> None:
    """Suggest nothing for documents whose text changed; what their answers took still counts."""
    LlmAnswer.objects.filter(document__in=documents).update(outcome=OUTDATED, labels=[])


class _Asking:
    """The documents of one slice of time, in the order in which they are asked about."""

    def __init__(self, project: Project, embedder: Embedder | None, deadline: float) -> None:
        self.done = 0
        self._project = project
        self._prompts = _Prompts(project, embedder)
        self._deadline = deadline
        self._documents: list[Document] = []

    def questions(self) -> Iterator[Question]:
        """Look anew before each: a model may be published, and the queue reordered, meanwhile."""
        while time.monotonic() < self._deadline and is_wanted(project=self._project):
            document = _next(self._project, besides=[document.pk for document in self._documents])
            if document is None:
                return
            self._documents.append(document)
            yield Question(document.text, self._prompts.of(document.text))

    def keep(self, number: int, answer: Answer) -> None:
        """Store the answer. An endpoint that failed for nothing is asked about the text again later."""
        if answer.outcome is not Outcome.FAILED or answer.calls:
            _keep(self._project, self._documents[number], answer)
            self.done += 1


class _Prompts:
    """The question for each text of a project, with examples where there are answers and vectors."""

    def __init__(self, project: Project, embedder: Embedder | None) -> None:
        self._guidelines = project.guidelines
        self._embedder = embedder
        self._dataset = snapshots.take(project=project).dataset
        self._examples = _examples(self._dataset) if embedder else []
        self._vectors: FloatArray | None = None

    def of(self, text: str) -> Prompt:
        return Prompt(self._dataset.schema, self._guidelines, self._like(text))

    def _like(self, text: str) -> tuple[Example, ...]:
        if self._embedder is None or not self._examples:
            return ()
        if self._vectors is None:
            self._vectors = self._embedder.embed(self._dataset.texts)
        return similar(self._examples, self._vectors, text, self._embedder.embed([text])[0], EXAMPLES)


def _examples(dataset: Dataset) -> list[Example]:
    keys = dataset.schema.keys
    return [
        Example(text, tuple(key for key, is_true in zip(keys, row, strict=True) if is_true))
        for text, row in zip(dataset.texts, dataset.targets, strict=True)
    ]


def _next(project: Project, *, besides: Collection[int] = ()) -> Document | None:
    """Return the pool document that comes first in the queue and was not asked about."""
    places = project.assignments.waiting().filter(document__lane=Lane.POOL, document__llm_answer=None)
    first = places.exclude(document__in=besides).order_by("rank").select_related("document").first()
    return first.document if first else None


def _keep(project: Project, document: Document, answer: Answer) -> None:
    """Store an answer. NB: it may come twice, after an interruption of the first time."""
    fields = {
        "project": project,
        "model": settings.LLM_MODEL,
        "outcome": answer.outcome,
        "labels": [int(key) for key in answer.labels],
        "note": answer.note,
        "calls": len(answer.calls),
        "tokens": sum(call.input_tokens + call.output_tokens for call in answer.calls),
        "cost": answer.cost,
        "seconds": answer.seconds,
    }
    LlmAnswer.objects.update_or_create(document=document, defaults=fields)


def _endpoint() -> Endpoint:
    """Return it with little patience: a worker that waits works for nobody, and the next tick asks again."""
    told = {} if settings.LLM_RESPONSE_FORMAT else {"response_format": None}
    return Endpoint(
        settings.LLM_URL,
        settings.LLM_MODEL,
        key=settings.LLM_API_KEY,
        timeout=20.0,
        attempts=2,
        longest_wait=10.0,
        options={**DEFAULTS, **told},
    )


def _meter(project: Project) -> Meter:
    """Return a meter of what the project has left."""
    used = project.llm_answers.aggregate(tokens=Sum("tokens", default=0))["tokens"]
    prices = Prices(settings.LLM_INPUT_PRICE, settings.LLM_OUTPUT_PRICE)
    return Meter(prices, max_tokens=max(0, project.llm_budget - used))


def _rest(project: Project) -> str:
    """Return the key of a rest; another budget begins anew, as it is what a complaint may have asked for."""
    return f"llm-rest-{project.pk}-{project.llm_budget}"
