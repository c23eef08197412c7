"""The event log as a page and as a file: of a project for its leads, of the site for its administrators."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Document, Event, Project, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.pages import events as log


@pytest.fixture
def page(project: Project) -> str:
    return reverse("project-events", args=[project.slug])


def _labels(html: str) -> list[str]:
    return [
        line.rpartition("the label “")[2].partition("”")[0]
        for line in html.splitlines()
        if "the label “" in line
    ]


def test_a_page_tells_events_the_newest_first(
    page: str, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="pink")
    renamed = {"name": {"old": "red", "new": "crimson"}}
    events.record(EventKind.LABEL_CHANGED, by=lead, project=project, subject="red", changed=renamed)
    html = sign_in(lead).get(page).content.decode()
    assert html.index("lena renamed “red” to “crimson”") < html.index("lena added the label “pink”")


def test_pages_go_on_in_both_directions(
    page: str, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    for number in range(120):
        events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject=f"{number}")
    client = sign_in(lead)
    first = client.get(page)
    second = client.get(page, {"before": first.context["page"].older})
    third = client.get(page, {"before": second.context["page"].older})
    told = [_labels(one.content.decode()) for one in (first, second, third)]
    assert [int(name) for name in sum(told, [])] == list(reversed(range(120)))
    assert (first.context["page"].newer, third.context["page"].older) == (None, None)
    back = client.get(page, {"after": third.context["page"].newer})
    assert _labels(back.content.decode()) == told[1]
    assert _labels(client.get(page, {"after": back.context["page"].newer}).content.decode()) == told[0]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("key", ["", "0", "1", "99999999999", "x", "-1", "9" * 30])
def test_any_key_shows_a_page(
    side: str, key: str, page: str, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="pink")
    assert sign_in(lead).get(page, {side: key}).status_code == 200


def test_events_are_filtered_by_kind_and_person(
    page: str, project: Project, lead: User, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="pink")
    events.record(EventKind.LABEL_ARCHIVED, by=annotator, project=project, subject="red", annotations=1)
    client = sign_in(lead)
    by_kind = client.get(page, {"kind": "labels-added"}).content.decode()
    assert "“pink”" in by_kind
    assert "archived the label “red”" not in by_kind
    by_person = client.get(page, {"person": annotator.pk}).content.decode()
    assert "anton archived the label “red”; 1 annotation keeps it" in by_person
    assert "“pink”" not in by_person
    for wrong in ({"kind": "nonsense"}, {"person": "x"}, {"person": "99"}):
        refused = client.get(page, wrong).content.decode()
        assert "“pink”" in refused
        assert "Select a valid choice" in refused


def test_a_project_shows_its_own_events_and_the_site_all(
    page: str,
    project: Project,
    make_project: Callable[..., Project],
    lead: User,
    annotator: User,
    admin_user: User,
    sign_in: Callable[[User], Client],
) -> None:
    other = make_project(slug="shapes")
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="pink")
    events.record(EventKind.LABELS_ADDED, by=lead, project=other, subject="round")
    events.record(EventKind.KEY_MADE, by=lead, subject="loader")
    Project.objects.filter(pk=other.pk).update(deleted_at=timezone.now(), slug="~1")  # and goes by turns
    assert _labels(sign_in(lead).get(page).content.decode()) == ["pink"]
    html = sign_in(admin_user).get(reverse("events")).content.decode()
    assert _labels(html) == ["round", "pink"]
    assert "lena made the API key “loader”" in html
    assert page in html
    for name in ("events", "events-csv"):
        assert [sign_in(user).get(reverse(name)).status_code for user in (lead, annotator)] == [404, 404]


def test_a_document_is_linked_while_it_is_there(
    page: str,
    project: Project,
    lead: User,
    sign_in: Callable[[User], Client],
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "a text that is in no event")
    events.record(EventKind.RETURNED, by=lead, project=project, document=document, subject="anton")
    where = reverse("document", args=[project.slug, document.pk])
    html = sign_in(lead).get(page).content.decode()
    assert f'href="{where}"' in html
    assert document.text not in html
    document.delete()
    gone = sign_in(lead).get(page).content.decode()
    assert f'href="{where}"' not in gone
    assert "put aside by anton" in gone


def test_the_links_to_the_logs_are_where_they_can_be_followed(
    page: str, project: Project, lead: User, admin_user: User, sign_in: Callable[[User], Client]
) -> None:
    settings = reverse("project-settings", args=[project.slug])
    shown = sign_in(lead).get(settings).content.decode()
    assert f'href="{page}"' in shown
    assert f'href="{reverse("events")}"' not in shown
    assert f'href="{reverse("events")}"' in sign_in(admin_user).get(settings).content.decode()


def test_the_file_holds_what_is_asked_for_and_runs_nothing(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="pink")
    events.record(EventKind.LABEL_ARCHIVED, by=lead, project=project, subject="=1+1", annotations=0)
    address = reverse("project-events-csv", args=[project.slug])
    response = sign_in(lead).get(address)
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(content.splitlines()))
    assert [row["subject"] for row in rows] == ["'=1+1", "pink"]
    assert rows[1]["event"] == "lena added the label “pink”"
    assert rows[0]["details"] == '{"annotations": 0}'
    asked = sign_in(lead).get(address, {"kind": "labels-added"})
    assert b"1+1" not in b"".join(asked.streaming_content)  # type: ignore[attr-defined]


def test_names_stay_text(page: str, project: Project, lead: User, sign_in: Callable[[User], Client]) -> None:
    events.record(EventKind.LABELS_ADDED, by=lead, project=project, subject="<b>100%(who)s</b>")
    assert "“&lt;b&gt;100%(who)s&lt;/b&gt;”" in sign_in(lead).get(page).content.decode()


@pytest.mark.parametrize("kind", EventKind.values)
@pytest.mark.parametrize("details", [{}, {"changed": {"name": {"old": "a", "new": ""}}, "annotations": 2}])
def test_each_kind_is_told_in_whole_words(
    kind: str, details: dict[str, object], project: Project, lead: User
) -> None:
    event = Event(kind=kind, by_name="lena", project_name="Colours", subject="red", details=details)
    told = log.sentence(event)
    assert "%" not in told
    assert "lena" in told or kind == EventKind.KEY_ENDED


def test_a_kind_without_a_sentence_is_told_by_its_title() -> None:
    assert log.sentence(Event(kind="a-new-kind", by_name="lena", subject="red")) == "lena: a-new-kind, “red”"
    assert log.sentence(Event(kind="a-new-kind", by_name="")) == "The site: a-new-kind"
    of_document = Event(kind="a-new-kind", by_name="lena", document_id=7)
    assert log.sentence(of_document) == "lena: a-new-kind, document 7"
    of_document.subject = "red"
    assert log.sentence(of_document) == "lena: a-new-kind, “red”, document 7"


def test_settings_are_told_as_the_page_calls_them(project: Project, lead: User) -> None:
    changed = {
        "suggestions": {"old": "now", "new": "never"},
        "training_enabled": {"old": True, "new": False},
        "families": {"old": ["tfidf"], "new": ["tfidf", "embedding"]},
        "strategy": {"old": "", "new": "margin"},
        "guidelines": {"version": 3},
        "gone since": {"old": 1, "new": 2},
    }
    event = events.record(EventKind.SETTINGS_CHANGED, by=lead, project=project, changed=changed)
    assert log.sentence(event) == (
        "lena changed the settings: show suggestions from “At once” to “Never”; train automatically from "
        "“yes” to “no”; model families that train by themselves from “tfidf” to “tfidf, embedding”; "
        "query strategy from “nothing” to “margin”; the guidelines, whose version is 3 now; "
        "gone since from “1” to “2”"
    )
