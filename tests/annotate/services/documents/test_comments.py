"""Comments name members by @, and reasons of flags and skips stand among them in their order."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, Document, Mention, Project, User
from annotate.services.documents import comments

SignIn = Callable[[User], Client]


@pytest.fixture
def document(project: Project, add_documents: Callable[..., list[Document]]) -> Document:
    (document,) = add_documents(project, "a red tree")
    return document


def write(document: Document, by: User, text: str) -> None:
    comments.add(document=document, by=by, key=uuid.uuid4(), text=text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@anton", ["anton"]),
        ("Look, @anton.", ["anton"]),
        ("(@anton), @rita!", ["anton", "rita"]),
        ("@anton. And @anton again", ["anton"]),
        ("mail to someone@anton", []),
        ("@antonia, @Anton, @stefan, @", []),
        ("@r.ita-", ["r.ita-"]),
    ],
)
def test_a_text_names_members_alone(
    text: str, names: list[str], project: Project, reviewer: User, annotator: User, stranger: User
) -> None:
    project.memberships.create(user=User.objects.create_user("r.ita-"))
    assert sorted(user.username for user in comments.named(project, text)) == names


def test_whoever_is_named_sees_it_on_the_projects_page_until_they_have_opened_it(
    document: Document, project: Project, reviewer: User, lead: User, sign_in: SignIn
) -> None:
    write(document, reviewer, "@lena @rita look at this")
    browser, other = sign_in(lead), sign_in(reviewer)
    where = reverse("project", args=[project.slug])
    told = f"rita wrote to you about document {document.pk}"
    assert "1 comment for you" in browser.get(reverse("projects")).content.decode()
    assert told in browser.get(where).content.decode()
    assert told not in other.get(where).content.decode()  # nobody is told of what they wrote themselves
    page = reverse("document", args=[project.slug, document.pk])
    other.get(page)
    browser.head(page)
    assert told in browser.get(where).content.decode()
    browser.get(page)
    assert told not in browser.get(where).content.decode()
    assert "comment for you" not in browser.get(reverse("projects")).content.decode()


def test_an_annotator_sees_what_is_written_to_them_and_no_other_comment(
    document: Document, project: Project, lead: User, annotator: User, sign_in: SignIn
) -> None:
    write(document, lead, "between us")
    write(document, lead, "<b>@anton</b> why red?")
    browser = sign_in(annotator)
    assert reverse("my-work", args=[project.slug]) in browser.get(reverse("projects")).content.decode()
    for _time in range(2):
        page = browser.get(reverse("my-work", args=[project.slug])).content.decode()
        assert "&lt;b&gt;@anton&lt;/b&gt; why red?" in page
        assert "between us" not in page
    assert Mention.objects.get().opened_at is not None


def test_reasons_of_flags_and_skips_stand_among_the_comments_in_their_order(
    document: Document, project: Project, lead: User, annotator: User, reviewer: User
) -> None:
    fields = {"project": project, "document": document}
    Annotation.objects.create(**fields, annotator=annotator, outcome="flagged", reason="two languages")
    write(document, lead, "take the first")
    Annotation.objects.create(**fields, annotator=reviewer, outcome="skipped", reason="unclear")
    Annotation.objects.create(**fields, annotator=lead, outcome="answered", reason="no remark")
    told = [(remark.author.username, remark.text, remark.outcome) for remark in comments.remarks(document)]
    assert told == [
        ("anton", "two languages", "Flagged"),
        ("lena", "take the first", ""),
        ("rita", "unclear", "Skipped"),
    ]


def test_a_link_beside_an_answer_begins_a_comment_to_its_annotator(
    document: Document, project: Project, lead: User, annotator: User, sign_in: SignIn
) -> None:
    Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="flagged")
    browser, where = sign_in(lead), reverse("document", args=[project.slug, document.pk])
    assert "?to=anton#comments" in browser.get(where).content.decode()
    assert "@anton </textarea>" in browser.get(f"{where}?to=anton").content.decode()


def test_a_comment_sent_twice_names_once(document: Document, lead: User, annotator: User) -> None:
    key = uuid.uuid4()
    for _time in range(2):
        comments.add(document=document, by=lead, key=key, text="@anton @anton")
    assert Mention.objects.count() == 1
