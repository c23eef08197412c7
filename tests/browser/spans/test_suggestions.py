"""What a model would mark is drawn apart, and is nobody's answer until somebody accepts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Prediction, Project, User
from tests.annotate.made.bundles import add_version
from tests.browser.spans.test_marking import keys, listed, marked
from tests.browser.test_labeling import card_of, wait_until_sent
from training.types import Answer, Span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Ada met Bob in Paris."


@pytest.fixture
def page(
    open_as: Callable[[User, str], Page],
    entities: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    tmp_path: Path,
) -> Page:
    (document,) = add_documents(entities, TEXT)
    version = add_version(entities, tmp_path, number=1)
    label = dict(entities.labels.values_list("name", "pk"))
    said = (Span(0, 3, label["person"]), Span(15, 20, label["place"]))
    scores = ((label["person"], 0.9), (label["place"], 0.6))
    Prediction.objects.create(document=document, version=version, answer=Answer((), said, scores))
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    return page


def test_one_is_accepted_one_rejected_and_enter_takes_no_other(page: Page, entities: Project) -> None:
    assert listed(page) == ["person 90 % Ada (suggested)", "place 60 % Paris (suggested)"]
    expect(page.locator(".span-suggested")).to_have_count(2)
    keys(page, "Enter")
    expect(page.locator("#chosen")).to_contain_text("nothing was saved")
    keys(page, "Tab", "a")
    assert listed(page) == ["person Ada", "place 60 % Paris (suggested)"]
    keys(page, "Enter")
    expect(page.locator("#card[data-empty]")).to_be_visible()
    wait_until_sent(page)
    assert marked(entities) == {TEXT: [("Ada", "person")]}
    shown = Annotation.objects.get().shown
    assert shown is not None
    assert len(shown.spans) == 2


def test_all_are_accepted_by_a_key_of_their_own_and_one_is_corrected(page: Page, entities: Project) -> None:
    keys(page, "Tab", "Tab", "3", ".")
    assert listed(page) == ["person Ada", "product Paris"]
    keys(page, "Tab", "d")
    assert len(listed(page)) == 1
