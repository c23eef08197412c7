"""A worker goes on taking up messages where Redis could not be told that one is done with."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection, Consumer, Queue
from kombu.message import Message

from annotate import environment
from annotate.embedded import programs

QUEUE = Queue("things")
logger = logging.getLogger(__name__)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(programs.broker(tmp_path).command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while not _listens(environment.embedded_socket(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process
        process.send_signal(signal.SIGCONT)
        process.terminate()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def connection(broker: subprocess.Popen[bytes], tmp_path: Path) -> Iterator[Connection]:
    url = environment.celery_broker_url(f"unix://{environment.embedded_socket(tmp_path)}")
    options = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    with Connection(url, transport_options=options) as connection:
        yield connection


@pytest.fixture
def received(connection: Connection) -> Iterator[list[Message]]:
    """The messages that came; at most one at a time, as for a worker with one child."""
    found: list[Message] = []
    with Consumer(connection, [QUEUE], on_message=found.append, prefetch_count=1):
        yield found


def send(connection: Connection, body: str) -> None:
    connection.Producer().publish(body, routing_key=QUEUE.name, retry=False)


def test_a_message_whose_end_could_not_be_told_holds_up_no_other(
    broker: subprocess.Popen[bytes],
    connection: Connection,
    received: list[Message],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for end in (Message.ack_log_error, Message.reject_log_error):
        send(connection, "one")
        connection.drain_events(timeout=5)
        os.kill(broker.pid, signal.SIGSTOP)
        end(received.pop(), logger, connection.connection_errors)
        os.kill(broker.pid, signal.SIGCONT)
        send(connection, "another")
        connection.drain_events(timeout=5)
        assert [message.payload for message in received] == ["another"]
        received.pop().ack()
        assert "could not be told" in caplog.text
        caplog.clear()


def test_a_message_is_over_for_redis_and_the_worker_where_both_hear_of_it(
    connection: Connection, received: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    send(connection, "one")
    connection.drain_events(timeout=5)
    channel = received[0].channel
    assert channel.client.hlen(channel.unacked_key) == 1
    received[0].ack()
    assert channel.client.hlen(channel.unacked_key) == 0
    assert "could not be told" not in caplog.text


def test_a_connection_that_broke_in_the_middle_of_work_ends_no_worker(
    connection: Connection, received: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    """Celery collects a broken connection, which in the middle of a poll leaves this, and then closes it."""
    send(connection, "one")
    connection.drain_events(timeout=5)
    channel, transport = received[0].channel, connection.transport
    channel._disconnect_pools()
    transport.client, client = None, transport.client
    channel.qos.restore_unacked_once()
    assert "could not be given back" in caplog.text
    transport.client = client
