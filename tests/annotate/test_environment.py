"""What the addresses in the environment mean, and the sentence that refuses another one."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from annotate.environment import MailServer, mail_server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", MailServer()),
        ("smtp://localhost", MailServer("localhost", 25)),
        ("smtps://mail.example.org", MailServer("mail.example.org", 465, is_tls=True)),
        (
            "smtp+starttls://ada%40example.org:p%2Fw@mail.example.org:2587",
            MailServer("mail.example.org", 2587, "ada@example.org", "p/w", starts_tls=True),
        ),
    ],
)
def test_a_mail_server_is_read_from_its_address(url: str, expected: MailServer) -> None:
    assert mail_server(url) == expected


@pytest.mark.parametrize("url", ["mail.example.org", "imap://host", "smtp://", "smtp://host:70000"])
def test_another_address_of_a_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        mail_server(url)
