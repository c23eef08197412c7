"""One document is deleted, with all that was made of its text and the uploaded files that may hold it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Decision, Document, Import, Project, User
from annotate.models.annotations import AnnotationQuerySet
from annotate.models.events import EventKind
from annotate.models.imports import UPLOADED
from annotate.models.work import WorkState
from annotate.services import events
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.deletion import documents
from annotate.services.projects.refused import Refused


@dataclass(frozen=True, slots=True)
class DocumentContents:
    """How much goes with a document; `versions` are the numbers of those that were made of its answers."""

    annotations: int
    decisions: int
    files: int
    versions: list[int]


def contents(document: Document) -> DocumentContents:
    return DocumentContents(
        annotations=document.annotations.count(),
        decisions=Decision.objects.filter(annotation__document=document).count(),
        files=files_with(document.project, [document.source_id]).count(),
        versions=made_of(document.project, FirstAnswer.of(document.annotations.all())),
    )


@transaction.atomic
def delete(*, document: Document, by: User) -> None:
    """Delete a document at once; refused while an import runs, which might read its text again."""
    project = Project.objects.select_for_update(no_key=True).get(pk=document.project_id)
    if project.imports.live().exists():
        raise Refused(
            _("An import is under way and may bring this text again. Wait for its end or cancel it first.")
        )
    if not documents.remove(project=project, keys=[document.pk]):
        return  # somebody else has deleted it meanwhile
    forget_files(project, [document.source_id])
    events.record(EventKind.DOCUMENT_DELETED, by=by, project=project, document=document)


def forget_files(project: Project, sources: Collection[int | None]) -> None:
    """Remove the files that may hold texts that came with these imports, once the deletion is committed."""
    for upload in files_with(project, sources):
        transaction.on_commit(partial(upload.file.storage.delete, str(upload.file.name)))


def sources_of(project: Project, keys: Collection[int]) -> set[int | None]:
    """Return the imports that added these documents, with None for those of which nothing is known."""
    return set(project.documents.filter(pk__in=keys).values_list("source", flat=True))


def files_with(project: Project, sources: Collection[int | None]) -> QuerySet[Import]:
    """Return the imports whose file may hold a text of documents that these imports added.

    A file of which each row added a document of its own holds the texts of those and no others. Of any other
    nobody knows what else was in it.
    """
    files = project.imports.exclude(state=UPLOADED).exclude(file="")
    if None in sources:
        return files
    noted = Exists(Document.objects.filter(source=OuterRef("pk")))
    is_whole = Q(noted, state=WorkState.SUCCEEDED, dry_run=False, created=F("rows"))
    return files.filter(Q(pk__in=sources) | ~is_whole)


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The oldest of some answers, by its key and its date."""

    key: int
    at: datetime

    @classmethod
    def of(cls, annotations: AnnotationQuerySet) -> FirstAnswer | None:
        first = annotations.answered().aggregate(key=Min("pk"), at=Min("created_at"))
        return cls(**first) if first["key"] is not None else None


def made_of(project: Project, first: FirstAnswer | None) -> list[int]:
    """Return the numbers of versions that were made when an answer was there already.

    A run keeps the newest answer that it knew. Of a version whose run is not kept, its date tells.
    """
    if first is None:
        return []
    versions = project.versions.select_related("run").order_by("number")
    return [
        version.number
        for version in versions
        if (
            SnapshotSummary.load(version.run.snapshot).annotation >= first.key
            if version.run
            else version.created_at >= first.at
        )
    ]
