"""What each sweeper removes, and what it has to leave."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import (
    AskedText,
    Assignment,
    Batch,
    Card,
    Corridor,
    Document,
    Embedding,
    Import,
    ModelVersion,
    Neighbourhood,
    Project,
    Publication,
    Sweep,
    TrainingRun,
    User,
)
from annotate.services.runs import scratch
from annotate.services.upkeep import files, rows
from annotate.services.work import limits, workers

pytestmark = pytest.mark.django_db
SOON = 3600.0


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BUNDLE", "ENCODER", "SCRATCH", "MEDIA", "WORKER", "TEMPORARY"):
        setattr(settings, f"{name}_ROOT", tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    monkeypatch.setattr(workers, "_own", None)
    return tmp_path


def made(path: Path, *, hours: float = 5.0) -> Path:
    """Make a folder with a file in it that nobody has touched for so long."""
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"x" * 100)
    for one in (path / "model.onnx", path):
        age(one, hours)
    return path


def age(path: Path, hours: float) -> None:
    then = timezone.now().timestamp() - hours * 3600
    os.utime(path, (then, then))


def a_version(project: Project, number: int = 1, **fields: Any) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=number, family="tfidf", labelled=2, holdout_documents=0, **fields
    )


def long_ago(row: Model, field: str, days: float) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**{field: timezone.now() - timedelta(days=days)})


def test_bundles_of_dead_attempts_go_and_those_of_versions_and_living_runs_stay(
    project: Project, home: Path
) -> None:
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead", state="running", token=3)
    root = home / "bundle" / str(project.pk)
    a_version(project, bundle=f"{project.pk}/run-1-1")
    a_version(project, number=2, bundle="")
    stay = ["run-1-1", f"run-{run.pk}-3", f".run-{run.pk}-3.0a0b", "what somebody put here"]
    go = ["run-2-1", ".run-2-1.0a0b", f"run-{run.pk}-2", f".run-{run.pk}-2.ffff", ".old.k3x_9"]
    for name in [*stay, *go]:
        made(root / name)
    young = made(root / "run-7-1", hours=0.1)
    assert files.bundles(SOON) == len(go)
    assert {path.name for path in root.iterdir()} == {*stay, young.name}
    TrainingRun.objects.update(state="failed")
    assert files.bundles(SOON) == 2


def test_the_folder_of_a_project_that_is_gone_goes_with_its_bundles(project: Project, home: Path) -> None:
    gone, there = home / "bundle" / "4711", home / "bundle" / str(project.pk)
    made(gone / "run-1-1")
    there.mkdir()
    assert files.bundles(SOON) == 1
    assert not gone.exists()
    assert there.exists()


def test_drafts_of_encoders_go_and_encoders_with_their_notes_stay(home: Path) -> None:
    root = home / "encoder"
    kept, lost = made(root / ("f" * 64)), "e" * 64
    for name, fingerprint in (("kept", kept.name), ("lost", lost)):
        note = root / f"{name}.json"
        note.write_text(json.dumps({"name": "some/encoder", "precision": "int8", "fingerprint": fingerprint}))
        age(note, 5)
    for name in (".export-abc", ".tuned-abc"):
        made(root / name)
    (root / "note.17.tmp").write_text("{")
    age(root / "note.17.tmp", 5)
    at_work = made(root / ".export-now", hours=5)
    (at_work / "weights").write_bytes(b"just written")
    assert files.encoder_drafts(SOON) == 4
    assert {path.name for path in root.iterdir()} == {kept.name, "kept.json", ".export-now"}


def test_an_encoder_that_a_killed_run_has_tuned_goes_with_its_vectors(project: Project, home: Path) -> None:
    root, names = home / "encoder", {"used": "a" * 64, "unused": "b" * 64, "prepared": "c" * 64}
    for key, fingerprint in names.items():
        made(root / fingerprint)
        name = "some/encoder" if key == "prepared" else str(home / "scratch" / "run-1" / "encoder")
        (root / f"{key}.json").write_text(json.dumps({"name": name, "fingerprint": fingerprint}))
        Embedding.objects.create(encoder=fingerprint, sha256="0" * 64, vector=b"")
    a_version(project, bundle="1/run-1-1", encoder=names["used"])
    run = TrainingRun.objects.create(
        project=project, family="tfidf", reason="lead", config={"encoder": "tuned"}
    )
    assert files.tuned_encoders(SOON) == 0  # a run may be making the same one again
    TrainingRun.objects.filter(pk=run.pk).update(state="failed")
    assert files.tuned_encoders(SOON) == 1
    assert not (root / names["unused"]).exists()
    left = set(Embedding.objects.values_list("encoder", flat=True))
    assert left == {names["used"], names["prepared"]}


def test_scratch_folders_of_runs_that_are_over_go(project: Project) -> None:
    live = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    kept, gone = made(scratch.folder(live)), made(scratch.folder(live).with_name("run-4711"))
    assert files.scratch_folders(SOON) == 1
    assert (kept.exists(), gone.exists()) == (True, False)


def test_uploads_without_an_import_go_and_those_of_imports_stay_for_a_month(
    project: Project, home: Path, sign_in: Callable[[User], Client], lead: User
) -> None:
    def upload(state: str, days: float) -> Import:
        row = Import.objects.create(
            project=project, name="a.csv", state=state, file=ContentFile(b"text\na rose\n", name="a.csv")
        )
        long_ago(row, "created_at", days)
        if state in ("succeeded", "failed"):
            long_ago(row, "finished_at", days)
        age(Path(row.file.path), 24 * days)
        return row

    stay = [upload("succeeded", 29), upload("uploaded", 29), upload("queued", 40), upload("running", 40)]
    over, never_begun = upload("succeeded", 31), upload("uploaded", 31)
    orphan = home / "media" / "imports" / "lost.csv"
    orphan.write_text("text\n")
    age(orphan, 5)
    (home / "media" / "imports" / "coming.csv").write_text("text\n")
    assert files.uploads(SOON) == 3
    assert all(Path(row.file.path).exists() for row in stay)
    assert not Path(over.file.path).exists()
    assert not orphan.exists()
    assert not Import.objects.filter(pk=never_begun.pk).exists()
    Import.objects.update(bytes_read=10)
    client = sign_in(lead)
    for query in ("", "?columns=1"):
        page = client.get(reverse("import", args=[project.slug, over.pk]) + query, follow=True)
        assert page.status_code == 200


def test_files_of_dead_workers_go_and_those_of_living_ones_stay() -> None:
    mine = workers.path_of(workers.this_worker())
    dead = workers.path_of("host.1.ab.2.cd")
    dead.write_text("")
    for path in (mine, dead):
        age(path, 5)
    assert files.worker_files(SOON) == 1
    assert (mine.exists(), dead.exists()) == (True, False)


def test_temporary_files_go(home: Path) -> None:
    made(home / "temporary" / "tmpabc")
    made(home / "temporary" / "tmpnow", hours=0.1)
    assert files.temporary_files(SOON) == 1


def test_static_files_of_an_earlier_version_go_a_day_after_an_update(settings: Any, home: Path) -> None:
    settings.STATIC_ROOT = home / "static"
    shown = ["app.js", "app.22.js", "app.22.js.gz", "app.22.js.br", "data.gz", "data.33.gz"]
    former = ["app.11.js", "app.11.js.gz", "app.11.js.br", "gone/page.44.css"]
    for name in [*shown, *former, ".fingerprint"]:
        path = home / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        age(path, 99)
    assert files.static_files(SOON) == 0  # nothing says what is shown
    listed = home / "static" / "staticfiles.json"
    listed.write_text(json.dumps({"paths": {"app.js": "app.22.js", "data.gz": "data.33.gz"}}))
    age(listed, 23.9)
    assert files.static_files(SOON) == 0
    age(listed, 24.1)
    assert files.static_files(SOON) == len(former)
    left = {
        path.relative_to(home / "static").as_posix() for path in listed.parent.rglob("*") if path.is_file()
    }
    assert left == {*shown, ".fingerprint", "staticfiles.json"}


def test_no_file_counts_as_left_while_a_stage_may_be_silent_for_so_long(settings: Any) -> None:
    longest = max(limits.SILENT_SECONDS.values()) * limits.SLOW
    assert files.untouched_seconds() > longest
    settings.STAGE_LIMIT_FACTOR = 10
    assert files.untouched_seconds() > 10 * longest


def test_sessions_go_when_they_end() -> None:
    now = timezone.now()
    for name, end in (("over", now - timedelta(seconds=5)), ("open", now + timedelta(hours=1))):
        Session.objects.create(session_key=name, session_data="", expire_date=end)
    assert rows.sessions(SOON) == 1
    assert Session.objects.get().session_key == "open"


def test_wrong_passwords_go_when_they_no_longer_count(settings: Any) -> None:
    for days in (10, 40):
        attempt = AccessAttempt.objects.create(username=f"u{days}", failures_since_start=1)
        long_ago(attempt, "attempt_time", days)
    settings.AXES_COOLOFF_TIME = timedelta(days=100)
    assert rows.guesses(SOON) == 0
    settings.AXES_COOLOFF_TIME = timedelta(minutes=15)
    assert rows.guesses(SOON) == 1
    assert AccessAttempt.objects.get().username == "u10"


def test_cards_go_after_three_months_unless_somebody_has_one_before_them(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    documents = add_documents(project, "one", "two", "three")
    shown, done, young = (
        Card.objects.create(key=uuid.uuid4(), document=document, annotator=annotator)
        for document in documents
    )
    for card, state in ((shown, "leased"), (done, "done")):
        Assignment.objects.create(
            project=project, document=card.document, rank=1, state=state, annotator=annotator, card=card.key
        )
        long_ago(card, "created_at", 91)
    assert rows.cards(SOON) == 1
    assert set(Card.objects.all()) == {shown, young}


def test_publications_go_that_can_never_serve_again(project: Project) -> None:
    long = timezone.now() - timedelta(days=100)
    kept, pruned = a_version(project, bundle="1/run-1-1"), a_version(project, number=2, bundle="")

    def publication(version: ModelVersion, **fields: Any) -> Publication:
        return project.publications.create(version=version, published_at=long, **fields)

    standing = publication(kept)
    publication(pruned)
    publication(kept, withdrawn_at=long)
    young = project.publications.create(version=pruned, published_at=timezone.now())
    newest = publication(pruned)
    assert rows.publications(SOON) == 2
    assert set(project.publications.all()) == {standing, young, newest}


def test_runs_without_a_version_go_and_the_newest_of_a_variant_stays(project: Project) -> None:
    def a_run(state: str, days: float, variant: str = "") -> TrainingRun:
        run = TrainingRun.objects.create(
            project=project, family="tfidf", variant=variant, reason="lead", state=state
        )
        if state != "queued":
            long_ago(run, "finished_at", days)
        return run

    with_version = a_run("succeeded", 100)
    a_version(project, run=with_version)
    a_run("failed", 100)
    stay = [with_version, a_run("failed", 80), a_run("failed", 100), a_run("queued", 100, "svm")]
    assert rows.runs(SOON) == 1
    assert set(TrainingRun.objects.all()) == set(stay)


def test_batches_go_when_all_their_places_are_gone(
    project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    (document,) = add_documents(project, "one")
    full, empty, young, newest = (Batch.objects.create(project=project, strategy="random") for _ in range(4))
    Assignment.objects.create(project=project, document=document, rank=1, batch=full)
    for batch in (full, empty, newest):
        long_ago(batch, "created_at", 31)
    assert rows.batches(SOON) == 1
    assert set(Batch.objects.all()) == {full, young, newest}
    assert empty.pk not in Batch.objects.values_list("pk", flat=True)


def test_vectors_of_encoders_that_are_gone_go(
    project: Project,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "one")
    site, kept, gone = "a" * 64, "b" * 64, "c" * 64
    (home / "encoder" / kept).mkdir()
    for name in (site, kept, gone):
        Embedding.objects.create(encoder=name, sha256="0" * 64, vector=b"")
        Neighbourhood.objects.create(document=document, encoder=name, neighbours=b"", similarities=b"")
    monkeypatch.setattr(rows.vector_store, "site_fingerprint", lambda: "")
    assert rows.vectors(SOON) == 0
    monkeypatch.setattr(rows.vector_store, "site_fingerprint", lambda: site)
    assert rows.vectors(SOON) == 2
    for model in (Embedding, Neighbourhood):
        assert set(model.objects.values_list("encoder", flat=True)) == {site, kept}


def test_logs_of_administrators_and_of_sweeps_go(lead: User) -> None:
    for days in (300, 400):
        entry = LogEntry.objects.create(user=lead, object_repr="a user", action_flag=2)
        long_ago(entry, "action_time", days)
    assert rows.admin_log(SOON) == 1
    for days, state in ((1, "succeeded"), (8, "succeeded"), (8, "running")):
        long_ago(Sweep.objects.create(state=state), "created_at", days)
    assert rows.sweeps(SOON) == 1


def test_texts_of_programs_go_after_a_week_or_where_none_is_kept_any_more(
    project: Project, multi_project: Project
) -> None:
    today, now = timezone.localdate(), timezone.now()
    Corridor.objects.create(project=project, texts_kept_until=today)
    Corridor.objects.create(project=multi_project, texts_kept_until=today - timedelta(days=1))
    kept, old, _other = (
        AskedText.objects.create(project=of, text="a question") for of in (project, project, multi_project)
    )
    AskedText.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=8))
    assert rows.asked_texts(SOON) == 2
    assert AskedText.objects.get() == kept


def test_bulk_changes_that_were_only_looked_at_go(project: Project) -> None:
    for days, state in ((0, "previewed"), (2, "previewed"), (2, "queued"), (2, "succeeded")):
        long_ago(project.bulk_changes.create(action="return", state=state), "created_at", days)
    assert rows.previews(SOON) == 1
    assert set(project.bulk_changes.values_list("state", flat=True)) == {"previewed", "queued", "succeeded"}
