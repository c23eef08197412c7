"""A project's dictionary: a lead edits it, pages on which people mark read it, a copied project has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import DictionaryEntry, Event, Project, User
from annotate.services.archives import job
from annotate.services.projects import dictionary, labels, merging


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place"), task="span")


@pytest.fixture
def save(entities: Project, lead: User, sign_in: Callable[[User], Client]) -> Callable[..., Any]:
    """Send lines as the lead who has seen what is there, or `seen`; return the response."""

    def save(*lines: str, seen: str = "") -> Any:
        form = {"entries": "\n".join(lines), "seen": seen or dictionary.digest(dictionary.entries(entities))}
        return sign_in(lead).post(reverse("project-dictionary", args=["entities"]), form)

    return save


def read(client: Client) -> list[list[Any]]:
    found: list[list[Any]] = client.get(reverse("label-dictionary", args=["entities"])).json()["entries"]
    return found


def test_a_lead_edits_lines_and_annotators_get_the_longest_words_first(
    entities: Project,
    annotator: User,
    lead: User,
    save: Callable[..., Any],
    sign_in: Callable[[User], Client],
) -> None:
    person, place = entities.labels.values_list("pk", flat=True)
    assert save("Rome | place", "", "New York\tplace", "A|B | person").status_code == 302
    assert read(sign_in(annotator)) == [["New York", place], ["Rome", place], ["A|B", person]]
    shown = sign_in(lead).get(reverse("project-dictionary", args=["entities"])).content.decode()
    assert "A|B | person\nNew York | place\nRome | place" in shown
    assert save("Rome | person", "New York | place").status_code == 302
    assert dictionary.entries(entities) == {"New York": place, "Rome": person}
    assert Event.objects.latest("pk").details == {"added": 0, "relabelled": 1, "removed": 1}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("Rome | place", "Bob"), "Line 2: write the words"),
        (("Rome | place", "| person"), "Line 2: write the words"),
        (("Rome | town",), "Line 1: “town” is no label"),
        (("Rome | place", "", "Rome | person"), "Line 3: “Rome” has another label"),
        (("x" * 201 + " | place",), "Line 1: an entry has at most 200 characters"),
    ],
)
def test_a_line_that_is_no_entry_is_named_and_nothing_is_lost(
    save: Callable[..., Any], lines: tuple[str, ...], told: str
) -> None:
    refused = save(*lines)
    assert refused.status_code == 422
    assert told in refused.content.decode()
    assert lines[0] in refused.content.decode()
    assert not DictionaryEntry.objects.exists()


def test_of_two_leads_who_edit_at_once_the_second_is_told(
    entities: Project, save: Callable[..., Any]
) -> None:
    seen = dictionary.digest({})
    assert save("Rome | place", seen=seen).status_code == 302
    refused = save("Oslo | place", seen=seen)
    assert refused.status_code == 422
    assert "Somebody has changed the dictionary" in refused.content.decode()
    assert [*dictionary.entries(entities)] == ["Rome"]


def test_entries_follow_a_merged_label_and_wait_for_an_archived_one(
    entities: Project, lead: User, save: Callable[..., Any]
) -> None:
    person, place = entities.labels.order_by("pk")
    save("Rome | place", "Bob | person")
    merging.merge(label=person, into=place, by=lead)
    assert dictionary.entries(entities) == {"Rome": place.pk, "Bob": place.pk}
    labels.archive_label(label=place)
    assert dictionary.entries(entities) == {}
    labels.restore_label(label=place)
    assert [*dictionary.entries(entities)] == ["Bob", "Rome"]


def test_a_copied_project_has_the_entries_in_its_own_labels(
    entities: Project, lead: User, save: Callable[..., Any]
) -> None:
    save("Rome | place")
    made, _rows = job.duplicate(project=entities, name="Copy", slug="copy", with_documents=False, by=lead)
    assert dictionary.entries(made) == {"Rome": made.labels.get(name="place").pk}
