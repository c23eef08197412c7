"""The page of a document on which people marked pieces: a lead takes what one of them marked, by a key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Project, User
from tests.browser.test_labeling import violations
from training.types import Answer, Span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Ada met\r\nBob 😀 in Paris."


def test_a_lead_takes_all_that_one_person_marked(
    open_as: Callable[[User, str], Page],
    entities: Project,
    annotator: User,
    lead: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(entities, TEXT)
    keys = dict(entities.labels.values_list("name", "pk"))
    wanted: dict[User, list[Span]] = {}
    for user, said in ((annotator, (("Ada", "person"), ("Paris", "place"))), (lead, (("Bob", "person"),))):
        places = [(TEXT.index(words), len(words), keys[label]) for words, label in said]
        wanted[user] = [Span(start, start + length, label) for start, length, label in places]
        made = Annotation.objects.create(
            project=entities, document=document, annotator=user, outcome="answered"
        )
        made.say(Answer(spans=tuple(wanted[user])))
    page = open_as(lead, f"/projects/{entities.slug}/documents/{document.pk}/")
    expect(page.get_by_role("button", name="All of anton")).to_be_visible()
    assert page.evaluate("document.querySelector('.span-text').textContent") == TEXT
    page.keyboard.press("1")
    expect(page.locator("input[name=marked]:checked")).to_have_count(2)
    assert violations(page) == []
    page.get_by_role("button", name="Save as gold").click()
    expect(page.get_by_text("gold one of this document now")).to_be_visible()
    assert Annotation.objects.get(is_gold=True).answer.spans == tuple(wanted[annotator])
