from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from annotate.models.imports import Import
from annotate.models.projects import Project


class Lane(models.TextChoices):
    POOL = "pool", _("Pool")
    HOLDOUT = "holdout", _("Holdout")


class Half(models.TextChoices):
    """What a holdout document is for: its labels tune thresholds, or they report figures; never both."""

    TUNING = "tuning", _("Tuning")
    REPORTING = "reporting", _("Reporting")


class FoldingTable(dict[int, str]):
    """What each character becomes in a folded text; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isspace():
            folded = " "
        else:
            lowered = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
            # Marks that carry a class are accents and points; vowels of Indic scripts, which are marks of
            # class 0, stay. U+FE00 to U+FE0F only choose how the character before them is drawn.
            folded = "".join(
                c for c in lowered if not unicodedata.combining(c) and not "\ufe00" <= c <= "\ufe0f"
            )
        self[code] = folded
        return folded


FOLDED = FoldingTable()


def fold(text: str) -> str:
    """Return a text as it is searched: without case, accents and forms of one letter, in any script.

    Each character is folded by itself, so that a place in the folded text is a place in the text.
    """
    return text.translate(FOLDED)


INDEXED = frozenset({"text", "meta"})  # what the search index holds of a document


class DocumentQuerySet(models.QuerySet["Document"]):
    def bulk_create(self, objs: Iterable[Document], *args: Any, **kwargs: Any) -> list[Document]:
        made = super().bulk_create(objs, *args, **kwargs)
        UnindexedText.keep(made)
        return made

    def bulk_update(self, objs: Iterable[Document], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        objs, fields = list(objs), list(fields)
        changed = super().bulk_update(objs, fields, *args, **kwargs)
        if not INDEXED.isdisjoint(fields):
            UnindexedText.keep(objs)
        return changed

    def pool(self) -> DocumentQuerySet:
        return self.filter(lane=Lane.POOL)

    def holdout(self) -> DocumentQuerySet:
        return self.filter(lane=Lane.HOLDOUT)

    def unassigned(self) -> DocumentQuerySet:
        """Return documents that are in nobody's queue and that nobody has decided on.

        NB: two subqueries: of joins without a row PostgreSQL makes all before it takes the first.
        """
        return self.exclude(assignments__isnull=False).exclude(annotations__isnull=False)

    def at_random(self, n: int, start: str) -> list[Document]:
        """Return up to `n` documents in digest order from `start` on, going round at the end.

        The digest is a random order that an index holds, so that nothing is scanned from its beginning.
        """
        found = list(self.filter(sha256__gte=start).order_by("sha256")[:n])
        if len(found) < n:
            found += self.filter(sha256__lt=start).order_by("sha256")[: n - len(found)]
        return found


class Document(models.Model):
    """One text, byte for byte as it came.

    `sha256` is the digest of the text; it identifies a document without an external id, finds its vector,
    and serves as its place in a random order that never changes. `source` is the import that added it; one
    that came over the API has none, and neither has one of before this was noted.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="documents")
    source = models.ForeignKey(
        Import, models.SET_NULL, null=True, editable=False, related_name="documents", db_index=False
    )
    external_id = models.CharField(_("external id"), max_length=255, null=True, blank=True)  # noqa: DJ001 (unique)
    text = models.TextField(_("text"))
    sha256 = models.CharField(max_length=64)
    split_key = models.CharField(max_length=64, blank=True, help_text=_("Shared by near duplicates."))
    meta = models.JSONField(default=dict, blank=True)
    lane = models.CharField(_("lane"), max_length=10, choices=Lane)
    half = models.CharField(max_length=10, choices=Half, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "external_id"],
                condition=models.Q(external_id__isnull=False),
                name="document_external_id_once_per_project",
            ),
            models.UniqueConstraint(
                fields=["project", "sha256"],
                condition=models.Q(external_id__isnull=True),
                name="document_text_once_per_project",
            ),
            models.CheckConstraint(
                condition=models.Q(lane=Lane.POOL, half="")
                | models.Q(lane=Lane.HOLDOUT, half__in=Half.values),
                name="document_half_belongs_to_the_holdout_lane",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "lane", "sha256"], name="document_random_order"),
            models.Index(fields=["project", "split_key"], name="document_near_duplicates"),
            models.Index(fields=["project", "sha256"], name="document_text"),
            # An import is of one project, so the project is not in it; the key is, for pages of documents.
            models.Index(
                fields=["source", "id"], condition=models.Q(source__isnull=False), name="document_source"
            ),
            models.Index("project", Length("text"), "id", name="document_length"),
            # All that a page of documents and most of its filters look at, in the order of the page: a
            # million entries are read in a fraction of the time that the rows take, which hold the texts.
            models.Index(fields=["project", "id", "created_at", "lane", "half"], name="document_order"),
        ]

    def __str__(self) -> str:
        return self.external_id or self.sha256[:12]

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        written = kwargs.get("update_fields")
        if written is None or not INDEXED.isdisjoint(written):
            UnindexedText.keep([self])


class FoldedText(models.Model):
    """A document's text as it is searched, in the search index.

    It stands in a table of its own: an index of SQLite is kept by triggers, which would vanish whenever a
    migration rebuilds the table of documents, and nothing else has to read it.
    """

    document = models.OneToOneField(Document, models.CASCADE, primary_key=True, related_name="folded")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:50]


class UnindexedText(models.Model):
    """A document's text as it is searched, until a job has moved it into the search index.

    Whatever writes a document leaves it here: to write the index takes almost as long as all else that an
    import does, and an import has people who wait for it. A text is here or a `FoldedText`, never both.
    """

    # NB: without the database's constraints. To check them took PostgreSQL a fifth of the time of an import.
    document = models.OneToOneField(
        Document, models.CASCADE, primary_key=True, related_name="unindexed", db_constraint=False
    )
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="unindexed_texts", db_index=False, db_constraint=False
    )
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["project", "document"], name="unindexed_text_of_project")]

    def __str__(self) -> str:
        return self.text[:50]

    @staticmethod
    def keep(documents: Iterable[Document]) -> None:
        """Write the folded texts of documents that were stored; their earlier ones leave the index."""
        texts = [
            UnindexedText(document=document, project_id=document.project_id, text=fold(document.text))
            for document in documents
        ]
        UnindexedText.objects.bulk_create(
            texts,
            batch_size=200,
            update_conflicts=True,
            unique_fields=["document"],
            update_fields=["text"],
        )
        # NB: after the line above, which waits for a job that moves an earlier text at this moment.
        FoldedText.objects.filter(pk__in=[text.pk for text in texts]).delete()


class Comment(models.Model):
    """What a lead writes about a document. A form that is sent twice carries one `key`."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    key = models.UUIDField(unique=True)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.author_id} on {self.document_id}"


class ImportChange(models.Model):
    """What an import changed of a document that was there before it, so that the import can be undone.

    `before` and `after` have the same parts: `text`, `external_id`, `meta` by its keys, `answer` of the
    annotator "import". Of a key or an answer that was not there, `before` has nothing; of the text, `after`
    has the digest.
    """

    source = models.ForeignKey(Import, models.CASCADE, related_name="changes", db_index=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="import_changes")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "document"], name="import_change_once_per_document")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} by {self.source_id}"


class Mention(models.Model):
    """Somebody whom a comment names by @: it is shown to them until they have opened it."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    opened_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="mention_once_per_comment")]
        indexes = [
            models.Index(fields=["user"], condition=models.Q(opened_at=None), name="mention_not_opened")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.comment_id}"


class SavedView(models.Model):
    """A list of documents under a name: `query` is the address of the documents page that shows it.

    It is its owner's alone, or everybody's who sees the project's documents where it `is_shared`.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(_("name"), max_length=100)
    query = models.TextField(blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(is_shared=True),
                name="view_name_once_per_project",
            ),
            models.UniqueConstraint(
                fields=["project", "owner", "name"],
                condition=models.Q(is_shared=False),
                name="view_name_once_per_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.name
