"""Exports that a worker writes: what is in the files, how many are kept, and what a lost worker leaves."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from django.utils import timezone

from annotate.models import Annotation, Document, Event, Export, Project, User
from annotate.models.documents import Half, Lane
from annotate.services.deletion import document as deletion
from annotate.services.exports import formats, job
from annotate.services.exports.contents import Contents
from annotate.services.projects.refused import Refused
from annotate.services.upkeep import files
from annotate.services.work import lease

EVERYTHING = ("origin", "predictions", "suggestions", "meta")


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.TEMPORARY_ROOT = tmp_path / "uploads", tmp_path / "tmp"


@pytest.fixture
def filled(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> Project:
    add_documents(project, "nobody")
    (one,) = add_documents(project, "=1 red")
    (held,) = add_documents(project, "held out", lane=Lane.HOLDOUT, half=Half.TUNING)
    Document.objects.filter(pk=one.pk).update(meta={"deep": [1, {"a": None}]})
    for document, name in ((one, "red"), (held, "blue")):
        made = Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered", seconds=1.5
        )
        made.labels.add(project.labels.get(name=name))
    return project


def parquet(content: bytes) -> Any:
    return pyarrow.parquet.read_table(io.BytesIO(content))


def done(project: Project, lead: User, format: str, **chosen: Any) -> Export:
    export = job.ask(project=project, format=format, chosen=Contents(**chosen), by=lead)
    job.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error) == ("succeeded", "")
    return export


@pytest.mark.parametrize("per", ["annotation", "document", "decision"])
def test_parquet_has_every_column_and_row(filled: Project, lead: User, per: str) -> None:
    export = done(filled, lead, "parquet", per=per, parts=EVERYTHING, is_whole=True)
    table = parquet(export.file.read())
    assert tuple(table.schema.names) == Contents(per=per, parts=EVERYTHING).columns
    rows = table.to_pylist()
    assert [(row["text"], row["labels"]) for row in rows] == [
        ("nobody", []),
        ("=1 red", ["red"]),
        ("held out", ["blue"]),
    ]
    assert json.loads(rows[1]["meta"]) == {"deep": [1, {"a": None}]}
    assert (export.rows, export.size) == (3, export.file.size)


def test_a_dataset_has_a_split_for_each_lane_and_labels_as_numbers_of_its_card(
    filled: Project, lead: User
) -> None:
    export = done(filled, lead, "datasets", per="document", parts=("meta",))
    with zipfile.ZipFile(export.file) as folder:
        _, head, _ = folder.read("README.md").decode().split("---\n", 2)
        card = yaml.safe_load(head)
        splits = {one["split"]: one["path"] for one in card["configs"][0]["data_files"]}
        tables = {
            split: pyarrow.parquet.read_table(
                io.BytesIO(folder.read(path.replace("*", "00000-of-00001.parquet")))
            )
            for split, path in splits.items()
        }
    features = {one["name"]: one for one in card["dataset_info"]["features"]}
    names = features["label"]["dtype"]["class_label"]["names"]
    told = {
        split: [(row["text"], names[str(row["label"])]) for row in table.to_pylist()]
        for split, table in tables.items()
    }
    assert told == {"train": [("=1 red", "red")], "test": [("held out", "blue")]}
    assert list(features) == tables["train"].schema.names


def test_a_dataset_of_a_project_with_any_number_of_labels_has_lists(
    multi_project: Project, lead: User, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(multi_project, "nobody")
    multi_project.labels.filter(name="red").update(name="red \u2028: \U0001f600\"'")
    export = done(multi_project, lead, "datasets", is_whole=True)
    with zipfile.ZipFile(export.file) as folder:
        card = yaml.safe_load(folder.read("README.md").decode().split("---\n", 2)[1])
        table = parquet(folder.read("data/train-00000-of-00001.parquet"))
    (labels,) = (one for one in card["dataset_info"]["features"] if one["name"] == "labels")
    assert "red \u2028: \U0001f600\"'" in labels["sequence"]["class_label"]["names"].values()
    assert table.to_pylist()[0]["labels"] == []
    assert len(card["configs"][0]["data_files"]) == 1


def test_a_worker_writes_what_is_downloaded(filled: Project, lead: User) -> None:
    chosen = Contents(is_whole=True)
    export = done(filled, lead, "csv", is_whole=True)
    assert export.file.read() == b"".join(formats.written(filled, "csv", chosen, by=lead))
    assert Event.objects.filter(kind="exported").first().details["rows"] == 3  # type: ignore[union-attr]


def test_three_at_once_are_enough(filled: Project, lead: User) -> None:
    for _number in range(job.MOST_LIVE):
        job.ask(project=filled, format="csv", chosen=Contents(), by=lead)
    with pytest.raises(Refused, match="under way"):
        job.ask(project=filled, format="csv", chosen=Contents(), by=lead)


@pytest.mark.django_db(transaction=True)
def test_the_oldest_go_when_there_are_many(
    filled: Project, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MOST_KEPT", 2)
    exports = [done(filled, lead, "csv") for _number in range(3)]
    assert [Export.objects.filter(pk=one.pk).exists() for one in exports] == [False, True, True]
    assert [one.file.storage.exists(one.file.name) for one in exports] == [False, True, True]


@pytest.mark.django_db(transaction=True)
def test_the_sweep_removes_what_has_expired_and_keeps_the_rest(filled: Project, lead: User) -> None:
    old, new = done(filled, lead, "csv"), done(filled, lead, "csv")
    Export.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert files.exports(0) == 1
    assert files.uploads(0) == 0
    assert [one.file.storage.exists(one.file.name) for one in (old, new)] == [False, True]


@pytest.mark.django_db(transaction=True)
def test_a_deleted_document_is_in_no_export(filled: Project, lead: User) -> None:
    export = done(filled, lead, "csv")
    deletion.delete(document=Document.objects.get(text="held out"), by=lead)
    assert not Export.objects.exists()
    assert not export.file.storage.exists(export.file.name)


def test_a_cancelled_export_leaves_no_file(
    filled: Project, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = job.ask(project=filled, format="csv", chosen=Contents(), by=lead)
    write = job._write_file

    def cancelled(*given: Any) -> None:
        write(*given)
        lease.cancel(row=export, by=lead)

    monkeypatch.setattr(job, "_write_file", cancelled)
    job.run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.file.name) == ("cancelled", "")
    assert [path for path in Path(export.file.storage.path("")).rglob("*") if path.is_file()] == []
