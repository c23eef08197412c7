"""Removes documents with all that was made of their texts, a few at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.db.models.functions import Left
from django.utils.translation import gettext as _

from annotate.models import Annotation, Document, ImportProblem, LlmAnswer, Project
from annotate.models.jobs import JobKind
from annotate.services.corpus import vector_store, word_vectors
from annotate.services.exports import job as exports
from annotate.services.labeling import write_lock
from annotate.services.work import jobs

QUOTED = 100  # characters of a text that a sentence quotes at least, if it quotes it at all
CHUNK = 200  # documents of one transaction, so that an annotator who waits gets the lock in between


def remove(*, project: Project, keys: Sequence[int]) -> int:
    """Remove up to `CHUNK` documents of a project and what hangs on them; return how many were still there.

    What an LLM was asked about an earlier text of a document goes as well.
    """
    with write_lock.in_turn():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        documents = Document.objects.filter(project=project, pk__in=keys)
        asked = LlmAnswer.objects.filter(document__in=documents)
        digests = {
            *documents.values_list("sha256", flat=True),
            *asked.values_list("sha256", flat=True),
        }
        if project.deleted_at is None:
            _forget_quotes(
                project, documents.annotate(begin=Left("text", QUOTED)).values_list("begin", flat=True)
            )
        Annotation.objects.filter(document__in=documents).delete()
        _rows, gone = documents.delete()
        vector_store.remove_unused(digests)
        word_vectors.forget(project.pk)
        for export in project.exports.all():  # each may hold the text, also one that is being written
            exports.remove(export)
        if project.deleted_at is None:  # else the removal of the project does it once, at its end
            jobs.ask(kind=JobKind.SEARCH, project=project, anew=True)  # the tick wakes a worker
    return gone.get(Document._meta.label, 0)


def _forget_quotes(project: Project, begins: Iterable[str]) -> None:
    """Take back sentences about broken rows and failed work that hold one of these texts, or begin with it.

    Rows of before sentences left the text out may quote it.
    """
    words = "|".join(re.escape(begin) for begin in begins)
    if not words:  # which every sentence would match
        return
    quotes = re.compile(rf"(?<!\w)(?:{words})(?!\w)").search
    told = _("What stood here quoted a text that was deleted since.")
    problems = ImportProblem.objects.filter(source__project=project)
    for rows, field in (
        (problems, "reason"),
        (project.runs.all(), "log"),
        (project.runs.all(), "error"),
        (project.imports.all(), "error"),
        (project.jobs.all(), "error"),
    ):
        known = rows.exclude(**{field: ""}).values_list("pk", field)
        quoting = [pk for pk, sentence in known.iterator() if quotes(sentence)]
        rows.filter(pk__in=quoting).update(**{field: told})
