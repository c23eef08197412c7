"""A whole project as one zip of JSON lines and bundles, each member with its digest."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils import timezone

from annotate.models import (
    Annotation,
    Comment,
    Decision,
    Document,
    Event,
    ModelVersion,
    Project,
    User,
)

FORMAT = 1
MANIFEST = "manifest.json"
PROJECT = "project.json"
CHUNK = 1000
# What is a site's own: where a project stands on it, and what its models may cost there.
NOT_KEPT = {"id", "slug", "name", "task", "created_at", "created_by", "deleted_at", "llm_budget"}
SETTINGS = tuple(field.name for field in Project._meta.concrete_fields if field.name not in NOT_KEPT)
DOCUMENT = ("external_id", "text", "sha256", "split_key", "meta", "lane", "half", "created_at")
ANNOTATION = (
    "outcome", "reason", "seconds", "source", "is_gold", "is_late", "guidelines_version", "shown",
    "created_at", "updated_at",
)  # fmt: skip
DECISION = ("card", "outcome", "answer", "reason", "seconds", "created_at")
VERSION = (
    "number", "family", "variant", "encoder", "bundle_digest", "stage", "verdict", "is_refused", "gain",
    "calibrated", "abstain_below", "label_ids", "labelled", "holdout_documents", "macro_f1", "macro_f1_low",
    "macro_f1_high", "micro_f1", "micro_f1_low", "micro_f1_high", "report", "created_at", "published_at",
)  # fmt: skip
METRIC = (
    "label_id", "threshold", "support", "precision", "recall", "f1", "f1_low", "f1_high", "hits", "decided",
)  # fmt: skip
EVENT = ("at", "kind", "by_name", "document_id", "subject", "details")
GUIDELINES = ("number", "text", "created_at")
LABEL = ("id", "name", "description", "hotkey", "position", "archived_at", "merged_into", "of_spans")
Row = dict[str, Any]
M = TypeVar("M", bound=Model)


def write(
    project: Project, path: Path, tell: Callable[[float], object] = lambda share: None
) -> dict[str, int]:
    """Write a project to a file; return how many rows of each kind it holds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        members = _Members(archive)
        members.lines(PROJECT, [_project(project)])
        documents = Document.objects.filter(project=project)
        whole, done = max(1, documents.count()), 0

        def told(rows: Iterable[Row]) -> Iterator[Row]:
            nonlocal done
            for done, row in enumerate(rows, start=1):
                if done % CHUNK == 0:
                    tell(0.5 * min(1.0, done / whole))
                yield row

        members.lines("documents.jsonl", told(_plain(documents, DOCUMENT)))
        members.lines("versions.jsonl", _versions(project))
        for version in project.versions.order_by("number"):
            for name, file in bundle_files(version):
                members.file(name, file)
        members.lines("annotations.jsonl", told(_annotations(project)))
        members.lines("comments.jsonl", _comments(project))
        members.lines("events.jsonl", _plain(Event.objects.filter(project_id=project.pk), EVENT))
        told_of = {"format": FORMAT, "made": timezone.now().isoformat(), "members": members.known}
        archive.writestr(MANIFEST, json.dumps(told_of, indent=1))
    return {name: told["rows"] for name, told in members.known.items() if "rows" in told}


class _Members:
    """Writes members one after the other, and knows the digest and the size of each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.known: dict[str, Row] = {}

    def lines(self, name: str, rows: Iterable[Row]) -> None:
        def written() -> Iterator[bytes]:
            for row in rows:
                counts["rows"] += 1
                yield json.dumps(row, ensure_ascii=True, default=_json).encode() + b"\n"

        counts = {"rows": 0}
        self._add(name, written())
        self.known[name] |= counts

    def file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self._add(name, iter(lambda: file.read(1024 * 1024), b""))

    def _add(self, name: str, blocks: Iterable[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with self.archive.open(name, "w", force_zip64=True) as member:
            for block in blocks:
                digest.update(block)
                size += len(block)
                member.write(block)
        self.known[name] = {"sha256": digest.hexdigest(), "bytes": size}


def _json(value: Any) -> Any:
    """Return what JSON has no form for: a date, a key of a card, an answer."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.dump() if hasattr(value, "dump") else str(value)


def _project(project: Project) -> Row:
    people = User.objects.filter(annotations__project=project) | User.objects.filter(
        comments__document__project=project
    )
    return {
        "slug": project.slug,
        "name": project.name,
        "task": project.task,
        "created_at": project.created_at,
        "settings": {name: getattr(project, name) for name in SETTINGS},
        "labels": list(project.labels.values(*LABEL)),
        "dictionary": list(project.dictionary.order_by("pk").values_list("words", "label")),
        "guidelines": list(project.guidelines_versions.order_by("number").values(*GUIDELINES)),
        "people": dict(people.distinct().values_list("username", "is_machine")),
    }


def chunks(rows: QuerySet[M]) -> Iterator[list[M]]:
    """Yield rows by their keys, a thousand at a time, without a cursor that holds the database."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        last = chunk[-1].pk
        yield chunk


def _plain(rows: QuerySet[Any], columns: tuple[str, ...]) -> Iterator[Row]:
    for chunk in chunks(rows):
        for row in chunk:
            yield {"id": row.pk, **{name: getattr(row, name) for name in columns}}


def _annotations(project: Project) -> Iterator[Row]:
    found = Annotation.objects.filter(project=project).select_related("annotator", "shown_version")
    for chunk in chunks(found):
        keys = [row.pk for row in chunk]
        said = Annotation.objects.filter(pk__in=keys).answers()
        decisions: dict[int, list[Row]] = {}
        for decision in Decision.objects.filter(annotation__in=keys).order_by("pk"):
            told = {name: getattr(decision, name) for name in DECISION}
            decisions.setdefault(decision.annotation_id, []).append(told)
        for row in chunk:
            yield {
                "id": row.pk,
                "document": row.document_id,
                "annotator": row.annotator.username,
                **said[row.pk].dump(),
                "shown_version": row.shown_version.number if row.shown_version else None,
                **{name: getattr(row, name) for name in ANNOTATION},
                "decisions": decisions.get(row.pk, []),
            }


def _comments(project: Project) -> Iterator[Row]:
    for chunk in chunks(Comment.objects.filter(document__project=project).select_related("author")):
        for row in chunk:
            yield {
                "id": row.pk,
                "document": row.document_id,
                "author": row.author.username,
                "key": row.key,
                "text": row.text,
                "created_at": row.created_at,
            }


def _versions(project: Project) -> Iterator[Row]:
    """Yield the versions; a bundle that is gone already is not missed, as its version keeps its figures."""
    for version in project.versions.select_related("revises").order_by("number"):
        yield {
            **{name: getattr(version, name) for name in VERSION},
            "revises": version.revises.number if version.revises else None,
            "class_metrics": list(version.class_metrics.values(*METRIC)),
            "publications": list(version.publications.order_by("pk").values("published_at", "withdrawn_at")),
            "bundle": [name for name, _path in bundle_files(version)],
        }


def bundle_files(version: ModelVersion) -> list[tuple[str, Path]]:
    """Return the files of a version's bundle with their names in the archive."""
    if not version.bundle or not version.bundle_folder.is_dir():
        return []
    found = sorted(
        path for path in version.bundle_folder.rglob("*") if path.is_file() and not path.is_symlink()
    )
    start = f"bundles/{version.number}"
    return [(f"{start}/{path.relative_to(version.bundle_folder).as_posix()}", path) for path in found]
