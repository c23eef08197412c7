from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import Mock

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import kinds, tasks
from annotate.models import Import, Project, User
from annotate.models.work import WorkState
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training.records import reading
from training.types import Answer

CSV = b"id,text,label,city\n1,hello <b>there</b>,red,Bonn\n2,bye,blue,Kiel\n"


@pytest.fixture
def client(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What would wake a worker."""
    send = Mock()
    monkeypatch.setattr(tasks, "send", send)
    return send


def upload(client: Client, project: Project, content: bytes = CSV, name: str = "mine.csv") -> Import:
    answer = client.post(reverse("imports", args=[project.slug]), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302, answer.content
    return Import.objects.latest("pk")


def address(source: Import) -> str:
    return reverse("import", args=[source.project.slug, source.pk])


def test_strangers_and_annotators_find_no_import_pages(
    project: Project, annotator: User, stranger: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    source = upload(sign_in(lead), project)
    pages = [
        reverse("imports", args=[project.slug]),
        address(source),
        reverse("export", args=[project.slug, "csv"]),
    ]
    for user in (annotator, stranger):
        assert [sign_in(user).get(page).status_code for page in pages] == [404, 404, 404]
        assert sign_in(user).post(address(source), {"text": "text"}).status_code == 404


def test_an_import_of_another_project_is_not_found(
    client: Client, project: Project, make_project: Callable[..., Project], lead: User
) -> None:
    other = Project.objects.create(slug="other", name="Other")
    source = job.begin(project=other, user=None, file=SimpleUploadedFile("a.csv", CSV), name="a.csv")
    assert client.get(reverse("import", args=[project.slug, source.pk])).status_code == 404


def test_the_columns_page_shows_the_first_rows_as_text_and_a_guess(client: Client, project: Project) -> None:
    page = client.get(address(upload(client, project))).content.decode()
    assert "hello &lt;b&gt;there&lt;/b&gt;" in page
    assert '<option value="text" selected>' in page
    assert '<option value="label" selected>' in page


def test_the_encoding_is_looked_for_once_on_the_way_in_and_again_when_the_file_is_declared_anew(
    client: Client, project: Project, sent: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Mock(side_effect=reading.detect_encoding)
    monkeypatch.setattr(reading, "detect_encoding", look)
    source = upload(client, project, CSV.decode().replace("hello", "h\xe9llo").encode("windows-1252"))
    client.get(address(source))
    client.post(address(source), {"text": "text", "id": "id", "label": "label", "meta": ["city"]})
    tasks.work("import_file", source.pk)
    assert project.documents.filter(text__contains="h\xe9llo").count() == 1
    assert look.call_count == 1
    client.post(address(source), {"redeclare": "1", "header": "yes"})
    assert look.call_count == 2


def test_a_dry_run_and_then_the_import(
    client: Client, project: Project, sent: Mock, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    source = upload(client, project)
    columns = {"text": "text", "id": "id", "label": "label", "meta": ["city"]}
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        client.post(address(source), {**columns, "dry_run": "1"})
    sent.assert_called_once_with(kinds.BY_NAME["import_file"], source.pk)
    tasks.work("import_file", source.pk)
    assert "Would be added" in client.get(address(source)).content.decode()
    assert project.documents.count() == 0
    client.post(address(source), {"repeat": "1"})
    tasks.work("import_file", source.pk)
    assert project.documents.get(external_id="2").meta == {"city": "Kiel"}
    (search, vectors) = (project.jobs.get(kind=kind).pk for kind in ("search", "vectors"))
    woken = [call.args for call in sent.call_args_list[-2:]]
    assert woken == [(kinds.BY_NAME["search"], search), (kinds.BY_NAME["vectors"], vectors)]


def test_a_label_that_is_not_offered_is_a_choice(client: Client, project: Project, sent: Mock) -> None:
    rows = ["hello,mauve", "bye,mauve", "third,red", "fourth,ochre", "fifth,RED", "sixth,teal"]
    source = upload(client, project, "\n".join(["text,label", *rows]).encode())
    client.post(address(source), {"text": "text", "label": "label", "create_labels": "", "dry_run": "1"})
    job.run(import_id=source.pk)
    forms = client.get(address(source)).context["label_forms"]
    red = project.labels.get(name="red")
    shown = {form.label.name: form["choice"].value() for form in forms}
    assert shown == {"mauve": "create", "RED": red.pk, "ochre": "create", "teal": "create"}
    chosen = {"mauve": "create", "ochre": "leave", "RED": str(red.pk), "teal": str(red.pk)}
    data = {"choose_labels": "1"}
    for number, (name, choice) in enumerate(chosen.items()):
        data |= {f"label-{number}-name": name, f"label-{number}-choice": choice}
    client.post(address(source), data)
    done = job.run(import_id=source.pk)
    assert done is not None
    assert (done.created, done.broken, done.missing) == (6, 0, {"ochre": 1})
    answers = project.annotations.values_list("document__text", "labels__name")
    assert sorted(answers) == [
        ("bye", "mauve"), ("fifth", "red"), ("hello", "mauve"), ("sixth", "red"), ("third", "red")
    ]  # fmt: skip
    assert not project.labels.filter(name__in=["RED", "ochre", "teal"]).exists()
    page = client.get(address(source)).context
    assert [form["choice"].value() for form in page["label_forms"]] == ["leave"]


@pytest.mark.parametrize("choice", ["", "999999", "delete"])
def test_a_choice_that_cannot_be_is_refused_and_the_others_stay_as_chosen(
    client: Client, project: Project, sent: Mock, choice: str
) -> None:
    source = upload(client, project, b"text,label\nhello,mauve\nbye,ochre\n")
    client.post(address(source), {"text": "text", "label": "label"})
    job.run(import_id=source.pk)
    data = {
        "label-0-name": "mauve",
        "label-0-choice": choice,
        "label-1-name": "ochre",
        "label-1-choice": "leave",
    }
    answer = client.post(address(source), data | {"choose_labels": "1"})
    assert answer.status_code == 422
    assert answer.context["label_forms"][1]["choice"].value() == "leave"
    source.refresh_from_db()
    assert "mauve" not in source.mapping["label_choices"]


def test_a_label_that_looks_like_one_that_is_there_is_not_made_unasked(
    client: Client, project: Project, sent: Mock
) -> None:
    rows = ["a,Red", "b,\uff52\uff45\uff44", "c,mauve", "d,Mauve"]
    source = upload(client, project, "\n".join(["text,label", *rows]).encode())
    client.post(address(source), {"text": "text", "label": "label", "create_labels": "on"})
    done = job.run(import_id=source.pk)
    assert done is not None
    assert done.missing == {"Red": 1, "\uff52\uff45\uff44": 1, "Mauve": 1}
    assert project.documents.count() == 4
    forms = client.get(address(source)).context["label_forms"]
    names = dict(project.labels.values_list("pk", "name"))
    assert {form.label.name: names[form["choice"].value()] for form in forms} == {
        "Red": "red", "\uff52\uff45\uff44": "red", "Mauve": "mauve"
    }  # fmt: skip


def test_an_archived_label_is_listed_with_its_way_back_and_cannot_be_made(
    client: Client, project: Project, sent: Mock
) -> None:
    project.labels.filter(name="red").update(archived_at=timezone.now())
    source = upload(client, project, b"text,label\nhello,red\n")
    client.post(address(source), {"text": "text", "label": "label"})
    job.run(import_id=source.pk)
    answer = client.get(address(source))
    assert "restore it on the settings page" in answer.content.decode()
    (form,) = answer.context["label_forms"]
    assert "create" not in dict(form.fields["choice"].choices)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_an_export_of_the_site_comes_back_into_a_new_project(
    client: Client, multi_project: Project, make_project: Callable[..., Project], sent: Mock, format: str
) -> None:
    rows = [
        IncomingDocument("'=1\r\n", answer=Answer(("a|b", "true")), meta={"n": [None, 1.5]}),
        IncomingDocument("none", answer=Answer()),
    ]
    store_rows(project=multi_project, rows=rows, create_labels=True)
    fresh = make_project(slug="fresh", task="multi", labels=())
    kept = []
    for each in (multi_project, fresh):
        answer = client.get(reverse("export", args=[each.slug, format]))
        assert isinstance(answer, StreamingHttpResponse)
        content = b"".join(answer.streaming_content)  # type: ignore[arg-type]
        source = upload(client, fresh, content, name=f"own.{format}")
        chosen = {"text": "text", "id": "external_id", "label": "labels", "meta": "meta"}
        client.post(address(source), chosen | {"create_labels": "on", "separator": "|"})
        done = job.run(import_id=source.pk)
        assert done is not None
        kept.append((done.created, done.unchanged, done.broken))
    assert kept == [(2, 0, 0), (0, 2, 0)]
    assert list(fresh.documents.order_by("pk").values_list("text", "meta")) == [
        (row.text, row.meta) for row in rows
    ]
    answers = [{label.name for label in one.labels.all()} for one in fresh.annotations.order_by("document")]
    assert answers == [{"a|b", "true"}, set()]


def test_one_column_cannot_be_two_things(client: Client, project: Project) -> None:
    answer = client.post(address(upload(client, project)), {"text": "text", "label": "text"})
    assert answer.status_code == 422
    assert "different column" in answer.content.decode()


def test_progress_is_polled_only_while_a_worker_is_at_it(
    client: Client, project: Project, sent: Mock
) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    assert "hx-trigger" in client.get(address(source), headers={"HX-Request": "true"}).content.decode()
    tasks.work("import_file", source.pk)
    part = client.get(address(source), headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in part
    assert "<html" not in part


def test_a_file_that_is_not_what_it_says_gets_a_sentence(client: Client, project: Project) -> None:
    answer = client.post(
        reverse("imports", args=[project.slug]), {"file": SimpleUploadedFile("a.csv", b"\x1f\x8b\x08zzz")}
    )
    assert answer.status_code == 422
    assert "compressed with gzip" in answer.content.decode()
    assert not Import.objects.exists()


def test_a_file_over_the_limit_gets_a_sentence(
    client: Client, project: Project, settings: pytest.FixtureRequest
) -> None:
    settings.IMPORT_MAX_BYTES = 10  # type: ignore[attr-defined]
    answer = client.post(reverse("imports", args=[project.slug]), {"file": SimpleUploadedFile("a.csv", CSV)})
    assert "larger than" in answer.content.decode()


PROCESS = Path("/proc/self")


def held(figure: str) -> int:
    """Return how many MB this process holds (VmRSS), or has held at most since `forget` (VmHWM)."""
    return int((PROCESS / "status").read_text().split(f"{figure}:")[1].split()[0]) // 1024


@pytest.mark.skipif(not PROCESS.exists(), reason="asks Linux how much memory this process has held")
@pytest.mark.parametrize(
    ("characters", "status", "outcome"), [(1_200_000, 302, ""), (32_000_000, 422, "needs more than 512 MB")]
)
def test_a_kilobyte_that_unpacks_to_gigabytes_is_read_outside_of_the_web_process(
    client: Client, project: Project, tmp_path: Path, characters: int, status: int, outcome: str
) -> None:
    texts = pyarrow.array(["x" * characters])
    shared = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1000, pyarrow.int32()), texts)
    pyarrow.parquet.write_table(pyarrow.table({"text": shared}), tmp_path / "a.parquet", compression="zstd")
    del texts, shared
    content = (tmp_path / "a.parquet").read_bytes()
    assert len(content) < 2000
    address = reverse("imports", args=[project.slug])
    (PROCESS / "clear_refs").write_text("5")  # from now on, what is held at most counts anew
    before = held("VmRSS")
    answer = client.post(address, {"file": SimpleUploadedFile("a.parquet", content)}, follow=False)
    assert held("VmHWM") - before < 60
    assert answer.status_code == status
    assert outcome in answer.content.decode()


@pytest.mark.parametrize("state", ["uploaded", WorkState.SUCCEEDED, WorkState.RUNNING])
def test_an_import_whose_file_is_gone_has_a_page_that_says_so(
    client: Client, project: Project, sent: Mock, state: str
) -> None:
    source = upload(client, project)
    source.file.storage.delete(str(source.file.name))
    Import.objects.update(state=state, bytes_read=5)
    for page in (address(source), f"{address(source)}?columns=1"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert "is not on the disk any more" in answer.content.decode()
        assert "Change the columns" not in answer.content.decode()
    for said in ({"text": "text"}, {"redeclare": "1"}, {"repeat": "1"}):
        assert client.post(address(source), said).status_code == 302
    source.refresh_from_db()
    assert source.state == state


def test_a_queued_import_whose_file_is_gone_fails_at_once_with_a_sentence(
    client: Client, project: Project, sent: Mock
) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    source.file.storage.delete(str(source.file.name))
    tasks.work("import_file", source.pk)
    source.refresh_from_db()
    assert (source.state, source.attempt) == (WorkState.FAILED, 1)
    assert "mine.csv does not exist" in source.error


def book(tmp_path: Path) -> bytes:
    made = openpyxl.Workbook()
    first = made.active
    assert first is not None
    first.title, first.sheet_state = "Old", "hidden"
    first.append(["text", "label"])
    first.append(["an old text", "red"])
    second = made.create_sheet("<New>")
    for values in (["text", "label"], ["a new text", "blue"], ["another", "=B2"], ["a third", "#N/A"]):
        second.append(values)
    made.active = 1
    made.save(tmp_path / "book.xlsx")
    return (tmp_path / "book.xlsx").read_bytes()


def test_a_sheet_is_chosen_on_the_page_and_the_first_visible_one_until_then(
    client: Client, project: Project, sent: Mock, tmp_path: Path
) -> None:
    source = upload(client, project, book(tmp_path), "book.xlsx")
    page = client.get(address(source)).content.decode()
    assert "a new text" in page
    assert "an old text" not in page
    assert "<option>&lt;New&gt;</option>" in page
    assert "“label” holds 1 formula without a saved value" in page
    client.post(address(source), {"redeclare": "1", "sheet": "Old"})
    page = client.get(address(source)).content.decode()
    assert "an old text" in page
    assert "<option selected>Old</option>" in page
    client.post(address(source), {"text": "text", "label": "label"})
    tasks.work("import_file", source.pk)
    assert list(project.documents.values_list("text", flat=True)) == ["an old text"]


def test_a_sheet_that_is_not_there_is_refused_with_a_sentence(
    client: Client, project: Project, tmp_path: Path
) -> None:
    source = upload(client, project, book(tmp_path), "book.xlsx")
    page = client.post(address(source), {"redeclare": "1", "sheet": "None such"}, follow=True)
    assert "no sheet called “None such”" in page.content.decode()


@pytest.mark.parametrize("sheet", ["a\0b", "x" * 300_000])
def test_a_sheet_that_no_workbook_can_have_is_as_none(client: Client, project: Project, sheet: str) -> None:
    source = upload(client, project)
    assert client.post(address(source), {"redeclare": "1", "sheet": sheet}).status_code == 302
    source.refresh_from_db()
    assert source.mapping["sheet"] == ""


def test_a_formula_and_an_error_cost_their_labels_or_their_rows_beside_the_text(
    client: Client, project: Project, sent: Mock, tmp_path: Path
) -> None:
    source = upload(client, project, book(tmp_path), "book.xlsx")
    client.post(address(source), {"text": "text", "label": "label"})
    tasks.work("import_file", source.pk)
    assert project.documents.count() == 3
    assert not source.problems.exists()
    page = client.get(address(source)).content.decode()
    assert "“label” is a formula without a saved value" in page
    assert "“label” holds the error #N/A" in page
    client.post(address(source), {"text": "text", "meta": ["label"]})
    tasks.work("import_file", source.pk)
    assert list(source.problems.values_list("row", flat=True)) == [3]
    assert project.documents.get(text="a third").meta == {"label": "#N/A"}


def test_another_encoding_can_be_declared(client: Client, project: Project) -> None:
    source = upload(client, project, "text\nстрока\n".encode("koi8-r"))
    client.post(address(source), {"redeclare": "1", "encoding": "koi8-r"})
    assert "строка" in client.get(address(source)).content.decode()


def test_labels_that_no_document_can_have_are_listed_and_their_texts_kept(
    client: Client, project: Project, sent: Mock
) -> None:
    rows = [{"text": f"text {n}", "label": ["<red>", "blue"]} for n in range(3)] + [
        {"text": "x", "label": "red"}
    ]
    source = upload(client, project, "\n".join(map(json.dumps, rows)).encode(), "mine.jsonl")
    client.post(address(source), {"text": "text", "label": "label", "dry_run": "1"})
    job.run(import_id=source.pk)
    assert "Their texts would be stored without a decision" in client.get(address(source)).content.decode()
    client.post(address(source), {"repeat": "1"})
    job.run(import_id=source.pk)
    assert (project.documents.count(), project.annotations.count()) == (4, 1)
    page = client.get(address(source)).content.decode()
    assert (
        'takes exactly one label; 2 are given. “&lt;red&gt;”, “blue”</th><td class="number">3</td>'
    ) in page
    assert "Their texts are stored without a decision" in page


def test_spellings_that_became_one_label_are_listed(client: Client, project: Project, sent: Mock) -> None:
    project.labels.create(name="caf\u00e9", position=9)
    labels = ["red", "red ", "red ", "\u200bred", "cafe\u0301", "caf\u00e9", "Red", "blue"]
    rows = [json.dumps({"text": f"text {n}", "label": label}) for n, label in enumerate(labels)]
    source = upload(client, project, "\n".join(rows).encode(), "mine.jsonl")
    client.post(address(source), {"text": "text", "label": "label"})
    done = job.run(import_id=source.pk)
    assert done is not None
    assert done.spellings == {
        "“red[U+0020]” is read as “red”.": 2,
        "“[U+200B]red” is read as “red”.": 1,
        "“cafe[U+0301]” is read as “caf\u00e9”.": 1,
    }
    assert done.missing == {"Red": 1}
    page = client.get(address(source)).content.decode()
    assert '“red[U+0020]” is read as “red”.</th><td class="number">2</td>' in page
    client.post(address(source), {"text": "text", "label": "label"})
    again = job.run(import_id=source.pk)
    assert again is not None
    assert again.spellings == done.spellings


def test_blanks_around_a_separator_are_no_spelling(
    client: Client, multi_project: Project, sent: Mock
) -> None:
    source = upload(client, multi_project, b"text,labels\na,red | blue\nb,blue |red\n")
    client.post(address(source), {"text": "text", "label": "labels", "separator": "|"})
    done = job.run(import_id=source.pk)
    assert done is not None
    assert (done.spellings, multi_project.annotations.filter(labels__name="red").count()) == ({}, 2)


def test_a_running_import_is_not_started_twice(client: Client, project: Project, sent: Mock) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    Import.objects.update(state=WorkState.RUNNING)
    page = client.post(address(source), {"text": "text"}, follow=True)
    assert "under way already" in page.content.decode()


def test_an_import_under_way_is_cancelled_and_its_page_says_by_whom(
    client: Client, project: Project, sent: Mock, lead: User
) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    assert (
        reverse("import-cancel", args=[project.slug, source.pk])
        in client.get(address(source)).content.decode()
    )
    page = client.post(reverse("import-cancel", args=[project.slug, source.pk]), follow=True).content.decode()
    source.refresh_from_db()
    assert (source.state, source.cancelled_by) == (WorkState.CANCELLED, lead)
    assert "what it has stored stays" in page
    assert "by lena" in page
    assert reverse("import-cancel", args=[project.slug, source.pk]) not in page
    assert job.run(import_id=source.pk) is None
    page = client.post(reverse("import-cancel", args=[project.slug, source.pk]), follow=True).content.decode()
    assert "not under way any more" in page


def test_a_cancelled_import_starts_anew(client: Client, project: Project, sent: Mock) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    client.post(reverse("import-cancel", args=[project.slug, source.pk]))
    client.post(address(source), {"text": "text"})
    done = job.run(import_id=source.pk)
    assert done is not None
    assert (done.state, done.created, done.cancelled_by) == (WorkState.SUCCEEDED, 2, None)


def test_an_import_of_another_project_cannot_be_cancelled(client: Client, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other")
    source = Import.objects.create(project=other, name="a.csv", state=WorkState.QUEUED)
    assert client.post(reverse("import-cancel", args=[project.slug, source.pk])).status_code == 404
    source.refresh_from_db()
    assert source.state == WorkState.QUEUED


def test_the_page_says_which_attempt_it_is_and_what_stopped_the_one_before(
    client: Client, project: Project, sent: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(client, project)
    client.post(address(source), {"text": "text"})
    monkeypatch.setattr(job, "store_rows", Mock(side_effect=ZeroDivisionError("by <nobody>")))
    for attempt in (1, 2, 3):
        assert job.run(import_id=source.pk) is None
        page = client.get(address(source)).content.decode()
        assert ("attempt" in page) == (attempt > 1)
        assert "ZeroDivisionError: by &lt;nobody&gt;" in page
    source.refresh_from_db()
    assert (source.state, source.attempt) == (WorkState.FAILED, 3)
    assert "Change the columns" in page


def test_the_export_is_a_stream_of_the_projects_annotations(client: Client, project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("hello", answer=Answer(("red",)))])
    answer = client.get(reverse("export", args=[project.slug, "jsonl"]))
    assert isinstance(answer, StreamingHttpResponse)
    rows = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert [(row["text"], row["labels"]) for row in rows] == [("hello", ["red"])]
    assert answer["Content-Disposition"] == 'attachment; filename="colours.jsonl"'
    assert client.get(reverse("export", args=[project.slug, "exe"])).status_code == 404


def lanes_told(client: Client, project: Project, texts: Iterable[str]) -> str:
    """Return what the import's page says of the lanes, in one line."""
    content = "text\n" + "".join(f"{text}\n" for text in texts)
    upload = job.begin(project=project, user=None, file=ContentFile(content.encode()), name="texts.csv")
    assert job.start(upload=upload, mapping=ColumnMapping.load(upload.mapping), dry_run=False)
    assert job.run(import_id=upload.pk)
    return " ".join(client.get(f"/projects/{project.slug}/imports/{upload.pk}/").content.decode().split())


def test_an_import_of_copies_says_why_nothing_is_held_out(client: Client, project: Project) -> None:
    page = lanes_told(client, project, (f"order {i} is late" for i in range(596)))
    assert "Of the new documents, 596 are for the pool and 0 for the holdout." in page
    assert (
        "All 596 are copies of one text, but for case, digits and punctuation, so they stay together in the "
        "pool. Nothing can be measured until other texts come." in page
    )
    again = lanes_told(client, project, (f"order {i} is late" for i in range(596, 600)))
    assert "4 are like documents that were stored before them, and went to their lanes." in again


def test_an_import_of_different_texts_says_what_went_where(client: Client, project: Project) -> None:
    texts = [chr(97 + i % 26) * (1 + i // 26) for i in range(100)]
    page = lanes_told(client, project, texts)
    assert "Of the new documents, 90 are for the pool and 10 for the holdout." in page
    assert "copies" not in page
    assert "Nothing can be measured" not in page


def test_an_import_says_what_was_moved_for_the_labels_and_counts_nothing_twice(
    client: Client, project: Project
) -> None:
    rows = "".join(f"{chr(97 + i % 26) * (1 + i // 26)},red\n" for i in range(100))
    file = ContentFile(f"text,label\n{rows}".encode())
    upload = job.begin(project=project, user=None, file=file, name="texts.csv")
    where = reverse("import", args=[project.slug, upload.pk])
    for dry_run in (True, False):
        mapping = ColumnMapping.load(upload.mapping)
        assert job.start(upload=upload, mapping=mapping, dry_run=dry_run)
        assert job.run(import_id=upload.pk)
        page = " ".join(client.get(where).content.decode().split())
        assert "Of the new documents, 90 are for the pool and 10 for the holdout." in page
        assert ("10 documents were moved to the holdout, so that each label has" in page) is not dry_run
    assert project.documents.holdout().count() == 20
