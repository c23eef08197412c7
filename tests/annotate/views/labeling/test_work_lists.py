"""The page of a list, and the labelling page on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, Assignment, Document, Project, User, WorkList
from annotate.models.bulk import BulkAction, BulkOptions
from annotate.services.bulk import job

Browser = Callable[[User], Client]


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, "a rose", "the sea", "a leaf")


@pytest.fixture
def work_list(project: Project, lead: User, annotator: User, documents: list[Document]) -> WorkList:
    bulk = job.preview(
        project=project,
        by=lead,
        action=BulkAction.LIST,
        options=BulkOptions(name="odd ones", people=(annotator.pk,)),
        wanted={},
        selected=[document.pk for document in documents[:2]],
    )
    job.confirm(bulk=bulk, by=lead)
    job.run(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.work_list is not None
    return bulk.work_list


def _label(project: Project, work_list: WorkList | None = None) -> str:
    return reverse("label", args=[project.slug]) + (f"?list={work_list.pk}" if work_list else "")


def test_a_list_is_labelled_without_scripts_to_its_end(
    project: Project, annotator: User, work_list: WorkList, documents: list[Document], sign_in: Browser
) -> None:
    browser, here = sign_in(annotator), _label(project, work_list)
    page = browser.get(reverse("work-list", args=[project.slug, work_list.pk])).content.decode()
    assert here in page
    assert "2 documents are left for you" in page
    for document in reversed(documents[:2]):
        card = browser.get(here).context["view"]
        assert card.document.pk == document.pk
        sent = {"card": card.card.key, "outcome": "answered", "labels": project.labels.all()[0].pk}
        assert browser.post(here, sent)["Location"] == here
    assert "This list is done" in browser.get(here).content.decode()
    done = browser.get(reverse("work-list", args=[project.slug, work_list.pk])).content.decode()
    assert "2 of 2 answers" in done
    assert "Nothing of it is left for you" in done


def test_the_page_on_a_list_holds_cards_of_the_list_ahead(
    project: Project, annotator: User, work_list: WorkList, sign_in: Browser
) -> None:
    browser = sign_in(annotator)
    shown = browser.get(_label(project, work_list)).context["view"].card
    ahead = reverse("label-ahead", args=[project.slug]) + f"?list={work_list.pk}"
    deck = browser.post(ahead, {"shown": shown.key, "deck": "1", "mark": ""})
    assert [view.work_list for view in deck.context["views"]] == [work_list]
    assert not Assignment.objects.filter(work_list=None).exists()


def test_the_queue_tells_of_lists_with_work_and_deals_nothing_of_them(
    project: Project, annotator: User, work_list: WorkList, documents: list[Document], sign_in: Browser
) -> None:
    page = sign_in(annotator).get(_label(project))
    assert "odd ones" in page.content.decode()
    assert page.context["view"].document.pk == documents[2].pk


def test_who_is_not_on_a_list_cannot_label_it(
    project: Project, lead: User, work_list: WorkList, sign_in: Browser
) -> None:
    browser = sign_in(lead)
    assert browser.get(_label(project, work_list)).status_code == 404
    assert browser.post(_label(project, work_list), {"card": ""}).status_code == 404
    assert browser.get(reverse("work-list", args=[project.slug, work_list.pk])).status_code == 200


def test_an_annotator_sees_only_the_lists_that_they_are_on(
    project: Project, lead: User, annotator: User, work_list: WorkList, sign_in: Browser
) -> None:
    work_list.people.set([lead])
    assert sign_in(annotator).get(reverse("work-list", args=[project.slug, work_list.pk])).status_code == 404


def test_a_decision_that_arrives_after_the_closing_is_kept(
    project: Project, lead: User, annotator: User, work_list: WorkList, sign_in: Browser
) -> None:
    browser, here = sign_in(annotator), _label(project, work_list)
    card = browser.get(here).context["view"].card
    sign_in(lead).post(reverse("bulk-undo", args=[project.slug, project.bulk_changes.get().pk]))
    job.run(project.bulk_changes.get(action=BulkAction.UNDO).pk)
    sent = {"card": card.key, "outcome": "answered", "labels": project.labels.all()[0].pk}
    assert "This list is closed" in browser.post(here, sent, follow=True).content.decode()
    assert Annotation.objects.get().is_late is False


def test_the_pulse_of_a_page_on_a_list_tells_what_is_left_of_it(
    project: Project, annotator: User, work_list: WorkList, sign_in: Browser
) -> None:
    pulse = reverse("label-pulse", args=[project.slug]) + f"?list={work_list.pk}"
    assert "2 left for you" in sign_in(annotator).post(pulse).content.decode()
