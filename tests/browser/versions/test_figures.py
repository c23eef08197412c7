"""A lead reads figures: a confusion and its documents, two versions side by side, an alarm and its texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import ClassMetric, Document, DriftAlarm, ModelVersion, Prediction, Project, Shadow, User
from annotate.services.labeling import queue
from tests.annotate.made.drift import make_alarm
from tests.annotate.made.scored import add_scored, hold_out
from tests.browser.layout.pictures import looks_right
from training.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


@pytest.fixture
def versions(project: Project, annotator: User) -> Project:
    """Of 30 holdout documents version 2 takes five green ones for blue, and version 1 ten."""
    answers = [("red",)] * 10 + [("green",)] * 15 + [("blue",)] * 5
    documents = hold_out(project, annotator, answers)
    keys = dict(project.labels.values_list("name", "pk"))
    for number, wrong in ((1, 10), (2, 5)):
        said = [RED] * 10 + [BLUE] * wrong + [GREEN] * (15 - wrong) + [BLUE] * 5
        version = add_scored(
            project, documents, said, number=number, raw=said,
            stage="published" if number == 2 else "retired", published_at=project.created_at,
            macro_f1=0.9 - wrong / 50, macro_f1_low=0.5, macro_f1_high=0.95,
            report={"confusion": [[10, 0, 0], [0, 15 - wrong, wrong], [0, 0, 5]]},
        )  # fmt: skip
        for label in project.labels.all():
            ClassMetric.objects.create(
                version=version, label=label, threshold=0, support=10, precision=0.8, recall=0.7, f1=0.75,
                f1_low=0.6, f1_high=0.9,
            )  # fmt: skip
    for document, scores in zip(documents, said, strict=True):
        name = ("red", "green", "blue")[scores.index(0.8)]
        Prediction.objects.create(document=document, version=version, answer=Answer((keys[name],)))
    return project


def test_a_cell_of_the_confusions_opens_its_documents(
    open_as: Callable[[User, str], Page], lead: User, versions: Project
) -> None:
    page = open_as(lead, reverse("version", args=[versions.slug, 2]))
    looks_right(page, "version")
    page.locator("td.wrong").get_by_role("link", name="5", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("tbody tr").first).to_contain_text("green")
    looks_right(page, "cell-documents")


def test_two_versions_stand_side_by_side_with_the_documents_that_flipped(
    open_as: Callable[[User, str], Page], lead: User, versions: Project
) -> None:
    page = open_as(lead, reverse("versions", args=[versions.slug]))
    looks_right(page, "versions")
    page.get_by_role("link", name="Versions compared").click()
    expect(page.get_by_text("Version 2 against version 1")).to_be_visible()
    flipped = page.get_by_text("Only this version is right")
    expect(flipped.first).to_be_visible()
    looks_right(page, "comparison")
    page.get_by_label("against").select_option("2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("A version is not compared with itself")).to_be_visible()


def test_what_choosing_has_saved_is_read_from_the_overview_on(
    open_as: Callable[[User, str], Page], lead: User, versions: Project
) -> None:
    Shadow.objects.create(
        version=versions.versions.get(number=2), labels=100, documents=30, tried=220, needed=60, fewest=45,
        most=80, drawn_f1=0.5, drawn_low=0.4, drawn_high=0.6, chosen_f1=0.7, chosen_low=0.6, chosen_high=0.8,
    )  # fmt: skip
    page = open_as(lead, reverse("project", args=[versions.slug]))
    page.get_by_role("link", name="How that is measured").click()
    expect(page.get_by_text("about 40 labels saved, between 20 and 55")).to_be_visible()
    looks_right(page, "saved-labels")


def test_an_alarm_leads_to_its_text_in_front_of_the_queue(
    open_as: Callable[[User, str], Page],
    lead: User,
    versions: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    versions.holdout_queue_share = 0
    versions.save()
    usual, strange = add_documents(versions, "a usual text", "the moon is made of cheese")
    queue.refill(project=versions, strategy="margin", version=None, documents=[usual.pk])
    alarm = make_alarm(versions)
    batch = queue.put_first(project=versions, version=None, documents=[strange.pk])
    DriftAlarm.objects.filter(pk=alarm.pk).update(batch=batch, queued=1)
    page = open_as(lead, reverse("project", args=[versions.slug]))
    expect(page.get_by_text("1 unusual text waits in front of the queue.")).to_be_visible()
    page.get_by_role("link", name="What has moved").click()
    expect(page.get_by_text("1 text that is unlike all labelled ones is in front")).to_be_visible()
    looks_right(page, "drift")
    page.get_by_role("link", name="Label", exact=True).click()
    expect(page.get_by_text("the moon is made of cheese")).to_be_visible()
    assert ModelVersion.objects.published().get().number == 2
