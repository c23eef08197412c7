"""Whole pages in Russian: no word of English is left but names, and those that are the same in both."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import activate

from annotate.forms.people import time_zones
from annotate.models import (
    BulkChange,
    ClassMetric,
    Comment,
    Document,
    Export,
    HandedOnAnswer,
    Import,
    ImportProblem,
    ModelVersion,
    Project,
    RemovedMember,
    ReportCard,
    SavedView,
    TrainingRun,
    User,
    WorkList,
)
from annotate.models.jobs import JobKind
from annotate.models.versions import Stage
from annotate.services.people import api_keys, invitations
from annotate.services.work import jobs
from tests.annotate.made.answered import answer, predict
from tests.annotate.made.cards import add_card
from training.types import Answer

pytestmark = pytest.mark.one_database

# Words that are the same in both languages.
SAME = {
    *(
        "API",
        "CSV",
        "CoNLL",
        "FP",
        "INT",
        "JSON",
        "JSONL",
        "LLM",
        "ONNX",
        "SMOTE",
        "SVM",
        "TF-IDF",
        "TSV",
        "UTC",
        "brat",
    ),
    *("XLSX", "ZIP", "Enter", "English", "Escape", "Face", "Focal", "Hugging", "Label", "LightGBM"),
    *("Macro-F", "Markdown", "Micro-F", "Parquet", "Shift", "Studio", "Winnow", "datasets", "doccano"),
    *("fastText", "loss", "macro-F", "means", "micro-F", "refund", "billing", "Billing"),
}
# What the project of this test is made of: names of people, labels, models, queues and scopes.
OURS = {
    *("Colours", "Models", "anton", "lena", "rita", "stefan", "red", "green", "blue", "embedding", "tfidf"),
    *("processor", "finetuning", "interactive", "training", "predict", "order", "nothing", "en", "ru", "at"),
}
# Addresses, files and their endings are nobody's language.
NAMED = re.compile(r"https?://\S*|/\S+|\w*\.(?:csv|json)\b")
WORD = re.compile(r"[A-Za-z]{2,}(?:[-'’][A-Za-z]+)*")
SHOWN = ("title", "aria-label", "placeholder", "alt")
SCRIPTED = re.compile(r"data-[a-z-]+")


class Words(HTMLParser):
    """What a reader of a page sees or hears: its text, the names of what has none, sentences for scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code", "pre", "kbd")
        for name, value in attrs:
            if name in SHOWN or (
                SCRIPTED.fullmatch(name) and re.search(r"[a-z]+ [a-z]+ [a-z]+", value or "")
            ):
                self.said.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code", "pre", "kbd")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.said.append(" ".join(data.split()))


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """Django leaves the language of the last request in force."""
    yield
    activate(settings.LANGUAGE_CODE)


@pytest.fixture
def seeded(
    project: Project,
    lead: User,
    reviewer: User,
    annotator: User,
    stranger: User,
    add_documents: Callable[..., list[Document]],
) -> Project:
    """A project in which everything has happened once."""
    project.guidelines = "# Правила"
    project.save()
    documents = add_documents(project, *(f"текст {n}" for n in range(6)))
    answer(documents[0], annotator, "red")
    answer(documents[1], annotator, outcome="flagged")
    answer(documents[2], lead, "green")
    predict(documents[0], "red")
    predict(documents[2], "blue")
    Document.objects.filter(pk=documents[3].pk).update(
        lane="holdout", half="reporting", meta={"канал": "почта"}
    )
    _figures(project)
    Comment.objects.create(document=documents[0], author=lead, key=uuid.uuid4(), text="Заметка")
    HandedOnAnswer.objects.create(
        project=project, document=documents[4], annotator=annotator, card=uuid.uuid4(), answer=Answer()
    )
    BulkChange.objects.create(
        project=project, action="return", packed=BulkChange.pack([documents[1].pk]), hits=1, by=lead
    )
    WorkList.objects.create(project=project, name="особые").people.set([annotator, lead])
    SavedView.objects.create(project=project, owner=lead, name="помеченные", query="outcome=flagged")
    RemovedMember.objects.create(project=project, user=stranger, role="annotator")
    invitations.issue(project=project, by=lead, role="annotator", guests=["Ада"], days=7)
    api_keys.issue(
        user=lead, name="скрипт", scopes=["predict"], expires_at=timezone.now() + timedelta(days=9)
    )
    return project


def _figures(project: Project) -> None:
    add_figures = {"macro_f1": 0.8, "macro_f1_low": 0.7, "macro_f1_high": 0.9, "holdout_documents": 40}
    version = project.versions.get()
    ModelVersion.objects.filter(pk=version.pk).update(
        **add_figures, stage=Stage.PUBLISHED, labelled=10, verdict="The project's first published model."
    )
    for label in project.labels.all():
        ClassMetric.objects.create(
            version=version, label=label, threshold=0.5, support=20, precision=0.8, recall=0.7, f1=0.75,
            f1_low=0.6, f1_high=0.9, hits=14, decided=18,
        )  # fmt: skip
    why = "An unforeseen error stopped this work: {why}. The worker's log has its details."
    TrainingRun.objects.create(
        project=project, family="tfidf", reason="lead", state="failed", error=why.format(why="сбой")
    )
    TrainingRun.objects.create(
        project=project, family="embedding", reason="labels", state="running", stage="fit",
        started_at=timezone.now(),
    )  # fmt: skip
    jobs.ask(kind=JobKind.VECTORS, project=project)
    lanes = {"pool": 6, "holdout": 1, "groups": 6, "joined": 1, "moved": 1}
    upload = Import.objects.create(
        project=project, name="файл.csv", state="succeeded", rows=7, created=7, broken=1, lanes=lanes
    )
    ImportProblem.objects.create(source=upload, row=3, reason="The row has 3 cells, but there are 2 columns.")
    Export.objects.create(project=project, format="parquet", state="failed", error=why.format(why="сбой"))


def _tell(card: ReportCard) -> None:
    """Let a report card say what the library says of real models."""
    card.content["recommendation"]["reason"] = (
        "tfidf v2 is within noise of embedding v1 (macro-F1 0.80 against 0.82, p = 0.40) and 43 times faster."
    )
    card.content["recommendation"]["ruled_out"] = {"embedding v1": ["it cannot say which words decided"]}
    card.content["candidates"][1]["notes"] = [
        "INT8 against FP32: 99.5 % of the decisions on 40 texts are the same, macro-F1 lower by 0.2 points."
    ]
    card.save()


def addresses(project: Project) -> list[str]:
    document, version = project.documents.order_by("pk")[0], project.versions.get()
    import_, bulk = project.imports.get(), BulkChange.objects.get()
    label, run = project.labels.all()[0], project.runs.order_by("pk")[1]
    with_nothing = [
        "project", "project-live", "project-settings", "project-delete", "project-duplicate", "guidelines",
        "project-labels", "project-members", "project-events", "documents", "saved-views", "handed-on",
        "imports", "export-page", "versions", "runs", "reportcard", "label", "label-history", "my-work",
    ]  # fmt: skip
    with_one = {
        "document": document.pk,
        "document-delete": document.pk,
        "document-similar": document.pk,
        "version": version.number,
        "import": import_.pk,
        "import-delete": import_.pk,
        "bulk": bulk.pk,
        "project-label": label.pk,
        "label-examples": label.pk,
        "run-cancel": run.pk,
        "work-list": WorkList.objects.get().pk,
        "member-remove": project.memberships.get(role="annotator").pk,
    }
    of_the_site = [
        "projects", "project-create", "project-restore", "account", "account-password", "account-waiting",
        "account-kept", "account-sessions-end", "api-keys", "glossary", "events", "people",
    ]  # fmt: skip
    return [
        *(reverse(name, args=[project.slug]) for name in with_nothing),
        *(reverse(name, args=[project.slug, one]) for name, one in with_one.items()),
        *(reverse(name) for name in of_the_site),
        reverse("similar", args=[project.slug]) + "?q=слово",
        reverse("bulk-new", args=[project.slug]) + "?lane=pool",
        reverse("documents", args=[project.slug]) + "?q=%22%22&lane=pool&nothing=1&order=nowhere",
        "/nowhere/",
    ]


def test_no_page_speaks_english_to_a_russian_reader(
    seeded: Project, lead: User, make_project: Callable[..., Project]
) -> None:
    User.objects.filter(pk=lead.pk).update(is_superuser=True, is_staff=True)
    _tell(add_card(make_project("models")))
    client = Client(headers={"accept-language": "ru"})
    client.force_login(lead)
    foreign: dict[str, str] = {}
    used: set[str] = set()
    for address in [*addresses(seeded), reverse("reportcard", args=["models"])]:
        page = client.get(address, follow=True).content.decode()
        assert '<html lang="ru"' in page or "<html" not in page
        for said in Words(page).said:
            words = set() if said in time_zones() else set(WORD.findall(NAMED.sub(" ", said)))
            used |= words
            if words - SAME - OURS:
                foreign[said] = address
    assert foreign == {}
    assert SAME - used == set(), "These are on no page any more."
