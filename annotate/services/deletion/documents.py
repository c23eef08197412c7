"""Removes documents with all that was made of their texts, a few at a time."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.models import Annotation, Document, LlmAnswer, Project
from annotate.models.jobs import JobKind
from annotate.services.corpus import vector_store
from annotate.services.labeling import write_lock
from annotate.services.work import jobs

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
        Annotation.objects.filter(document__in=documents).delete()
        _rows, gone = documents.delete()
        vector_store.remove_unused(digests)
        if project.deleted_at is None:  # else the removal of the project does it once, at its end
            jobs.ask(kind=JobKind.SEARCH, project=project, anew=True)  # the tick wakes a worker
    return gone.get(Document._meta.label, 0)
