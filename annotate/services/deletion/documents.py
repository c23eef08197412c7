"""Removes documents with all that was made of their texts, a few at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from annotate.models import Annotation, Document, Embedding, LlmAnswer, Project
from annotate.services.labeling import write_lock

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
        _forget_vectors(digests)
    return gone.get(Document._meta.label, 0)


def _forget_vectors(digests: Collection[str]) -> None:
    """Remove the vectors of texts that no document of any project has any more."""
    # NB: with the projects named, the index of each project's texts is read; no index holds digests alone.
    everywhere = Document.objects.filter(project__in=list(Project.objects.values_list("pk", flat=True)))
    kept = set(everywhere.filter(sha256__in=digests).values_list("sha256", flat=True))
    Embedding.objects.filter(sha256__in=set(digests) - kept).delete()
