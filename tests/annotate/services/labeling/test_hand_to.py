"""A document is handed to one person: they are asked next, and nobody else for a week."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Annotation, Assignment, Document, Event, Project, User
from annotate.models.queue import AssignmentState
from annotate.services.labeling import places, queue
from annotate.services.projects import members

Add = Callable[..., list[Document]]


@pytest.fixture
def flagged(project: Project, annotator: User, add_documents: Add) -> Document:
    (document,) = add_documents(project, "two languages")
    Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="flagged")
    Assignment.objects.create(
        project=project, document=document, rank=1, state=AssignmentState.DONE, annotator=annotator
    )
    return document


def test_the_person_is_asked_next_and_nobody_else(
    project: Project, flagged: Document, reviewer: User, lead: User, add_documents: Add
) -> None:
    (other,) = add_documents(project, "a red tree")
    places.append(project=project, documents=[other], number=1, batch=None)
    assert places.hand_to(document=flagged, person=reviewer, by=lead)
    of_lead, of_reviewer = (queue.claim(project=project, annotator=user) for user in (lead, reviewer))
    assert (of_lead and of_lead.document, of_reviewer and of_reviewer.document) == (other, flagged)
    event = Event.objects.latest("pk")
    assert (event.kind, event.subject, event.document_id) == ("handed-to", "rita", flagged.pk)


def test_whoever_flagged_it_can_be_asked_again(
    project: Project, flagged: Document, annotator: User, lead: User
) -> None:
    assert places.hand_to(document=flagged, person=annotator, by=lead)
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    assert place.document == flagged
    assert flagged.assignments.count() == 1


def test_a_waiting_place_is_used_before_another_is_made(
    project: Project, reviewer: User, lead: User, add_documents: Add
) -> None:
    (document,) = add_documents(project, "a red tree")
    places.append(project=project, documents=[document], number=1, batch=None)
    assert places.hand_to(document=document, person=reviewer, by=lead)
    assert document.assignments.get().annotator == reviewer


def test_after_a_week_others_are_asked(
    project: Project, flagged: Document, reviewer: User, lead: User
) -> None:
    places.hand_to(document=flagged, person=reviewer, by=lead)
    assert queue.claim(project=project, annotator=lead) is None
    Assignment.objects.leased().update(expires_at=timezone.now() - timedelta(seconds=1))
    place = queue.claim(project=project, annotator=lead)
    assert place is not None
    assert place.document == flagged


def test_what_was_handed_to_somebody_who_is_removed_waits_for_others(
    project: Project, flagged: Document, reviewer: User, lead: User
) -> None:
    places.hand_to(document=flagged, person=reviewer, by=lead)
    members.remove_member(membership=project.memberships.get(user=reviewer))
    assert queue.claim(project=project, annotator=lead) is not None


def test_nobody_is_asked_about_what_they_answered_or_have(
    project: Project, flagged: Document, reviewer: User, lead: User
) -> None:
    assert places.hand_to(document=flagged, person=reviewer, by=lead)
    assert not places.hand_to(document=flagged, person=reviewer, by=lead)
    Annotation.objects.create(project=project, document=flagged, annotator=lead, outcome="answered")
    assert not places.hand_to(document=flagged, person=lead, by=lead)
    assert Event.objects.filter(kind="handed-to").count() == 1


def test_the_page_hands_over_to_members_alone(
    project: Project,
    flagged: Document,
    reviewer: User,
    stranger: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    browser, where = sign_in(lead), reverse("document-hand-to", args=[project.slug, flagged.pk])
    refused = browser.post(where, {"person": stranger.pk}, follow=True).content.decode()
    assert "choose a member" in refused
    assert (
        "rita is asked about this document next."
        in browser.post(where, {"person": reviewer.pk}, follow=True).content.decode()
    )
    again = browser.post(where, {"person": reviewer.pk}, follow=True).content.decode()
    assert "has it already" in again
