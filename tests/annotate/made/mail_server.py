"""A mail server of the tests' own: it speaks as much SMTP as smtplib asks for, and keeps what it got."""

from __future__ import annotations

import email
import email.policy
import re
import socketserver
from email.message import EmailMessage
from threading import Thread


class _Conversation(socketserver.StreamRequestHandler):
    server: MailSink

    def handle(self) -> None:
        self._say(b"220 tests")
        for line in self.rfile:
            word = line[:4].upper().strip()
            if word == b"DATA":
                self._say(b"354 go on")
                self.server.letters.append(self._letter())
                self._say(self.server.answers.get("DATA", b"250 taken"))
            elif word == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(self.server.answers.get(word.decode(), b"250 well"))

    def _letter(self) -> EmailMessage:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        read = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        return read

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class MailSink(socketserver.ThreadingTCPServer):
    """Listens on a port of its own; `answers` are what it says to a command in place of “well”."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.letters: list[EmailMessage] = []
        self.answers: dict[str, bytes] = {}
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def text(self, number: int = -1) -> str:
        body = self.letters[number].get_body()
        assert body is not None
        return str(body.get_content())

    def paths(self, number: int = -1) -> list[str]:
        """Return where the links of a letter lead, without the site's address."""
        return re.findall(r"https://label\.example\.org(/\S+)", self.text(number))
