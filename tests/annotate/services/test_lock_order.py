"""No two transactions of the site wait for each other for ever, wherever the one interrupts the other."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from annotate.models import (
    Annotation,
    Assignment,
    BulkChange,
    Document,
    Membership,
    ModelVersion,
    Project,
    User,
)
from annotate.models.bulk import BulkAction, BulkOptions
from annotate.models.documents import Lane
from annotate.models.work import WorkState
from annotate.services.bulk import job
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.labeling import ahead, api_decisions, decisions, places, queue
from annotate.services.projects import labels, members, merging, projects
from annotate.services.projects.labels import LabelEdit
from annotate.services.projects.refused import Refused
from annotate.services.versions import publication
from tests.annotate.made.interleaving import hurry, interleave
from training.types import Answer

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has one writer at a time: nothing to interleave"
    ),
]


class Site:
    """A project in the middle of its work, and everything that somebody may do in it at this moment."""

    def __init__(self, project: Project, annotator: User, other: User) -> None:
        self.project, self.annotator, self.other = project, annotator, other
        self.documents = documents = [
            Document.objects.create(
                project=project, external_id=str(n), text=f"text {n}", sha256=f"{n:064x}", lane=Lane.POOL
            )
            for n in range(6)
        ]
        self.labels = list(project.labels.all())
        self.membership = Membership.objects.create(project=project, user=other, role="annotator")
        places.append(project=project, documents=documents[:4], number=2, batch=None)
        self.places = [queue.claim(project=project, annotator=person) for person in (annotator, other)]
        deck = ahead.fill(project=project, annotator=annotator, held=ahead.Held(shown=self.places[0].card))
        self.held = [dealt.card.key for dealt in deck.dealt]
        # What is left waiting belongs to a document that both have had: the next deal finds nothing.
        Assignment.objects.waiting().exclude(document=documents[0]).delete()
        Assignment.objects.create(
            project=project, document=documents[5], annotator=annotator, rank=9e9, state="done"
        )
        self.skipped = Annotation.objects.create(
            project=project, document=documents[5], annotator=annotator, outcome="skipped"
        )
        self.version = ModelVersion.objects.create(
            project=project, number=1, family="tfidf", bundle="one", labelled=2, holdout_documents=0
        )

    def decide(self) -> None:
        """Answer the open card and get the next one, in one transaction as the labelling page does."""
        place = self.places[0]
        assert place is not None
        assert place.card is not None
        said = Answer(tuple(label.pk for label in reversed(self.labels)))
        sent = decisions.Submission(place.card, "answered", said)
        with transaction.atomic():
            decisions.keep(project=self.project, annotator=self.annotator, submission=sent)
            dealt = queue.deal(project=self.project, annotator=self.annotator)
        if dealt is None:
            queue.deal_from_filled(project=self.project, annotator=self.annotator)

    def decide_with_cards_ahead(self) -> None:
        """Answer the open card while others wait behind it, and hand one back that was not seen."""
        keys = self._keys()
        said = Answer(tuple(label.pk for label in self.labels))
        sent = decisions.Submission(keys[0], "answered", said)
        held = ahead.Held(shown=next(iter(keys[1:]), None), returned=tuple(keys[2:]))
        with transaction.atomic():
            decisions.keep(project=self.project, annotator=self.annotator, submission=sent)
            ahead.fill(project=self.project, annotator=self.annotator, held=held)

    def fill_deck(self) -> None:
        """Show the first card that was held ahead, and hand the others back, in another order."""
        _decided, shown, *rest = self._keys()
        held = ahead.Held(shown=shown, returned=tuple(reversed(rest)))
        with transaction.atomic():
            ahead.fill(project=self.project, annotator=self.annotator, held=held)

    def keep_and_give_back(self) -> None:
        """Do what a pulse does, and a closed page after it."""
        keys = [*reversed(self._keys())]
        queue.renew(project=self.project, annotator=self.annotator, cards=keys)
        queue.release(annotator=self.annotator, cards=keys)

    def take_over(self) -> None:
        """Take what the annotator only holds ahead, as where the queue cannot be filled."""
        place = self.places[1]
        assert place is not None
        assert place.card is not None
        with transaction.atomic():
            places.wanted(self.project)
            self.taken = queue.deal(
                project=self.project, annotator=self.other, besides={place.card}, takes_over=True
            )

    def return_skipped(self) -> None:
        places.return_to_queue(
            annotation=Annotation.objects.select_related("project").get(pk=self.skipped.pk)
        )

    def _keys(self) -> list[uuid.UUID]:
        place = self.places[0]
        assert place is not None
        assert place.card is not None
        return [place.card, *self.held]

    def decide_without_a_place(self) -> None:
        api_decisions.submit(
            document=Document.objects.select_related("project").get(pk=self.documents[0].pk),
            annotator=User.objects.get(username="lena"),
            key=uuid.uuid4(),
            outcome="answered",
            answer=Answer(tuple(label.pk for label in self.labels)),
        )

    def refill(self) -> None:
        queue.refill(
            project=self.project,
            strategy="margin",
            version=self.version,
            documents=[document.pk for document in self.documents],
        )

    def change_settings(self) -> None:
        projects.change_settings(
            project=self.project, changes={"annotators_per_document": 3, "guidelines": "Read it twice."}
        )

    def rename_labels(self) -> None:
        edits = [LabelEdit(label.pk, f"{label.name}!", "", label.hotkey) for label in self.labels]
        labels.update_labels(project=self.project, edits=edits)

    def archive_label(self) -> None:
        labels.archive_label(label=self.labels[-1])

    def merge_labels(self) -> None:
        """Merge and change the answers, some of which the other may be changing at this moment."""
        merging.merge(label=self.labels[0], into=self.labels[-1])
        for _turn in range(20):
            if merging.move(project=self.project):
                return

    def remove_member(self) -> None:
        members.remove_member(membership=Membership.objects.get(pk=self.membership.pk))

    def import_again(self) -> None:
        rows = [
            IncomingDocument(
                document.text + " anew", external_id=document.external_id or "", answer=Answer(("new",))
            )
            for document in reversed(self.documents)
        ]
        store_rows(project=self.project, rows=rows, create_labels=True)

    def label_in_bulk(self) -> None:
        self._in_bulk(BulkAction.LABEL, labels=tuple(label.pk for label in self.labels), gold=True)

    def list_in_bulk(self) -> None:
        self._in_bulk(BulkAction.LIST, name="all", people=(self.annotator.pk, self.other.pk), second=True)

    def _in_bulk(self, action: str, **options: Any) -> None:
        lead, project = User.objects.get(username="lena"), Project.objects.get(pk=self.project.pk)
        bulk = job.preview(project=project, by=lead, action=action, options=BulkOptions(**options), wanted={})
        job.confirm(bulk=bulk, by=lead)
        job.run(bulk.pk)
        assert BulkChange.objects.get(pk=bulk.pk).state in (WorkState.SUCCEEDED, WorkState.FAILED)

    def publish(self) -> None:
        publication.publish(version=self.version)


def test_somebody_who_takes_over_gets_what_the_other_only_holds(
    make_project: Callable[..., Project], annotator: User, stranger: User
) -> None:
    project = make_project(task="multi", annotators_per_document=2, holdout_queue_share=0.0)
    site = Site(project, annotator, stranger)
    site.take_over()
    assert site.taken is not None
    assert len(site.held) == Assignment.objects.filter(card__in=site.held).count() + 1
    assert Assignment.objects.get(card=site.taken.card.key).annotator == stranger


def test_two_pages_of_one_person_share_a_card_where_a_document_has_two_places(
    make_project: Callable[..., Project], annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    """Each page skips the place that the other has locked, and would lease another of the same document."""
    hurry()
    stop, was_stopped = 0, True
    while was_stopped:
        project = make_project(slug=f"twice-{stop}", annotators_per_document=2, holdout_queue_share=0.0)
        places.append(project=project, documents=add_documents(project, "one", "two"), number=2, batch=None)

        def look(project: Project = project) -> None:
            assert queue.claim(project=project, annotator=annotator) is not None

        was_stopped, errors = interleave(look, look, stop=stop)
        assert errors == [], f"before step {stop}"
        leased = Assignment.objects.leased().filter(project=project)
        assert len(leased) == len({place.document_id for place in leased})
        stop += 1
    assert stop > 2


def test_a_skip_that_is_answered_while_a_lead_returns_it_stays_answered(
    make_project: Callable[..., Project], annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    hurry()
    stop, was_stopped = 0, True
    while was_stopped:
        project = make_project(slug=f"skip-{stop}", holdout_queue_share=0.0)
        places.append(project=project, documents=add_documents(project, "one"), number=1, batch=None)
        place = queue.claim(project=project, annotator=annotator)
        assert place is not None
        assert place.card is not None
        skipped = decisions.submit(project=project, annotator=annotator, card=place.card, outcome="skipped")
        card, said = decisions.reopen(annotation=skipped).key, Answer((project.labels.all()[0].pk,))

        def return_it(skipped: Annotation = skipped) -> None:
            places.return_to_queue(annotation=skipped)

        def answer(project: Project = project, card: uuid.UUID = card, said: Answer = said) -> None:
            decisions.submit(project=project, annotator=annotator, card=card, outcome="answered", answer=said)

        was_stopped, errors = interleave(return_it, answer, stop=stop)
        states = list(project.assignments.values_list("state", flat=True))
        assert (errors, states) == ([], ["done"]), f"before step {stop}"
        stop += 1
    assert stop > 2


ACTIONS = [
    "decide", "decide_with_cards_ahead", "fill_deck", "keep_and_give_back", "take_over",
    "decide_without_a_place", "refill", "change_settings", "rename_labels", "archive_label",
    "remove_member", "import_again", "publish", "return_skipped",
]  # fmt: skip
# What a worker does has so many steps that it is never the one that is stopped.
IN_THE_BACKGROUND = ["label_in_bulk", "list_in_bulk", "merge_labels"]
# What one of the two may be told because of what the other has just done.
IN_WORDS = (decisions.Rejected, Refused, publication.NotPublished, Membership.DoesNotExist)


@pytest.mark.parametrize("first", ACTIONS)
def test_nobody_waits_for_ever_for(
    first: str,
    make_project: Callable[..., Project],
    lead: User,
    annotator: User,
    stranger: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publication, "_check_bundle", lambda *_, **__: None)
    hurry()
    for second in [*ACTIONS, *IN_THE_BACKGROUND]:
        stop, was_stopped = 0, True
        while was_stopped:
            with transaction.atomic():
                project = make_project(
                    slug=f"{second}-{stop}", task="multi", annotators_per_document=2, holdout_queue_share=0.0
                )
                site = Site(project, annotator, stranger)
            was_stopped, errors = interleave(getattr(site, first), getattr(site, second), stop=stop)
            unforeseen = [error for error in errors if not isinstance(error, IN_WORDS)]
            assert unforeseen == [], f"{second} while {first} stands before its step {stop}"
            stop += 1
        assert stop > 2
