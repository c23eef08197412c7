"""Suggestions by an LLM for the documents that come next, until a model of the project's own is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from django.conf import settings
from django.core.cache import cache
from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Sum

from annotate.models import Document, LlmAnswer, Membership, ModelVersion, Project
from annotate.models.documents import Lane
from annotate.models.members import Role
from annotate.services.corpus import snapshots
from training.llm.asking import Question, ask_all
from training.llm.budget import BudgetMeter, Prices
from training.llm.client import DEFAULTS, Chat, Endpoint
from training.llm.errors import BudgetSpent
from training.llm.labeller import Labeller, LlmReply
from training.llm.parse import LlmOutcome
from training.llm.prompt import Example, Prompt, similar
from training.types import Answer, Dataset, Embedder, FloatArray, LabelSchema, TrainingError

logger = logging.getLogger(__name__)

SLICE_SECONDS = 20.0  # after these a task lets others go first
EXAMPLES = 6  # answered documents that a question shows
REST_SECONDS = 600  # after an endpoint has failed


@dataclass(frozen=True, slots=True)
class Spent:
    """What a project's answers cost in all; `problem` says why none is asked for at the moment.

    `reused` documents have an answer that was there already; `seconds` is the mean of those asked about.
    """

    documents: int
    answered: int
    reused: int
    tokens: int
    cost: float
    seconds: float
    problem: str


def is_configured() -> bool:
    return bool(settings.LLM_URL and settings.LLM_MODEL)


def is_wanted(*, project: Project) -> bool:
    """Tell whether to ask: it is on, has not failed lately, no model is published, and a document waits."""
    return _may_ask(project) and _next(project) is not None


def suggest(
    *,
    project: Project,
    embedder: Embedder | None = None,
    seconds: float = SLICE_SECONDS,
    tell: Callable[[float], None] = lambda done: None,
) -> int:
    """Answer waiting pool documents, the next ones first, for about `seconds`; return how many.

    Several questions are under way at once, each in a thread of its own; the database is used by this one
    only. With an `embedder` each question shows the answered documents that are most like its own. An
    answer to an equal question about an equal text is used again. `tell` hears before each question which
    share of the time is over; where it raises, what is under way is still kept.
    """
    asking = _Slice(project, embedder, seconds, tell)
    try:
        # The timeouts are short because a worker that waits serves nobody, and a tick asks again.
        endpoint = Endpoint(
            settings.LLM_URL,
            settings.LLM_MODEL,
            key=settings.LLM_API_KEY,
            timeout=20.0,
            attempts=2,
            longest_wait=10.0,
            options={**DEFAULTS, **({} if settings.LLM_RESPONSE_FORMAT else {"response_format": None})},
        )
        with Chat(endpoint) as chat:
            used = project.llm_answers.aggregate(tokens=Sum("tokens", default=0))["tokens"]
            prices = Prices(settings.LLM_INPUT_PRICE, settings.LLM_OUTPUT_PRICE)
            labeller = Labeller(chat, BudgetMeter(prices, max_tokens=max(0, project.llm_budget - used)))
            ask_all(labeller, asking.questions(labeller), asking.keep, concurrency=settings.LLM_CONCURRENCY)
    except TrainingError as error:
        cache.set(_rest(project), str(error), REST_SECONDS)
        if not isinstance(error, BudgetSpent):
            logger.warning("The LLM answers no more texts of project %s: %s", project.slug, error)
    return asking.done


def suggested(*, project: Project, document: Document) -> Answer | None:
    """Return what a card suggests whose document no model has a prediction of; an LLM tells no scores."""
    if not is_configured() or not project.llm_budget or document.lane != Lane.POOL:
        return None
    answers = LlmAnswer.objects.answered().current().filter(document=document)
    found: Answer | None = answers.values_list("answer", flat=True).first()
    return found if found and found.labels else None


def spent(*, project: Project) -> Spent | None:
    """Return the lead's figures, None where the LLM is off and was never asked."""
    figures = project.llm_answers.aggregate(
        documents=Count("document", distinct=True),
        answered=Count("pk", filter=Q(outcome=LlmOutcome.ANSWERED, sha256=F("document__sha256"))),
        reused=Count("document", distinct=True, filter=Q(is_reused=True)),
        tokens=Sum("tokens", default=0),
        cost=Sum("cost", default=0.0),
        seconds=Avg("seconds", filter=Q(calls__gt=0), default=0.0),
    )
    is_on = is_configured() and project.llm_budget > 0
    return Spent(**figures, problem=cache.get(_rest(project), "")) if is_on or figures["documents"] else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document as it was read for its question, and the key that equal questions share."""

    document: Document
    key: str


class _Slice:
    """The documents that are asked about within one slice of time, in their order."""

    def __init__(
        self, project: Project, embedder: Embedder | None, seconds: float, tell: Callable[[float], None]
    ) -> None:
        self.done = 0
        self._seconds, self._tell = seconds, tell
        self._project = project
        self._prompts = _Prompts(project, embedder)
        self._deadline = time.monotonic() + seconds
        self._reusable = LlmAnswer.objects.answered().filter(project__in=_open_to_leads_of(project))
        self._asked: list[_Asked] = []

    def questions(self, labeller: Labeller) -> Iterator[Question]:
        """Yield questions; before each, look whether a model was published or the queue has changed."""
        while (left := self._deadline - time.monotonic()) > 0 and _may_ask(self._project):
            self._tell(1.0 - left / self._seconds)
            document = _next(self._project, besides=[asked.document.pk for asked in self._asked])
            if document is None:
                return
            question = Question(document.text, self._prompts.of(document.text))
            asked = _Asked(document, labeller.key(question.text, question.prompt))
            reply = self._reusable.filter(key=asked.key).values_list("reply", flat=True).first()
            if reply is None:
                self._asked.append(asked)
                yield question
            else:
                self._store(asked, LlmReply(LlmOutcome.ANSWERED, reply.labels, is_reused=True))

    def keep(self, number: int, answer: LlmReply) -> None:
        """Store the answer. A failure that cost nothing is left out, so the text is asked about again."""
        if answer.outcome is not LlmOutcome.FAILED or answer.calls:
            self._store(self._asked[number], answer)

    def _store(self, asked: _Asked, answer: LlmReply) -> None:
        """Store an answer. NB: after an interruption it may come a second time."""
        fields = {
            "project": self._project,
            "key": asked.key,
            "model": settings.LLM_MODEL,
            "outcome": answer.outcome,
            "reply": Answer(answer.labels),
            "answer": Answer(tuple(self._prompts.label_ids[name] for name in answer.labels)),
            "note": answer.note,
            "is_reused": answer.is_reused,
            "calls": len(answer.calls),
            "tokens": sum(call.input_tokens + call.output_tokens for call in answer.calls),
            "cost": answer.cost,
            "seconds": answer.seconds,
        }
        # An import may have changed the text meanwhile; the answer belongs to the text that was asked about.
        row = LlmAnswer(document=asked.document, sha256=asked.document.sha256, **fields)
        LlmAnswer.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["document", "sha256"], update_fields=list(fields)
        )
        self.done += 1


class _Prompts:
    """The question for each text of a project, with examples where there are answers and vectors.

    It names labels and not this project's ids, so that another project's question can be equal.
    """

    def __init__(self, project: Project, embedder: Embedder | None) -> None:
        self._guidelines = project.guidelines
        self._embedder = embedder
        self._dataset = snapshots.take(project=project).dataset
        schema = self._dataset.schema
        self._schema = LabelSchema(
            schema.task, tuple(replace(label, key=label.name) for label in schema.labels)
        )
        self._examples = _examples(self._dataset) if embedder else []
        self.label_ids = {label.name: int(label.key) for label in schema.labels}
        self._vectors: FloatArray | None = None

    def of(self, text: str) -> Prompt:
        examples: tuple[Example, ...] = ()
        if self._embedder is not None and self._examples:
            if self._vectors is None:
                self._vectors = self._embedder.embed(self._dataset.texts)
            vector = self._embedder.embed([text])[0]
            examples = similar(self._examples, self._vectors, text, vector, EXAMPLES)
        return Prompt(self._schema, self._guidelines, examples)


def _examples(dataset: Dataset) -> list[Example]:
    names = [label.name for label in dataset.schema.labels]
    return [
        Example(text, tuple(name for name, is_true in zip(names, row, strict=True) if is_true))
        for text, row in zip(dataset.texts, dataset.targets, strict=True)
    ]


def _next(project: Project, *, besides: Collection[int] = ()) -> Document | None:
    """Return the pool document that comes first in the queue and whose present text was not asked about."""
    answers = LlmAnswer.objects.filter(document=OuterRef("document"), sha256=OuterRef("document__sha256"))
    places = project.assignments.waiting().filter(~Exists(answers), document__lane=Lane.POOL)
    first = places.exclude(document__in=besides).order_by("rank").select_related("document").first()
    return first.document if first else None


def _may_ask(project: Project) -> bool:
    if not is_configured() or not project.llm_budget or project.task_type.marks_text:
        return False
    if cache.get(_rest(project)):
        return False
    return not ModelVersion.objects.published().filter(project=project).exists()


def _open_to_leads_of(project: Project) -> list[int]:
    """Return the project and the others whose leads include all leads of this one.

    A reused answer reveals that somebody asked about the same text, so only these may share answers.
    """
    leads = Membership.objects.filter(role=Role.LEAD)
    people = list(leads.filter(project=project).values_list("user_id", flat=True))
    shared = leads.filter(user__in=people).values("project").annotate(people=Count("user"))
    return [project.pk, *shared.filter(people=len(people)).values_list("project", flat=True)]


def _rest(project: Project) -> str:
    """Return the cache key of a pause. It holds the budget, so that raising the budget ends the pause."""
    return f"llm-rest-{project.pk}-{project.llm_budget}"
