"""A mail is a row until a server has taken it, whatever the server does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.password_validation import password_changed
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from annotate import kinds
from annotate.models import Invitation, Mail, PasswordLink, Project, User
from annotate.models.jobs import MailKind
from annotate.models.work import WorkState
from annotate.services.logins import second_factors
from annotate.services.mail import outbox
from annotate.services.people import invitations
from annotate.services.projects.refused import Refused
from annotate.services.upkeep import rows
from annotate.services.work import standstill
from annotate.services.work.lease import recover
from tests.annotate.made.mail_server import MailSink


@pytest.fixture
def server(settings: Any) -> Iterator[MailSink]:
    sink = MailSink()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.DEFAULT_FROM_EMAIL = "Winnow <winnow@example.org>"
    settings.SITE_URL = "https://label.example.org"
    yield sink
    sink.close()


@pytest.fixture
def person(lead: User) -> User:
    lead.email = "Lena@example.org"
    lead.save()
    return lead


def invite(project: Project, by: User, *guests: str) -> list[Mail]:
    wanted = {"role": "annotator", "days": 7, "guests": guests}
    return outbox.invite(project=project, by=by, by_mail=True, **wanted)[1]


def pass_seconds(seconds: float) -> None:
    for mail in Mail.objects.all():
        earlier = timedelta(seconds=seconds)
        Mail.objects.filter(pk=mail.pk).update(
            created_at=mail.created_at - earlier,
            queued_at=mail.queued_at - earlier,
            woken_at=mail.woken_at and mail.woken_at - earlier,
        )


def test_a_mail_that_was_handed_over_is_done_and_its_row_never_held_the_link(
    project: Project, person: User, server: MailSink
) -> None:
    (mail,) = invite(project, person, "Ада <ada@example.org>")
    outbox.run(mail.pk)
    mail.refresh_from_db()
    assert mail.state == WorkState.SUCCEEDED
    assert server.letters[0]["To"] == "ada@example.org"
    (path,) = [path for path in server.paths() if path.startswith("/invitations/")]
    token = path.split("/")[2]
    assert invitations.find(token) == Invitation.objects.get()
    stored = [*Mail.objects.values_list(), *Invitation.objects.values_list()]
    assert not any(token in str(value) for row in stored for value in row)


def test_a_server_that_is_away_loses_nothing_and_costs_no_attempt(
    project: Project, person: User, server: MailSink
) -> None:
    first, second = invite(project, person, "a@example.org", "b@example.org")
    port = server.port
    server.close()
    for _trial in range(5):
        outbox.run(first.pk)
        first.refresh_from_db()
        assert (first.state, first.attempt) == (WorkState.QUEUED, 0)
        assert "The mail server is away" in first.error
        assert not Mail.objects.due().exists()  # the other waits with it
        assert recover(Mail.objects.all()) == []
        assert standstill.of([Mail.objects.all()]) is None
        pass_seconds(1000)
    assert {mail.pk for mail in recover(Mail.objects.all())} == {first.pk, second.pk}
    back = MailSink(port)
    for mail in (first, second):
        outbox.run(mail.pk)
    back.close()
    assert set(Mail.objects.values_list("state", "error")) == {(WorkState.SUCCEEDED, "")}
    assert [letter["To"] for letter in back.letters] == ["a@example.org", "b@example.org"]


def test_a_mail_that_was_put_off_is_not_tried_before_its_time(
    project: Project, person: User, server: MailSink
) -> None:
    (mail,) = invite(project, person, "a@example.org")
    server.answers["RCPT"] = b"450 come again"
    outbox.run(mail.pk)
    server.answers.clear()
    outbox.run(mail.pk)
    assert server.letters == []
    pass_seconds(31)
    outbox.run(mail.pk)
    assert len(server.letters) == 1


def test_a_server_that_stays_away_for_a_day_ends_it(project: Project, person: User, server: MailSink) -> None:
    (mail,) = invite(project, person, "a@example.org")
    server.answers["RCPT"] = b"450 come again"
    pass_seconds(86_500)
    outbox.run(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.error) == (
        WorkState.FAILED,
        "The mail server took nothing for a day: come again",
    )


def test_an_address_that_is_refused_is_a_sentence_and_not_tried_again(
    project: Project, person: User, server: MailSink
) -> None:
    (mail,) = invite(project, person, "nobody@example.org")
    server.answers["RCPT"] = b"550 no \xff such\x07 user"
    outbox.run(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.error) == (
        WorkState.FAILED,
        "The mail server refused the mail: no � such user",
    )


def test_an_invitation_that_was_taken_back_meanwhile_is_not_sent(
    project: Project, person: User, server: MailSink
) -> None:
    (mail,) = invite(project, person, "a@example.org")
    invitations.revoke(project=project, pk=Invitation.objects.get().pk, by=person)
    outbox.run(mail.pk)
    mail.refresh_from_db()
    assert mail.state == WorkState.FAILED
    assert server.letters == []


def test_sending_again_ends_the_link_of_the_mail_before(
    project: Project, person: User, server: MailSink
) -> None:
    invite(project, person, "a@example.org")
    outbox.send_invitations(by=person, rows=Invitation.objects.all())
    for mail in Mail.objects.order_by("pk"):
        outbox.run(mail.pk)
    former, latter = (server.paths(number)[-1].split("/")[2] for number in (0, 1))
    assert invitations.find(former) is None
    assert invitations.find(latter) is not None


def test_names_cannot_add_headers_or_further_recipients(
    project: Project, person: User, server: MailSink
) -> None:
    Project.objects.update(name="Colours\r\nBcc: all@example.org\r\n\r\nBuy")
    project.refresh_from_db()
    odd = (
        "a@example.org\r\nBcc: b@example.org",
        "c@example.org, d@example.org",
        "f@example.org>\n<g@example.org",
    )
    assert invite(project, person, *odd) == []  # they get links to be copied
    (mail,) = invite(project, person, "e@example.org")
    outbox.run(mail.pk)
    assert [letter["To"] for letter in server.letters] == ["e@example.org"]
    assert server.letters[0]["Bcc"] is None
    assert server.letters[0]["Subject"].strip() == "Invitation to “Colours Bcc: all@example.org Buy”"


def test_one_person_has_only_so_many_mails_sent_a_day(
    project: Project, person: User, server: MailSink, settings: Any
) -> None:
    settings.MAILS_PER_DAY = 2
    invite(project, person, "a@example.org", "b@example.org")
    with pytest.raises(Refused, match="2 mails"):
        invite(project, person, "c@example.org")
    assert Invitation.objects.count() == 2
    pass_seconds(86_500)
    invite(project, person, "c@example.org")


@pytest.mark.parametrize("typed", ["lena", "LENA@EXAMPLE.ORG"])
def test_a_new_password_is_sent_to_the_address_of_the_account(
    typed: str, person: User, server: MailSink
) -> None:
    (mail,) = outbox.ask_for_password(typed=typed, address="192.0.2.1")
    assert not PasswordLink.objects.exists()
    outbox.run(mail.pk)
    assert [letter["To"] for letter in server.letters] == ["Lena@example.org"]
    assert "“lena”" in server.text()


@pytest.mark.parametrize("typed", ["nobody", "gone", "import", "bare", "lena@exаmple.org"])
def test_nothing_is_sent_where_there_is_no_such_account(typed: str, person: User, server: MailSink) -> None:
    User.objects.create_user("gone", email="gone@example.org", is_active=False)
    User.objects.create(username="import", email="import@example.org", is_machine=True)
    User.objects.create_user("bare")
    (mail,) = outbox.ask_for_password(typed=typed, address=None)
    outbox.run(mail.pk)
    mail.refresh_from_db()
    assert mail.state == WorkState.SUCCEEDED
    assert server.letters == []


def test_mails_for_one_account_and_from_one_address_are_limited(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        outbox.ask_for_password(typed="Lena", address=f"192.0.2.{number}")
    assert Mail.objects.count() == outbox.OF_AN_ACCOUNT
    monkeypatch.setattr(outbox, "OF_AN_ADDRESS", 2)
    outbox.ask_for_password(typed="a", address="192.0.2.0")
    with pytest.raises(Refused):
        outbox.ask_for_password(typed="b", address="192.0.2.0")
    pass_seconds(3601)
    outbox.ask_for_password(typed="lena", address="192.0.2.0")


def test_a_language_is_that_of_whoever_asked(person: User, server: MailSink) -> None:
    mail = Mail.objects.create(kind=MailKind.PASSWORD, to="lena", language="ru")
    outbox.run(mail.pk)
    assert server.letters[0]["Subject"] == "Новый пароль для Winnow"


def test_mails_that_are_over_are_swept_and_what_was_typed_after_a_day(db: None) -> None:
    day, month = timedelta(days=1, minutes=1), timedelta(days=31, minutes=1)
    for kind, age, state in (
        (MailKind.PASSWORD, day, "succeeded"),
        (MailKind.PASSWORD, day, "queued"),
        (MailKind.ADDRESS, day, "succeeded"),
        (MailKind.ADDRESS, month, "failed"),
    ):
        mail = Mail.objects.create(kind=kind, to="a", language="en", state=state)
        Mail.objects.filter(pk=mail.pk).update(created_at=timezone.now() - age)
    assert rows.mails(0.0) == 2
    assert kinds.BY_NAME["mail"].model is Mail


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda user: second_factors.added(user, "app", SessionStore()), "A second factor was added"),
        (lambda user: second_factors.removed(user=user, by=None, what="all"), "factor was removed"),
        (lambda user: second_factors.renew_codes(user=user), "New recovery codes"),
        (lambda user: password_changed("secret of today", user), "The password of your account"),
    ],
    ids=["added", "removed", "codes", "password"],
)
def test_a_person_is_told_what_was_changed_in_how_they_log_in(
    change: Callable[[User], object], said: str, person: User, server: MailSink
) -> None:
    change(person)
    (mail,) = recover(Mail.objects.all())
    outbox.run(mail.pk)
    (letter,) = server.letters
    assert said in letter["Subject"]
    assert letter["To"] == person.email
    assert person.get_username() in letter.get_content()
