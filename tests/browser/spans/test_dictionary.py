"""The words of a project's dictionary are marked on request, with their number and a way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import DictionaryEntry, Document, Project, User
from tests.browser.spans.test_marking import keys, listed
from tests.browser.test_labeling import card_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_one_key_marks_whole_words_beside_what_is_marked_and_one_takes_it_back(
    open_as: Callable[[User, str], Page],
    entities: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(entities, "😀 met New York, not Romeo; York is in Rome.")
    label = dict(entities.labels.values_list("name", "pk"))
    DictionaryEntry.objects.bulk_create(
        DictionaryEntry(project=entities, words=words, label_id=label[name])
        for words, name in (("Rome", "place"), ("York", "person"), ("New York", "place"))
    )
    page = open_as(annotator, f"/projects/{entities.slug}/label/")
    card_of(page)
    page.wait_for_load_state("networkidle")
    keys(page, "ArrowRight", "3", "b")
    expect(page.locator("#chosen")).to_have_text("Words of the dictionary marked: 3. z takes that back.")
    assert listed(page) == ["product 😀", "place New York", "person York", "place Rome"]
    keys(page, "z", "b", "b")
    expect(page.locator("#chosen")).to_contain_text("No words of the dictionary are left")
    assert len(listed(page)) == 4
