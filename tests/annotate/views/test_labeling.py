from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from annotate import hotkeys
from annotate.models import (
    Annotation,
    Card,
    Decision,
    Document,
    HandedOnAnswer,
    ModelVersion,
    Prediction,
    Project,
    User,
)
from annotate.models.documents import Lane
from annotate.models.versions import Stage
from annotate.services.projects import members as member_service
from training.types import Answer

SignIn = Callable[[User], Client]
AddDocuments = Callable[..., list[Document]]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the runs that a view wakes a worker for; no test of a page needs a broker."""
    runs: list[Any] = []
    monkeypatch.setattr("annotate.tasks.wake", runs.extend)
    return runs


@pytest.fixture
def client(sign_in: SignIn, annotator: User) -> Client:
    return sign_in(annotator)


def url(project: Project) -> str:
    return f"/projects/{project.slug}/label/"


def card_in(html: str) -> str:
    found = re.search(r'data-card="([^"]+)"', html)
    assert found, html
    return found[1]


def get_card(client: Client, project: Project) -> str:
    return card_in(client.get(url(project)).content.decode())


def label_pk(project: Project, name: str) -> int:
    return project.labels.get(name=name).pk


def send(client: Client, project: Project, card: str, **fields: Any) -> Any:
    sent = {"card": card, "outcome": "answered", "seconds": "2.5", **fields}
    return client.post(url(project), sent, headers=HTMX)


def suggest(
    project: Project, document: Document, *scores: tuple[str, float], **of_version: Any
) -> ModelVersion:
    version, _ = ModelVersion.objects.get_or_create(
        project=project,
        number=3,
        defaults={
            "family": "tfidf",
            "bundle": "b",
            "stage": Stage.PUBLISHED,
            "labelled": 1,
            "holdout_documents": 0,
            "calibrated": True,
            **of_version,
        },
    )
    pairs = tuple((label_pk(project, name), score) for name, score in scores)
    decided = tuple(key for key, score in pairs if score >= 0.5)
    Prediction.objects.create(document=document, version=version, answer=Answer(decided, scores=pairs))
    return version


def test_a_stranger_finds_no_labelling_page(sign_in: SignIn, stranger: User, project: Project) -> None:
    assert sign_in(stranger).get(url(project)).status_code == 404
    assert sign_in(stranger).post(url(project)).status_code == 404
    assert sign_in(stranger).post(f"{url(project)}pulse/").status_code == 404


def test_a_visitor_is_sent_to_the_log_in_page(project: Project) -> None:
    assert Client().get(url(project)).headers["Location"].startswith("/login/")


def test_html_in_a_text_is_shown_as_text(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "<script>alert(1)</script> & <b>")
    html = client.get(url(project)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;</div>" in html
    assert "<script>alert" not in html


def test_a_decision_is_kept_and_answered_with_the_next_card(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    card = get_card(client, project)
    response = send(client, project, card, labels=[label_pk(project, "green")])
    assert response.status_code == 200
    assert card_in(response.content.decode()) != card
    kept = Annotation.objects.get()
    assert [label.name for label in kept.labels.all()] == ["green"]
    assert kept.seconds == 2.5


def test_the_same_card_twice_is_one_decision(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    card = get_card(client, project)
    first = send(client, project, card, labels=[label_pk(project, "green")])
    second = send(client, project, card, labels=[label_pk(project, "green")])
    assert card_in(first.content.decode()) == card_in(second.content.decode())
    assert Decision.objects.count() == 1
    assert Annotation.objects.get().labels.get().name == "green"


def test_another_answer_to_the_same_card_counts_and_both_are_told(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    card = get_card(client, project)
    send(client, project, card, labels=[label_pk(project, "green")])
    told = send(client, project, card, labels=[label_pk(project, "red")])
    assert told.status_code == 200
    assert "on another page: “green”. Now it is: “red”." in unescape(told.content.decode())
    again = send(client, project, card, labels=[label_pk(project, "red")])
    assert "Now it is" not in again.content.decode()
    assert Annotation.objects.get().labels.get().name == "red"


def test_what_was_taken_and_what_was_refused_name_their_decision(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    """Else a browser could take any page with status 200 for an acknowledgement."""
    add_documents(project, "one", "two")
    card = get_card(client, project)
    assert "Winnow-Decision" not in client.get(url(project)).headers
    for fields, status in (({}, 422), ({"labels": [label_pk(project, "red")]}, 200)):
        answer = send(client, project, card, **fields)
        assert (answer.status_code, answer.headers["Winnow-Decision"]) == (status, card)


def hand_on(client: Client, project: Project, card: str, **fields: Any) -> Any:
    return client.post(f"{url(project)}hand-on/", {"card": card, "outcome": "answered", **fields})


def test_a_removed_person_hands_on_decisions_on_cards_of_the_time_before(
    client: Client,
    sign_in: SignIn,
    lead: User,
    annotator: User,
    stranger: User,
    project: Project,
    add_documents: AddDocuments,
) -> None:
    add_documents(project, "one")
    card, red = get_card(client, project), label_pk(project, "red")
    assert hand_on(client, project, card, labels=red).status_code == 409  # still a member
    member_service.remove_member(membership=project.memberships.get(user=annotator))
    assert send(client, project, card, labels=red).status_code == 404
    refused = [
        hand_on(sign_in(stranger), project, card, labels=red),
        hand_on(sign_in(lead), project, card, labels=red),
        hand_on(client, project, str(uuid.uuid4()), labels=red),
        hand_on(client, project, "no card", labels=red),
    ]
    assert [answer.status_code for answer in refused] == [404] * 4
    assert hand_on(client, project, card, labels=red, owner=lead.pk).status_code == 403
    assert hand_on(client, project, card, labels="999999").status_code == 422
    assert not HandedOnAnswer.objects.exists()
    taken = hand_on(client, project, card, labels=red, owner=annotator.pk)
    assert (taken.status_code, taken.headers["Winnow-Decision"]) == (200, card)
    assert not Annotation.objects.exists()
    assert HandedOnAnswer.objects.get().annotator == annotator


def test_who_is_not_logged_in_hands_nothing_on(project: Project) -> None:
    as_its_script = Client(headers={"HX-Request": "true"})
    assert hand_on(as_its_script, project, str(uuid.uuid4())).headers["Location"].startswith("/login/")


@pytest.mark.parametrize(("action", "kept"), [("accept", ["red"]), ("discard", [])])
def test_a_lead_settles_what_was_handed_on_once(
    action: str,
    kept: list[str],
    client: Client,
    sign_in: SignIn,
    lead: User,
    annotator: User,
    project: Project,
    add_documents: AddDocuments,
) -> None:
    add_documents(project, "one <b>")
    card = get_card(client, project)
    member_service.remove_member(membership=project.memberships.get(user=annotator))
    hand_on(client, project, card, labels=label_pk(project, "red"), reason="late")
    theirs, place = sign_in(lead), f"/projects/{project.slug}/handed-on/"
    for address in (f"/projects/{project.slug}/", f"/projects/{project.slug}/documents/"):
        assert place in theirs.get(address).content.decode()
    page = unescape(theirs.get(place).content.decode())
    assert "anton" in page
    assert "“red”" in page
    row = HandedOnAnswer.objects.get()
    for act in (action, "accept", "discard"):
        theirs.post(f"{place}{row.pk}/", {"action": act})
    row.refresh_from_db()
    assert (row.is_accepted, row.settled_by) == (action == "accept", lead)
    found = Annotation.objects.filter(annotator=annotator)
    assert [label.name for annotation in found for label in annotation.labels.all()] == kept
    assert "No answer waits for you" in theirs.get(place).content.decode()


def test_another_answer_to_an_earlier_card_is_told(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    card = get_card(client, project)
    send(client, project, card, labels=[label_pk(project, "green")])
    later = card_in(client.get(f"{url(project)}?back", headers=HTMX).content.decode())
    send(client, project, later, labels=[label_pk(project, "blue")])
    told = send(client, project, card, labels=[label_pk(project, "red")])
    assert told.status_code == 422
    sentence = unescape(told.content.decode())
    assert "decided on this document again since: “blue”" in sentence
    assert "was not kept: “red”" in sentence
    assert Annotation.objects.get().labels.get().name == "blue"


def test_without_scripts_a_decision_leads_back_to_the_page(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one")
    card = get_card(client, project)
    sent = {"card": card, "outcome": "skipped", "reason": "not readable"}
    response = client.post(url(project), sent)
    assert (response.status_code, response.headers["Location"]) == (302, url(project))
    assert Annotation.objects.get().reason == "not readable"


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": ["999999"]},
        {"labels": []},
        {"labels": ["9" * 40]},
        {"labels": ["x"]},
        {"outcome": "shouted"},
        {"card": "no card"},
        {"card": str(uuid.uuid4())},
    ],
)
def test_a_decision_that_cannot_be_kept_is_refused_with_a_sentence(
    client: Client, project: Project, add_documents: AddDocuments, fields: dict[str, Any]
) -> None:
    add_documents(project, "one")
    sent = {"card": get_card(client, project), "labels": [label_pk(project, "red")], **fields}
    response = send(client, project, sent.pop("card"), **sent)
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert not Annotation.objects.exists()


def test_an_empty_answer_has_to_be_said(
    client: Client, multi_project: Project, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, "one")
    card = get_card(client, multi_project)
    left_over = send(client, multi_project, card)
    assert (left_over.status_code, "Nothing was chosen" in left_over.content.decode()) == (422, True)
    both = send(client, multi_project, card, none="1", labels=[label_pk(multi_project, "red")])
    assert (both.status_code, "one or the other" in both.content.decode()) == (422, True)
    assert not Annotation.objects.exists()
    assert send(client, multi_project, card, none="1").status_code == 200
    assert (Annotation.objects.get().outcome, Annotation.objects.get().labels.count()) == ("answered", 0)


def test_a_skip_needs_no_choice(client: Client, multi_project: Project, add_documents: AddDocuments) -> None:
    add_documents(multi_project, "one")
    sent = send(client, multi_project, get_card(client, multi_project), outcome="skipped")
    assert sent.status_code == 200


def test_the_key_of_an_empty_answer_is_no_labels_where_one_may_be_given(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    """A lead may have given it to a label before the page took it."""
    for task, key in (("single", "n"), ("multi", "1")):
        project = make_project(slug=task, task=task)
        project.labels.filter(name="red").update(hotkey="n")
        add_documents(project, "one")
        html = client.get(url(project)).content.decode()
        assert f'value="{label_pk(project, "red")}" data-hotkey="{key}"' in html


def test_a_suggestion_is_shown_and_recorded_with_the_answer(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one")
    version = suggest(project, document, ("blue", 0.82), ("red", 0.1))
    html = client.get(url(project)).content.decode()
    assert 'id="suggestion"' in html
    assert "82 %" in html
    send(client, project, card_in(html), labels=[label_pk(project, "red")])
    kept = Annotation.objects.get()
    assert kept.shown_version == version
    blue, red = label_pk(project, "blue"), label_pk(project, "red")
    assert kept.shown == Answer((blue,), scores=((blue, 0.82), (red, 0.1)))


@pytest.mark.parametrize(
    ("labelled", "family", "called"),
    [(0, "embedding", "Guess from label names"), (9, "embedding", "Guess from few labels")]
    + [(9, "zero_shot", "Guess from label names")],
)
def test_an_uncalibrated_suggestion_is_called_a_guess_and_has_no_percentage(
    client: Client, project: Project, add_documents: AddDocuments, labelled: int, family: str, called: str
) -> None:
    (document,) = add_documents(project, "one")
    version = {"labelled": labelled, "family": family, "calibrated": False}
    suggest(project, document, ("blue", 0.82), ("red", 0.1), **version)
    html = client.get(url(project)).content.decode()
    aside = re.search(r'<aside id="suggestion".*?</aside>', html, re.DOTALL)
    assert aside
    assert called in aside[0]
    assert "blue" in aside[0]
    assert not re.search(r"%|meter|Confidence|The model suggests", aside[0])


@pytest.mark.parametrize("is_calibrated", [True, False])
def test_the_likeliest_of_many_have_a_percentage_only_where_it_is_a_confidence(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments, is_calibrated: bool
) -> None:
    project = make_project(labels=[f"label {n}" for n in range(11)])
    (document,) = add_documents(project, "one")
    best = [(f"label {n}", 0.6 - n / 20) for n in range(10, 3, -1)][::-1]
    suggest(project, document, *best, calibrated=is_calibrated)
    html = client.get(url(project)).content.decode()
    told = re.search(r'<div id="likeliest".*?</div>', html, re.DOTALL)
    assert told
    assert re.findall(r'class="likely-name"[^>]*>(.*?)<', told[0]) == [name for name, _score in best[:5]]
    assert re.findall(r"<kbd[^>]*>(.)</kbd>", told[0]) == ["a", "↵", "s", "d", "j", "k"]
    assert len(re.findall(r"\d+ %", told[0])) == (5 if is_calibrated else 0)


def test_holdout_documents_have_no_suggestion(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one", lane=Lane.HOLDOUT)
    suggest(project, document, ("blue", 0.82))
    html = client.get(url(project)).content.decode()
    assert 'id="suggestion"' not in html
    send(client, project, card_in(html), labels=[label_pk(project, "red")])
    assert Annotation.objects.get().shown is None


def test_a_project_without_suggestions_shows_none(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    for task in ("single", "multi"):
        project = make_project(slug=task, task=task, suggestions="never")
        suggest(project, add_documents(project, "one")[0], ("blue", 0.82))
        assert 'id="suggestion"' not in client.get(url(project)).content.decode()


@pytest.mark.parametrize(("revealed", "is_recorded"), [("1", True), ("", False)])
def test_a_suggestion_after_the_choice_is_recorded_only_where_it_was_shown(
    client: Client,
    make_project: Callable[..., Project],
    add_documents: AddDocuments,
    revealed: str,
    is_recorded: bool,
) -> None:
    project = make_project(suggestions="after")
    suggest(project, add_documents(project, "one")[0], ("blue", 0.82))
    html = client.get(url(project)).content.decode()
    assert re.search(r'id="suggestion"[^>]* hidden', html)
    send(client, project, card_in(html), labels=[label_pk(project, "red")], revealed=revealed)
    assert (Annotation.objects.get().shown is not None) is is_recorded


def test_back_shows_the_previous_decision_and_an_answer_changes_it(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    send(client, project, get_card(client, project), labels=[label_pk(project, "green")])
    html = client.get(f"{url(project)}?back", headers=HTMX).content.decode()
    kept = Annotation.objects.get()
    assert f'data-annotation="{kept.pk}"' in html
    send(client, project, card_in(html), labels=[label_pk(project, "blue")])
    assert Annotation.objects.get().labels.get().name == "blue"
    assert Decision.objects.count() == 2


def test_back_before_the_first_decision_says_so(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one")
    assert "no decision of yours before this one" in client.get(f"{url(project)}?back").content.decode()


def test_back_never_shows_somebody_elses_decision(
    client: Client, sign_in: SignIn, lead: User, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    theirs = sign_in(lead)
    send(theirs, project, get_card(theirs, project), labels=[label_pk(project, "green")])
    pk = Annotation.objects.get().pk
    html = client.get(f"{url(project)}?back={pk}").content.decode()
    assert "data-annotation" not in html


@pytest.mark.parametrize("labels", [(), ("red",)])
def test_an_empty_queue_says_why(
    client: Client, make_project: Callable[..., Project], labels: tuple[str, ...]
) -> None:
    html = client.get(url(make_project(labels=labels))).content.decode()
    assert "data-empty" in html
    assert ("no documents yet" if labels else "no labels yet") in html


def test_enough_labels_wake_a_worker(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments, woken: list[Any]
) -> None:
    project = make_project(retrain_after=1)
    add_documents(project, "one", "two")
    send(client, project, get_card(client, project), labels=[label_pk(project, "red")])
    assert [run.project for run in woken] == [project] * len(woken)
    assert woken


def test_the_pulse_keeps_the_lease_and_tells_progress(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    send(client, project, get_card(client, project), labels=[label_pk(project, "red")])
    card = get_card(client, project)
    place = project.assignments.get(card=card)
    project.assignments.filter(pk=place.pk).update(expires_at=None)
    html = client.post(f"{url(project)}pulse/", {"card": card}).content.decode()
    place.refresh_from_db()
    assert place.expires_at is not None
    assert "1 decision today" in html
    assert "9 more labels until the next model" in html
    assert "training" in html


def test_the_pulse_keeps_the_card_that_waits_behind_an_earlier_decision(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", "two")
    send(client, project, get_card(client, project), labels=[label_pk(project, "red")])
    waiting = get_card(client, project)
    shown = card_in(client.get(f"{url(project)}?back", headers=HTMX).content.decode())
    project.assignments.filter(card=waiting).update(expires_at=None)
    client.post(f"{url(project)}pulse/", {"card": shown, "waiting": waiting})
    assert project.assignments.get(card=waiting).expires_at is not None


def test_a_closed_page_gives_its_card_back_and_its_late_decision_is_kept(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one")
    card = get_card(client, project)
    before = project.assignments.get(card=card).expires_at
    assert client.post(f"{url(project)}release/", {"card": card}).status_code == 204
    assert project.assignments.get(card=card).expires_at < before  # type: ignore[operator]
    assert client.post(f"{url(project)}release/", {"card": "none"}).status_code == 204
    send(client, project, card, labels=[label_pk(project, "red")])
    assert Annotation.objects.get().labels.get().name == "red"
    assert project.assignments.get().state == "done"


@pytest.mark.parametrize("task", ["single", "multi"])
def test_the_page_hands_its_script_the_table_of_keys_and_shows_each(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments, task: str
) -> None:
    project = make_project(task=task)
    add_documents(project, "one")
    page = client.get(url(project)).content.decode()
    given = re.search(r'data-commands="([^"]*)"', page)
    assert given
    assert json.loads(unescape(given[1])) == hotkeys.commands(project.task_type)
    listed = {unescape(key).lower() for key in re.findall(r"<dt>.*?</dt>", page) for key in _kbd(key)}
    names = {" ": "space", "escape": "esc"}
    assert {names.get(key, key) for key in hotkeys.commands(project.task_type)} - {"."} <= listed
    script = Path(hotkeys.__file__).with_name("static") / "annotate"
    for path in ("keys.js", "labeling.js"):
        assert not re.search(r"""[\"'](backspace|escape|u|g)[\"']\s*:""", (script / path).read_text())


def _kbd(line: str) -> list[str]:
    return re.findall(r"<kbd>(.*?)</kbd>", line)


def test_a_card_says_nothing_of_the_lane(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one", lane=Lane.HOLDOUT)
    assert "holdout" not in client.get(url(project)).content.decode().lower()
    assert Card.objects.count() == 1


def test_a_decision_and_the_next_card_take_few_queries(
    client: Client, project: Project, add_documents: AddDocuments, django_assert_max_num_queries: Any
) -> None:
    """Everybody's decisions pass through this one request, and on SQLite one after another."""
    add_documents(project, *(f"text {i}" for i in range(4)))
    card = get_card(client, project)
    card = card_in(send(client, project, card, labels=label_pk(project, "red")).content.decode())
    # The session, which lies in the database alone, is one of them; PostgreSQL leases within a savepoint.
    with django_assert_max_num_queries(19 if connection.vendor == "sqlite" else 21):
        send(client, project, card, labels=label_pk(project, "green"))


def test_a_renamed_label_is_on_the_next_card(
    client: Client, project: Project, add_documents: AddDocuments
) -> None:
    add_documents(project, "one")
    get_card(client, project)
    project.labels.filter(name="red").update(name="crimson <i>")
    html = client.get(url(project), headers=HTMX).content.decode()
    assert "crimson &lt;i&gt;</span>" in html
    assert ">red<" not in html


@pytest.mark.parametrize(
    ("speed", "text", "wait"),
    [(0, "word " * 60, None), (60, "word " * 60, "60.0"), (60, "字" * 60, "10.0")],
)
def test_a_suggestion_waits_for_as_long_as_its_text_takes_to_read(
    client: Client,
    make_project: Callable[..., Project],
    add_documents: AddDocuments,
    speed: int,
    text: str,
    wait: str | None,
) -> None:
    project = make_project(reading_speed=speed)
    suggest(project, add_documents(project, text)[0], ("blue", 0.82))
    html = client.get(url(project)).content.decode()
    aside = re.search(r'<aside id="suggestion"[^>]*>', html)
    assert aside
    assert re.findall(r' hidden data-wait="(.*?)"', aside[0]) == ([wait] if wait else [])


@pytest.mark.parametrize("revealed", ["", "1"])
def test_a_suggestion_that_waited_is_recorded_only_where_it_was_seen(
    client: Client, make_project: Callable[..., Project], add_documents: AddDocuments, revealed: str
) -> None:
    project = make_project(reading_speed=300)
    suggest(project, add_documents(project, "one")[0], ("blue", 0.82))
    card = card_in(client.get(url(project)).content.decode())
    send(client, project, card, labels=[label_pk(project, "red")], revealed=revealed)
    assert (Annotation.objects.get().shown is not None) == bool(revealed)
