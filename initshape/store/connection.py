"""Redis clients with bounded waits. redis-py's own defaults wait 5 s and retry ten times (too long for a 503).

A command is tried again once, and only where the connection was found broken (a server that restarted); never after a
time-out, when the server is frozen and a second wait would double the first. Scripts are safe to repeat.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from initshape.store.settings import StoreSettings

MAX_CONNECTIONS = 50


def _arguments(settings: StoreSettings) -> dict[str, Any]:
    seconds = settings.command_seconds
    arguments: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "max_connections": MAX_CONNECTIONS,
        "protocol": 2,
        **settings.tls_arguments,
    }
    if settings.password is not None:
        arguments["password"] = settings.password
    return arguments


def connect(settings: StoreSettings) -> redis.Redis:
    """A client for threads. Opens no connection before the first command."""
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis.Redis.from_url(settings.url, **_arguments(settings), retry=retry)


def connect_async(settings: StoreSettings) -> redis.asyncio.Redis:
    """A client for one event loop; callers above the limit wait for a free connection, no longer than for a command."""
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    arguments = {**_arguments(settings), "retry": retry, "timeout": settings.command_seconds}
    pool = redis.asyncio.BlockingConnectionPool.from_url(settings.url, **arguments)
    return redis.asyncio.Redis.from_pool(pool)


def connect_listener(settings: StoreSettings) -> redis.asyncio.Redis:
    """A client for subscriptions: its reads wait for as long as nothing happens."""
    retry = AsyncRetry(NoBackoff(), 0)
    arguments = {**_arguments(settings), "socket_timeout": None, "retry": retry, "health_check_interval": 10}
    return redis.asyncio.Redis.from_url(settings.url, **arguments)
