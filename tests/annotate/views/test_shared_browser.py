"""Two people at one browser: a decision goes to whose page it was made on, or nowhere."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from annotate.models import Decision, Document, Project, User
from tests.annotate.views.test_labeling import get_card, label_pk, send


def test_a_decision_of_another_person_is_refused_and_stays_theirs(
    sign_in: Callable[[User], Client],
    project: Project,
    annotator: User,
    lead: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, "the sky")
    client, red = sign_in(annotator), label_pk(project, "red")
    card = get_card(client, project)
    assert send(sign_in(lead), project, card, labels=red, owner=annotator.pk).status_code == 403
    assert not Decision.objects.exists()
    assert send(client, project, card, labels=red, owner=annotator.pk).status_code == 200
    assert Decision.objects.get().annotation.annotator == annotator
