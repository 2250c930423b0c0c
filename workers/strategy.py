"""How a message becomes a task: Celery's own way, except that a message of the wrong form is refused like any other.

Celery ends the worker there and leaves the message in the queue, where it would end the next one as well.
"""

from __future__ import annotations

from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


def careful(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """A handler of messages for one task. Raises InvalidTaskError, which the consumer logs and drops."""
    handle = default(task, app, consumer, **options)

    def receive(message: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return handle(message, *arguments, **named)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidTaskError(f"not a message of this service: {type(error).__name__}") from error

    return receive
