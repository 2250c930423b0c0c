"""How a worker reads the broker's list: an entry that is no message is dropped and said, and the worker goes on.

kombu raises out of the event loop there, which ends the worker. Nothing is lost with an entry: it says only that there
may be work, and the reaper rings again for what waits.
"""

from __future__ import annotations

import json
import logging
from queue import Empty
from typing import Any

from kombu.transport import redis, virtual

logger = logging.getLogger(__name__)


class NoMessageError(Exception):
    """JSON, and not a message."""


class Message(virtual.Message):
    """A message whose parts have the types that Celery takes for granted."""

    def __init__(self, payload: Any, channel: Any = None, **more: Any) -> None:
        if not _is_message(payload):
            raise NoMessageError("not a message")
        try:
            super().__init__(payload, channel=channel, **more)  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise NoMessageError("its body is no base64") from error


class Channel(redis.Channel):
    """Takes the next entry out of the list."""

    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, NoMessageError) as error:
            logger.error("dropped an entry of the queue that is no message: %s", type(error).__name__)
            raise Empty from None


class Transport(redis.Transport):
    """For `broker_transport`."""

    Channel = Channel


def _is_message(payload: Any) -> bool:
    """Compressed ones are never sent, and could be small here and endless in memory."""
    if not isinstance(payload, dict):
        return False
    properties, headers = payload.get("properties"), payload.get("headers")
    return (
        isinstance(properties, dict)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), dict)
        and properties.get("body_encoding") == "base64"
        and isinstance(headers, dict)
        and "compression" not in headers
        and isinstance(payload.get("body"), str)
        and all(isinstance(payload.get(name), str) for name in ("content-type", "content-encoding"))
    )
