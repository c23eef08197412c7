"""A project goes out as an archive and comes back the same; a broken archive leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from annotate.models import (
    Annotation,
    Comment,
    Decision,
    DictionaryEntry,
    Document,
    Event,
    ModelVersion,
    Project,
    Publication,
    Restoration,
    User,
)
from annotate.models.documents import Half
from annotate.services.archives import job, reading
from annotate.services.archives.reading import ArchiveError
from annotate.services.deletion import project as deletion
from annotate.services.exports import archive
from annotate.services.projects import dictionary
from tests.annotate.made.bundles import add_version
from training.types import Answer, Span


@pytest.fixture(autouse=True)
def _home(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.TEMPORARY_ROOT = tmp_path / "uploads", tmp_path / "tmp"
    settings.BUNDLE_ROOT = tmp_path / "bundles"
    settings.TEMPORARY_ROOT.mkdir()


@pytest.fixture
def filled(
    project: Project, annotator: User, lead: User, add_documents: Callable[..., list[Document]], settings: Any
) -> Project:
    """A project with all that an archive holds: lanes, history, an archived label, bundles, a comment."""
    one, two = add_documents(project, "=1 «red»", "\U0001f600 blue")
    add_documents(project, "held out", lane="holdout", half=Half.TUNING)
    Document.objects.filter(pk=one.pk).update(meta={"deep": [1, {"a": None}]}, external_id="x/1")
    red, green, blue = project.labels.order_by("position", "pk")
    version = add_version(project, settings.BUNDLE_ROOT, number=3, stage="candidate")
    revision = add_version(project, settings.BUNDLE_ROOT, number=4)
    ModelVersion.objects.filter(pk=revision.pk).update(revises=version, abstain_below=0.4)
    for document, user, label in ((one, annotator, red), (two, lead, blue)):
        made = Annotation.objects.create(
            project=project,
            document=document,
            annotator=user,
            outcome="answered",
            seconds=1.5,
            shown=Answer((red.pk,), scores=((red.pk, 0.75), (green.pk, 0.2))),
            shown_version=version,
        )
        made.labels.add(label)
        for chosen in (green, label):
            Decision.objects.create(
                annotation=made, card=uuid.uuid4(), outcome="answered", answer=Answer((chosen.pk,))
            )
    Comment.objects.create(document=one, author=lead, key=uuid.uuid4(), text="is it?")
    Project.objects.filter(pk=project.pk).update(batch_size=7, guidelines="Look twice.", llm_budget=5)
    project.refresh_from_db()
    return project


def packed(project: Project, tmp_path: Path) -> bytes:
    path = tmp_path / "archive.zip"
    archive.write(project, path)
    return path.read_bytes()


def restored(content: bytes, by: User | None = None) -> Restoration:
    row = job.begin(file=ContentFile(content), name="a.zip", by=by)
    job.run(row.pk)
    row.refresh_from_db()
    return row


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        return {name: found.read(name) for name in found.namelist()}


def zipped(parts: Mapping[str, bytes], *, is_sealed: bool = False) -> bytes:
    """Return an archive of these members; `is_sealed` tells their digests and sizes anew."""
    parts = dict(parts)
    if is_sealed:
        told = json.loads(parts["manifest.json"])
        told["members"] = {
            name: {
                **told["members"].get(name, {}),
                "bytes": len(part),
                "sha256": hashlib.sha256(part).hexdigest(),
            }
            for name, part in parts.items()
            if name != "manifest.json"
        }
        parts["manifest.json"] = json.dumps(told).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, part in parts.items():
            made.writestr(name, part)
    return file.getvalue()


def without_keys(parts: dict[str, bytes]) -> dict[str, Any]:
    """Return what two archives of one project share wherever it stands: all but keys of rows and of cards."""
    told: dict[str, Any] = {}
    for name in reading.ROWS:
        if name == "events.jsonl":  # the restoration itself is one more
            continue
        rows = [json.loads(line) for line in parts[name].splitlines()]
        for row in rows:
            for key in (
                "id",
                "document",
                "key",
                "labels",
                "label_ids",
                "shown",
                "decisions",
                "class_metrics",
            ):
                row.pop(key, None)
        told[name] = rows
    told |= {name: hashlib.sha256(part).hexdigest() for name, part in parts.items() if "bundles/" in name}
    project = json.loads(parts["project.json"])
    for label in project["labels"]:
        del label["id"]
    del project["slug"]
    return told | {"project": project}


def test_it_comes_back_with_equal_counts_texts_history_and_bundles(
    filled: Project, lead: User, tmp_path: Path
) -> None:
    before = packed(filled, tmp_path)
    row = restored(before, lead)
    assert (row.state, row.error) == ("succeeded", "")
    fresh = row.project
    assert fresh is not None
    assert without_keys(members(packed(fresh, tmp_path))) == without_keys(members(before))
    assert (fresh.slug, fresh.llm_budget, fresh.deleted_at) == ("colours-2", 0, None)
    assert not row.file
    assert fresh.memberships.get().user == lead


def test_answers_and_histories_are_of_the_labels_of_the_new_project(
    filled: Project, lead: User, tmp_path: Path
) -> None:
    fresh = restored(packed(filled, tmp_path), lead).project
    assert fresh is not None
    names = dict(fresh.labels.values_list("pk", "name"))
    annotation = Annotation.objects.get(project=fresh, annotator__username="anton")
    assert [names[label.pk] for label in annotation.labels.all()] == ["red"]
    said = [names[int(one.answer.labels[0])] for one in annotation.decisions.order_by("pk")]
    assert said == ["green", "red"]
    assert annotation.shown is not None
    assert [names[int(label)] for label, _score in annotation.shown.scores] == ["red", "green"]
    version = fresh.versions.get(number=3)
    revision = fresh.versions.get(number=4)
    assert (revision.revises, revision.abstain_below) == (version, 0.4)
    assert annotation.shown_version == version
    assert [names[label] for label in version.label_ids] == [
        label.name for label in filled.labels.order_by("position", "pk")
    ]
    assert version.checked_folder().is_dir()
    original = Annotation.objects.get(project=filled, annotator__username="anton")
    assert annotation.created_at == original.created_at


def test_spans_come_back_in_the_labels_of_the_new_project(filled: Project, tmp_path: Path) -> None:
    Project.objects.update(task="span")
    red, green, _blue = filled.labels.order_by("position", "pk")
    made = Annotation.objects.earliest("pk")
    for said in (
        Answer(spans=(Span(0, 2, green.pk),)),
        Answer(spans=(Span(0, 2, red.pk), Span(3, 8, green.pk))),
    ):
        made.say(said)
        Decision.objects.create(annotation=made, card=uuid.uuid4(), outcome="answered", answer=said)
    again = restored(packed(filled, tmp_path)).project
    assert again is not None
    copy = Annotation.objects.filter(project=again).earliest("pk")
    keys = dict(again.labels.values_list("name", "pk"))
    wanted = (Span(0, 2, keys["red"]), Span(3, 8, keys["green"]))
    assert copy.answer == Answer(spans=wanted) == copy.decisions.latest("pk").answer


def test_a_dictionary_comes_back_in_the_labels_of_the_new_project(filled: Project, tmp_path: Path) -> None:
    red = filled.labels.get(name="red")
    DictionaryEntry.objects.create(project=filled, label=red, words="New York")
    made = restored(packed(filled, tmp_path)).project
    assert made is not None
    assert dictionary.entries(made) == {"New York": made.labels.get(name="red").pk}


def test_on_an_empty_site_names_become_accounts_nobody_can_log_in_to(
    filled: Project, lead: User, tmp_path: Path, django_user_model: Any
) -> None:
    content = packed(filled, tmp_path)
    cards = set(Decision.objects.values_list("card", flat=True))
    Annotation.objects.all().delete()
    Comment.objects.all().delete()
    Publication.objects.all().delete()
    filled.versions.all().delete()
    filled.delete()
    User.objects.all().delete()
    row = restored(content)
    assert (row.state, row.error) == ("succeeded", "")
    assert sorted(row.found["placeholders"]) == ["anton", "lena"]
    anton = User.objects.get(username="anton")
    assert (anton.is_active, anton.has_usable_password()) == (False, False)
    assert row.project is not None
    assert row.project.slug == "colours"
    assert set(Decision.objects.values_list("card", flat=True)) == cards
    assert not row.project.memberships.exists()


def test_events_come_back_as_told_and_as_deeds_of_no_account(
    filled: Project, lead: User, tmp_path: Path
) -> None:
    document = filled.documents.order_by("pk")[0]
    Event.objects.create(
        kind="commented", by=lead, by_name="lena", project_id=filled.pk, document_id=document.pk
    )
    fresh = restored(packed(filled, tmp_path), lead).project
    assert fresh is not None
    told = Event.objects.get(project_id=fresh.pk, kind="commented")
    assert (told.by, told.by_name) == (None, "lena")
    assert told.document_id == fresh.documents.order_by("pk")[0].pk


Change = Callable[[dict[str, bytes]], bytes]


def newer(parts: dict[str, bytes]) -> bytes:
    return zipped(parts | {"manifest.json": parts["manifest.json"].replace(b'"format": 1', b'"format": 2')})


def with_one_more(name: str) -> Change:
    return lambda parts: zipped(parts | {name: b"x"}, is_sealed=True)


def with_another_byte(parts: dict[str, bytes]) -> bytes:
    return zipped(parts | {"documents.jsonl": parts["documents.jsonl"].replace(b"held out", b"held oot")})


def with_row(name: str, old: bytes, new: bytes) -> Change:
    def change(parts: dict[str, bytes]) -> bytes:
        assert old in parts[name]
        return zipped(parts | {name: parts[name].replace(old, new)}, is_sealed=True)

    return change


BROKEN: dict[str, tuple[Change, str]] = {
    "no zip": (lambda parts: b"PK\x03\x04 and nothing else", "cut off"),
    "cut in half": (lambda parts: (whole := zipped(parts))[: len(whole) // 2], "cut off"),
    "newer": (newer, "newer version"),
    "another byte": (with_another_byte, "was changed"),
    "a path upwards": (with_one_more("../evil"), "no archive of a project has"),
    "a path upwards in a bundle": (with_one_more("bundles/3/../../evil"), "no archive of a project has"),
    "an absolute path": (with_one_more("/etc/evil"), "no archive of a project has"),
    "a member that is missing": (
        lambda parts: zipped({name: part for name, part in parts.items() if name != "events.jsonl"}),
        "other files than it says",
    ),
    "no manifest": (
        lambda parts: zipped({name: part for name, part in parts.items() if name != "manifest.json"}),
        "no list",
    ),
    "a lane that is not": (with_row("documents.jsonl", b'"holdout"', b'"nowhere"'), "documents.jsonl"),
    "a text that is a list": (with_row("documents.jsonl", b'"held out"', b'["x"]'), "documents.jsonl"),
    "a NUL in a text": (with_row("documents.jsonl", b"held out", b"held \\u0000"), "documents.jsonl"),
    "an answer of nobody": (with_row("annotations.jsonl", b'"anton"', b'"nobody"'), "annotations.jsonl"),
    "an outcome that is not": (with_row("annotations.jsonl", b'"answered"', b'"sure"'), "annotations.jsonl"),
    "a row that is no JSON": (with_row("comments.jsonl", b"{", b"["), "no JSON"),
    "a setting that is not": (
        with_row("project.json", b'"batch_size": 7', b'"batch_size": -7'),
        "project.json",
    ),
    "a bundle of nothing": (with_one_more("bundles/9/model.onnx"), "a version that it has not"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_archive_is_told_in_a_sentence_and_leaves_nothing(
    filled: Project, lead: User, tmp_path: Path, fault: str
) -> None:
    change, sentence = BROKEN[fault]
    content = change(members(packed(filled, tmp_path)))
    try:
        row = restored(content, lead)
    except ArchiveError as error:
        told = str(error)
    else:
        assert row.state == "failed"
        told = row.error
    assert sentence in told
    assert list(Project.objects.standing()) == [filled]
    for removal in deletion.due():
        deletion.run(removal.pk)
    assert list(Project.objects.all()) == [filled]
    assert Document.objects.count() == 3
    assert not any(path.is_file() for path in (tmp_path / "uploads").rglob("*"))
    assert not (tmp_path / "evil").exists()


def test_what_unpacks_to_more_than_the_site_takes_is_refused_before_it_is_unpacked(
    filled: Project, lead: User, tmp_path: Path, settings: Any
) -> None:
    settings.IMPORT_MAX_BYTES = 100
    with pytest.raises(ArchiveError, match="unpacks to more"):
        restored(packed(filled, tmp_path), lead)


def test_a_project_that_is_being_restored_is_not_removed(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(deleted_at="2026-01-01T00:00:00Z")
    row = Restoration.objects.create(project=project, name="a.zip", state="running")
    assert deletion.due() == []
    Restoration.objects.filter(pk=row.pk).update(state="failed")
    assert [removal.project for removal in deletion.due()] == [project]


@pytest.mark.parametrize("with_documents", [True, False])
def test_a_duplicate_has_labels_and_settings_and_documents_if_asked(
    filled: Project, lead: User, with_documents: bool
) -> None:
    made, rows = job.duplicate(
        project=filled, name="Copy", slug="copy", with_documents=with_documents, by=lead
    )
    for row in rows:
        job.run(row.pk)
    assert (made.batch_size, made.guidelines, made.name) == (7, "Look twice.", "Copy")
    assert list(made.labels.values_list("name", "hotkey")) == list(
        filled.labels.values_list("name", "hotkey")
    )
    columns = ("external_id", "text", "sha256", "split_key", "meta", "lane", "half")
    copied = list(made.documents.order_by("pk").values_list(*columns))
    assert copied == (list(filled.documents.order_by("pk").values_list(*columns)) if with_documents else [])
    assert not made.annotations.exists()
    assert made.memberships.get().user == lead


def test_a_copy_that_was_killed_goes_on_where_it_stopped(
    filled: Project, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "CHUNK", 1)
    made, (row,) = job.duplicate(project=filled, name="Copy", slug="copy", with_documents=True, by=lead)
    insert, times = job.insert, []

    def stop_at_third(*given: Any) -> list[int]:
        times.append(given[0])
        if len(times) == 3:
            raise SystemExit
        return insert(*given)

    monkeypatch.setattr(job, "insert", stop_at_third)
    with pytest.raises(SystemExit):
        job.run(row.pk)
    assert made.documents.count() == 1
    monkeypatch.setattr(job, "insert", insert)
    job.run(row.pk)
    assert made.documents.count() == 3


def test_the_command_restores_a_file_and_tells_what_is_wrong_with_another(
    filled: Project, lead: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(filled, tmp_path)
    call_command("restore_project", str(tmp_path / "archive.zip"), lead="lena")
    assert "colours-2: 3 documents, 2 annotations, 2 versions" in capsys.readouterr().out
    (tmp_path / "no.zip").write_bytes(b"no")
    with pytest.raises(CommandError, match="no archive of a project"):
        call_command("restore_project", str(tmp_path / "no.zip"))
