"""The broker's messages: one whose end cannot be told to Redis holds up no other, and ends no worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

logger = logging.getLogger(__name__)


class ReleasingQoS(redis.QoS):
    """Counts a message as done with even where Redis could not be told so.

    Kombu's own goes on counting it as one that a worker is busy with. A worker takes no more messages than it
    has children, so that after as many the worker lives and never takes anything up again; and an error that
    Celery does not expect, as a refusal to write, ends it. What Redis was not told comes back after the
    visibility timeout, and finds that its row is over.
    """

    def ack(self, delivery_tag: str) -> None:
        self._tell(partial(super().ack, delivery_tag), delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        self._tell(partial(super().reject, delivery_tag, requeue=requeue), delivery_tag)

    def _tell(self, redis_: Callable[[], None], delivery_tag: str) -> None:
        try:
            redis_()
        except Exception as error:  # whatever it is, the message is done with
            logger.warning("Redis could not be told that a message is done with: %s", error)
            virtual.QoS.ack(self, delivery_tag)

    def restore_unacked_once(self, stderr: TextIO | None = None) -> None:
        """Give back at the end of a connection what is not done with; the tick does the same for the rows.

        NB: of a connection that is already broken Kombu's own ends the worker in the middle of its work.
        """
        try:
            super().restore_unacked_once(stderr)
        except Exception as error:
            logger.warning("Messages could not be given back to Redis: %s", error)


class Channel(redis.Channel):
    QoS = ReleasingQoS


class Transport(redis.Transport):
    Channel = Channel


def use() -> None:
    """Have Celery speak to Redis by this transport, however the address is written."""
    own: dict[str, Any] = dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}")
    TRANSPORT_ALIASES.update(own)
