"""The lead's way from nothing to a project that people can label, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import ClassMetric, Document, ModelVersion, Project, User
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def published(project: Project, add_documents: Callable[..., list[Document]]) -> Project:
    add_documents(project, "one", "two", "three")
    for number, f1 in ((1, 0.5), (2, 0.8)):
        version = ModelVersion.objects.create(
            project=project,
            number=number,
            family="tfidf",
            labelled=10 * number,
            holdout_documents=40,
            macro_f1=f1,
            macro_f1_low=f1 - 0.1,
            macro_f1_high=f1 + 0.1,
            stage="published" if number == 2 else "retired",
            published_at=project.created_at,
        )
    for label in project.labels.all():
        ClassMetric.objects.create(version=version, label=label, threshold=0.5, support=0)
    return project


def test_a_lead_makes_a_project_and_learns_what_comes_next(
    open_as: Callable[[User, str], Page], lead: User
) -> None:
    page = open_as(lead, reverse("project-create"))
    page.get_by_label("Name", exact=False).first.fill("Questions")
    page.locator("[name=slug]").fill("questions")
    page.locator("[name=labels]").fill("refund: wants money back\ncard")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="Import texts")).to_be_visible()


def test_a_clash_of_keys_is_explained_on_the_page(
    open_as: Callable[[User, str], Page], lead: User, project: Project
) -> None:
    page = open_as(lead, reverse("project-labels", args=[project.slug]))
    page.get_by_label("Key of green").fill("1")
    page.get_by_role("button", name="Save labels").click()
    expect(page.get_by_text("“red” and “green”")).to_be_visible()


PAGES = ["project", "documents", "versions", "runs", "project-labels", "project-members", "project-settings"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_a_phone(
    name: str, open_as: Callable[[User, str], Page], lead: User, published: Project
) -> None:
    page = open_as(lead, reverse(name, args=[published.slug]))
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_lead_sees_the_options_of_the_chosen_family_alone_and_starts_the_variant(
    open_as: Callable[[User, str], Page], lead: User, published: Project
) -> None:
    published.versions.filter(number=2).update(bundle="colours-2")
    page = open_as(lead, reverse("runs", args=[published.slug]))
    page.set_viewport_size({"width": 375, "height": 800})
    fieldsets = page.locator("form.train fieldset:visible")
    automatic = page.get_by_text("Each trains the way it was last published.")
    expect(automatic).to_be_visible()
    expect(fieldsets).to_have_count(0)
    page.get_by_label("Model family").select_option("embedding")
    expect(automatic).to_be_hidden()
    expect(fieldsets).to_have_count(1)
    options = page.get_by_role("group", name="Sentence embeddings")
    expect(options).to_be_visible()
    options.get_by_label("Learns from").select_option("tfidf")
    expect(fieldsets).to_have_count(1)  # a teacher's options are not the chosen family's
    options.get_by_label("Head").select_option("lightgbm")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="Train now").click()
    expect(page.get_by_text("Sentence embeddings (lightgbm, taught by tfidf)").first).to_be_visible()
    run = published.runs.get()
    assert (run.family, run.config) == ("embedding", {"head": "lightgbm", "teacher": "tfidf"})


def test_labels_are_put_in_order_by_dragging_and_by_their_buttons(
    open_as: Callable[[User, str], Page], lead: User, project: Project
) -> None:
    def kept() -> list[str]:
        return list(project.labels.order_by("position", "pk").values_list("name", flat=True))

    page = open_as(lead, reverse("project-labels", args=[project.slug]))
    rows = page.locator("#ordered > tr")
    assert kept() == ["red", "green", "blue"]
    rows.nth(2).locator(".order").drag_to(rows.nth(0), target_position={"x": 20, "y": 2})
    expect(page.locator("#order-told")).to_have_text("“blue” is number 1 of 3 now.")
    assert kept() == ["blue", "red", "green"]
    down = rows.nth(0).locator("[name=down]")
    down.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#order-told")).to_have_text("“blue” is number 2 of 3 now.")
    assert kept() == ["red", "blue", "green"]
    expect(rows.nth(1).locator("[name=down]")).to_be_focused()
    assert violations(page) == []


def test_the_metadata_that_a_lead_chose_stand_on_the_card_and_no_other(
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "where is my parcel")
    document.meta = {"channel": "<b>mail</b>", "order": 17, "secret": "not for annotators"}
    document.save()
    project.card_metadata = ["channel", "order", "absent"]
    project.save()
    page = open_as(lead, f"/projects/{project.slug}/label/")
    shown = page.get_by_role("group", name="Metadata")
    expect(shown.locator("dt")).to_have_text(["channel", "order"])
    expect(shown.locator("dd")).to_have_text(["<b>mail</b>", "17"])
    assert violations(page) == []
