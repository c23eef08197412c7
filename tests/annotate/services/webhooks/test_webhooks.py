"""A webhook is told what happens, signed, until it takes it; and nothing goes to where it should not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import kinds, tasks
from annotate.models import Event, Mail, Project, User, Webhook, WebhookDelivery
from annotate.models.events import EventKind
from annotate.models.jobs import WebhookEvent
from annotate.services.drift import alarms
from annotate.services.mail import outbox as mails
from annotate.services.pages.next_steps import todo
from annotate.services.projects.refused import Refused
from annotate.services.upkeep import rows
from annotate.services.versions import publication
from annotate.services.webhooks import outbox, public_addresses, sending, subscriptions
from annotate.services.work.lease import recover
from tests.annotate.made.bundles import add_version
from tests.annotate.made.drift import make_alarm, make_window
from tests.annotate.made.webhook_receiver import WebhookReceiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[WebhookReceiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    receiver = WebhookReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def secret(project: Project, lead: User, receiver: WebhookReceiver) -> str:
    """The secret of the project's only webhook."""
    return subscriptions.add(project=project, by=lead, address=receiver.address)


def deliver() -> None:
    """Do what a tick wakes a worker for."""
    for row in recover(WebhookDelivery.objects.all()):
        kinds.BY_NAME["webhook"].work(row.pk)


def pass_seconds(seconds: float) -> None:
    earlier = timedelta(seconds=seconds)
    for row in WebhookDelivery.objects.all():
        WebhookDelivery.objects.filter(pk=row.pk).update(
            created_at=row.created_at - earlier,
            queued_at=row.queued_at - earlier,
            woken_at=row.woken_at and row.woken_at - earlier,
        )


def test_what_is_sent_is_signed_with_its_time(
    project: Project, secret: str, receiver: WebhookReceiver
) -> None:
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    assert receiver.message()["type"] == "version.published"
    assert receiver.message()["data"] == {"project": "colours", "version": 4}
    row = WebhookDelivery.objects.get()
    assert (row.state, row.status, row.tries) == ("succeeded", 204, 1)
    assert secret not in Webhook.objects.get().sealed_secret


def test_alarms_and_publications_are_told_of(
    project: Project, lead: User, secret: str, receiver: WebhookReceiver, tmp_path: Path, settings: Any
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    alarms.raise_alarm(make_window(project))
    alarms.take_as_usual(alarm=project.drift_alarms.get(), by=lead)
    version = add_version(project, tmp_path, number=7, stage="candidate")
    publication.publish(version=version, by=lead)
    publication.publish(version=version, by=lead)  # it serves already: no news
    deliver()
    told = [receiver.message(number)["type"] for number in range(len(receiver.got))]
    assert sorted(told) == ["drift.alarm_closed", "drift.alarm_opened", "version.published"]


def test_what_is_not_taken_is_tried_again_after_growing_pauses(
    project: Project, secret: str, receiver: WebhookReceiver
) -> None:
    receiver.status = 500
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    pass_seconds(29)
    deliver()
    assert len(receiver.got) == 1
    pass_seconds(10)
    deliver()
    assert len(receiver.got) == 2
    pass_seconds(50)  # it has waited for a minute and a half by now, and waits for as long again
    deliver()
    assert len(receiver.got) == 3
    pass_seconds(50)
    deliver()
    assert len(receiver.got) == 3
    row = WebhookDelivery.objects.get()
    assert (row.state, row.tries, row.error) == ("queued", 3, "It answered 500.")
    receiver.status = 200
    pass_seconds(3600)
    deliver()
    assert WebhookDelivery.objects.get().state == "succeeded"


def test_an_address_that_never_answers_costs_one_trial_for_all_that_waits(
    project: Project,
    secret: str,
    receiver: WebhookReceiver,
    multi_project: Project,
    lead: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.3)
    receiver.drips = True
    for number in range(100):
        outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=number)
    other = WebhookReceiver()
    subscriptions.add(project=multi_project, by=lead, address=other.address)
    outbox.announce(multi_project, WebhookEvent.VERSION_PUBLISHED, version=1)
    deliver()
    other.close()
    assert (len(receiver.got), len(other.got)) == (1, 1)
    waiting = WebhookDelivery.objects.filter(state="queued", webhook__project=project)
    assert set(waiting.values_list("error", flat=True)) == {"It did not answer within 0 seconds."}
    assert waiting.count() == 100


def test_after_a_day_it_is_switched_off_and_a_lead_is_told(
    project: Project,
    lead: User,
    secret: str,
    receiver: WebhookReceiver,
    sign_in: Callable[[User], Client],
    settings: Any,
    mailoutbox: list[Any],
) -> None:
    settings.EMAIL_HOST, settings.SITE_URL = "mail.example", "https://winnow.example"
    User.objects.filter(pk=lead.pk).update(email="lena@example.org")
    receiver.status = 503
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=5)
    pass_seconds(24 * 3600 + 1)
    deliver()
    webhook = Webhook.objects.get()
    assert webhook.off_at is not None
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"failed"}
    assert Event.objects.get(kind=EventKind.WEBHOOK_OFF).subject == "127.0.0.1"
    mails.run(Mail.objects.get().pk)
    assert [letter.to for letter in mailoutbox] == [["lena@example.org"]]
    assert "https://winnow.example/projects/colours/webhooks/" in mailoutbox[0].body
    assert [step.key for step in todo.steps(project, published=None, is_lead=True)] == ["silenced-webhook"]
    shown = sign_in(lead).get(reverse("webhooks", args=[project.slug])).content.decode()
    assert "as it took nothing for long. It answered 503." in " ".join(shown.replace("</p>", "").split())
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=6)
    assert WebhookDelivery.objects.count() == 2
    subscriptions.switch_on(webhook=webhook, by=lead)
    assert todo.steps(project, published=None, is_lead=True) == []


def test_a_receiver_that_is_gone_for_good_is_not_tried_again(
    project: Project, secret: str, receiver: WebhookReceiver
) -> None:
    receiver.status = 410
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    assert Webhook.objects.get().off_why == "It answered 410."


def test_a_redirect_is_not_followed(project: Project, secret: str, receiver: WebhookReceiver) -> None:
    target = WebhookReceiver()
    receiver.status, receiver.headers = 302, {"Location": target.address}
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    target.close()
    assert target.got == []
    assert WebhookDelivery.objects.get().error == "It answered 302; redirects are not followed."


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str, project: Project, lead: User) -> None:
    assert not public_addresses.may_be_sent_to(address)
    written = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused, match="not an address of the public internet"):
        subscriptions.add(project=project, by=lead, address=f"https://{written}/hook")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_a_public_address_may_be_sent_to(address: str) -> None:
    assert public_addresses.may_be_sent_to(address)


@pytest.mark.parametrize("address", ["http://93.184.215.14/", "https://me:word@93.184.215.14/", "https:///x"])
def test_an_address_that_others_could_read_is_refused(address: str, project: Project, lead: User) -> None:
    with pytest.raises(Refused):
        subscriptions.add(project=project, by=lead, address=address)
    assert not Webhook.objects.exists()


def test_a_name_that_leads_inside_later_is_refused_when_it_is_sent(
    project: Project, secret: str, receiver: WebhookReceiver, settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = []
    Webhook.objects.update(address=receiver.address.replace("127.0.0.1", "localhost"))
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    assert receiver.got == []
    assert "“localhost” is not an address of the public internet" in WebhookDelivery.objects.get().error


def test_a_name_with_one_address_inside_is_refused_whole_and_asked_once(
    receiver: WebhookReceiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may answer otherwise each time, so that the connection goes to what was looked at."""
    asked, real = [], socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        if host != "rebinding.example":
            return real(host, port, *rest, **more)
        asked.append(host)
        found = ["127.0.0.1"] if len(asked) == 1 else ["10.9.9.9"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    key = {"secret": "whsec_AAAA", "key": "msg_1", "at": 1, "body": b"{}"}
    monkeypatch.setattr(public_addresses.socket, "getaddrinfo", resolve)
    result = sending.send(receiver.address.replace("127.0.0.1", "rebinding.example"), **key)  # type: ignore[arg-type]
    assert (result.status, len(asked)) == (204, 1)
    settings.WEBHOOK_NETWORKS = []
    assert "not an address of the public internet" in sending.send("https://rebinding.example/", **key).why  # type: ignore[arg-type]


def test_nobody_there_is_told_in_words(project: Project, secret: str, receiver: WebhookReceiver) -> None:
    receiver.close()
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    row = WebhookDelivery.objects.get()
    assert row.error.startswith("It could not be reached: ")
    assert (row.state, row.status) == ("queued", None)


def test_a_lead_adds_one_sees_its_secret_once_and_tries_it_out(
    project: Project,
    lead: User,
    receiver: WebhookReceiver,
    sign_in: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    monkeypatch.setattr(tasks, "send", lambda kind, pk: kind.work(pk))
    client, page = sign_in(lead), reverse("webhooks", args=[project.slug])
    shown = client.post(page, {"address": receiver.address}, follow=True).content.decode()
    assert "whsec_" in shown
    assert "whsec_" not in client.get(page).content.decode()
    webhook = Webhook.objects.get()
    receiver.status = 500
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("webhook-try", args=[project.slug, webhook.pk]))
    shown = client.get(page).content.decode()
    assert "It answered 500." in shown
    assert WebhookDelivery.objects.get().state == "failed"  # a test is tried once
    assert webhook.off_at is None
    client.post(reverse("webhook-remove", args=[project.slug, webhook.pk]))
    assert not Webhook.objects.exists()


def test_a_project_has_a_handful_of_them(
    project: Project, lead: User, secret: str, receiver: WebhookReceiver
) -> None:
    for _number in range(4):
        subscriptions.add(project=project, by=lead, address=receiver.address)
    with pytest.raises(Refused, match="at most 5 webhooks"):
        subscriptions.add(project=project, by=lead, address=receiver.address)


def test_messages_that_are_over_go_after_a_month(
    project: Project, secret: str, receiver: WebhookReceiver
) -> None:
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=4)
    deliver()
    outbox.announce(project, WebhookEvent.VERSION_PUBLISHED, version=5)
    assert rows.webhook_messages(0) == 0
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=32))
    assert rows.webhook_messages(0) == 1  # and not what still waits


def test_an_alarm_that_ends_by_itself_is_told_of(
    project: Project, secret: str, receiver: WebhookReceiver
) -> None:
    alarm = make_alarm(project)
    alarms._end(alarm, by=None)
    assert WebhookDelivery.objects.get().kind == WebhookEvent.ALARM_CLOSED
