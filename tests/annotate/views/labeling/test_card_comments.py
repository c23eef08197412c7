from __future__ import annotations

import uuid
from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from annotate.models import Comment, Document, Mention, Project, User


def test_a_card_hints_at_comments_to_whoever_may_read_them(
    project: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
) -> None:
    (document,) = add_documents(project, "one")
    comment = Comment.objects.create(document=document, author=lead, key=uuid.uuid4(), text="look")
    at = reverse("label", args=[project.slug])
    hint, client = "Somebody has written", sign_in(annotator)
    assert hint not in client.get(at).content.decode()
    Mention.objects.create(comment=comment, user=annotator)
    page = client.get(at).content.decode()
    assert hint in page
    assert f'href="{reverse("my-work", args=[project.slug])}"' in page
    project.assignments.all().delete()
    page = sign_in(lead).get(at).content.decode()
    assert f'href="{reverse("document", args=[project.slug, document.pk])}#comments"' in page
