"""The pages of a bulk change: what is wanted, a preview, progress, undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Annotation, BulkChange, Document, Project, User
from annotate.models.bulk import PREVIEWED
from annotate.services.bulk import job
from annotate.services.documents import filters

Browser = Callable[[User], Client]


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, "a rose", "the sea", "a leaf")


def _new(project: Project, query: str) -> str:
    return reverse("bulk-new", args=[project.slug]) + f"?{query}"


def _red(project: Project) -> dict[str, object]:
    return {"label": project.labels.get(name="red").pk, "gold": "own"}


def test_a_lead_previews_confirms_and_undoes(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    browser = sign_in(lead)
    preview = browser.post(_new(project, "q=rose&do=label"), _red(project), follow=True)
    assert "1 of 1 documents would change" in preview.content.decode()
    assert not Annotation.objects.exists()
    here = preview.redirect_chain[0][0]
    browser.post(here)
    change = BulkChange.objects.get()
    job.run(change.pk)
    assert Annotation.objects.get().document == documents[0]
    page = browser.get(here).content.decode()
    assert "1 of 1 document changed" in page
    browser.post(reverse("bulk-undo", args=[project.slug, change.pk]))
    job.run(change.undo.pk)
    assert not Annotation.objects.exists()
    assert "1 of 1 document is as it was before" in browser.get(here).content.decode()


def test_chosen_rows_are_changed_whatever_the_filter_says(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    query = f"q=rose&do=label&selected=1&document={documents[1].pk}&document={documents[2].pk}"
    sign_in(lead).post(_new(project, query), _red(project))
    assert BulkChange.objects.get().keys == [documents[2].pk, documents[1].pk]


def test_without_a_ticked_row_nothing_is_changed(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    """It must not mean all that fit."""
    answer = sign_in(lead).post(_new(project, "q=rose&do=label&selected=1"), _red(project))
    assert answer.status_code == 422
    assert "No document was ticked" in answer.content.decode()
    assert not BulkChange.objects.exists()


def test_rows_of_another_project_are_not_changed(
    project: Project,
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    lead: User,
    sign_in: Browser,
) -> None:
    (theirs,) = add_documents(make_project(slug="shapes"), "round")
    answer = sign_in(lead).post(_new(project, f"do=label&selected=1&document={theirs.pk}"), _red(project))
    assert answer.status_code == 422
    assert "nothing to change" in answer.content.decode()


def test_a_filter_on_a_label_that_is_gone_changes_nothing(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    """A list shows more where a filter means nothing; a change must not."""
    answer = sign_in(lead).post(_new(project, "label=999&do=label"), _red(project))
    assert answer.status_code == 422
    assert "The filter asks for what is not there" in answer.content.decode()
    assert not BulkChange.objects.exists()


def test_nothing_is_previewed_without_a_label(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    answer = sign_in(lead).post(_new(project, "do=label"), {"gold": "own"})
    assert answer.status_code == 422
    assert not BulkChange.objects.exists()


def test_none_applies_has_to_be_said(
    multi_project: Project, lead: User, add_documents: Callable[..., list[Document]], sign_in: Browser
) -> None:
    add_documents(multi_project, "a")
    browser, here = sign_in(lead), _new(multi_project, "do=label")
    assert browser.post(here, {"gold": "own"}).status_code == 422
    assert browser.post(here, {"gold": "own", "none": "on"}).status_code == 302
    both = {"gold": "own", "none": "on", "labels": [multi_project.labels.all()[0].pk]}
    assert browser.post(here, both).status_code == 422


def test_documents_are_deleted_only_where_their_number_is_typed(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    browser = sign_in(lead)
    preview = browser.post(_new(project, "do=delete"), follow=True)
    assert "cannot be undone" in preview.content.decode()
    here = preview.redirect_chain[0][0]
    assert browser.post(here, {"count": "2"}).status_code == 422
    assert BulkChange.objects.get().state == PREVIEWED
    assert browser.post(here, {"count": " 3 "}).status_code == 302
    job.run(BulkChange.objects.get().pk)
    assert not project.documents.exists()


def test_a_move_tells_what_it_means_for_figures_and_near_duplicates(
    project: Project, lead: User, annotator: User, documents: list[Document], sign_in: Browser
) -> None:
    Annotation.objects.create(project=project, document=documents[0], annotator=annotator, outcome="answered")
    Document.objects.filter(pk__in=[documents[0].pk, documents[1].pk]).update(split_key="same")
    page = sign_in(lead).post(_new(project, "q=rose&do=move"), {"lane": "holdout"}, follow=True)
    told = page.content.decode()
    assert "1 of them is answered: models learn from it no longer" in told
    assert "1 near duplicate of them does not fit the filter and moves as well" in told
    assert "2 of 2 documents would change" in told


def test_after_a_day_the_page_says_so_and_has_no_button(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    browser = sign_in(lead)
    here = browser.post(_new(project, "do=label"), _red(project))["Location"]
    browser.post(here)
    change = BulkChange.objects.get()
    job.run(change.pk)
    undo = reverse("bulk-undo", args=[project.slug, change.pk])
    assert undo in browser.get(here).content.decode()
    BulkChange.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    page = browser.get(here).content.decode()
    assert undo not in page
    assert "more than a day ago" in page
    assert "more than a day ago" in browser.post(undo, follow=True).content.decode()


def test_the_list_of_documents_hands_its_filter_on(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    page = sign_in(lead).get(reverse("documents", args=[project.slug]) + "?" + filters.query(q="rose"))
    assert _new(project, "q=rose") in page.content.decode()


def test_an_undo_has_no_page_of_its_own(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    browser = sign_in(lead)
    browser.post(browser.post(_new(project, "do=label"), _red(project))["Location"])
    change = BulkChange.objects.get()
    job.run(change.pk)
    (row,) = job.undo(bulk=change, by=lead)
    assert browser.get(reverse("bulk", args=[project.slug, row.pk])).status_code == 404


def test_the_page_of_a_document_tells_of_its_bulk_changes(
    project: Project, lead: User, documents: list[Document], sign_in: Browser
) -> None:
    browser = sign_in(lead)
    here = browser.post(_new(project, "q=rose&do=label"), _red(project))["Location"]
    browser.post(here)
    job.run(BulkChange.objects.get().pk)
    of_document = [reverse("document", args=[project.slug, document.pk]) for document in documents[:2]]
    changed, other = (browser.get(address).content.decode() for address in of_document)
    assert "Changed with many others" in changed
    assert "Changed with many others" not in other


def test_a_preview_is_confirmed_by_the_lead_who_has_seen_it(
    project: Project, lead: User, admin_user: User, documents: list[Document], sign_in: Browser
) -> None:
    """Labels become answers of whoever confirms, and the preview has looked at those of one lead."""
    here = sign_in(lead).post(_new(project, "do=label"), _red(project))["Location"]
    answer = sign_in(admin_user).post(here, follow=True)
    assert "Another lead has previewed this change" in answer.content.decode()
    assert BulkChange.objects.get().state == PREVIEWED
