"""One connection on which all rounds of an event loop follow each other, without waiting for each other's replies.

redis-py takes a connection from a pool and a task for every round, several times what Redis itself takes for a small
one. Here a round is one write and one future; what is written in one turn of the loop leaves in one packet.
Framing and parsing are hiredis's, the form of the replies is redis-py's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from initshape.store.settings import StoreSettings

MOST_WAITING: Final = 4096
"""Rounds without a reply; more are refused at once, so that a frozen server does not fill the memory."""

Replies = list[Any]


def reply_error(text: str) -> Exception:
    """An error that the server answers, as redis-py would raise it; the text keeps its first word."""
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ResponseError(text)


class Channel:
    """Connects at the first round, and again at the next one after it was lost. For redis:// and unix://."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._address: dict[str, Any] = parse_url(settings.url)  # type: ignore[no-untyped-call]
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()

    @staticmethod
    def reaches(settings: StoreSettings) -> bool:
        """Whether the address is one that it can connect to; encrypted connections are left to redis-py."""
        return not settings.url.startswith("rediss:")

    async def send(self, commands: Sequence[tuple[Any, ...]]) -> Replies:
        """The replies; an error of one command is among them. Sent once more where the connection was found broken.

        Errors: redis-py's ConnectionError, TimeoutError after command_seconds, connecting included.
        """
        if not commands:
            return []  # nothing is sent, so nothing would ever be answered
        packed = b"".join(map(hiredis.pack_command, commands))
        end = asyncio.get_running_loop().time() + self._settings.command_seconds
        line = self._line
        if line is not None and line.open:
            try:
                return await line.round(packed, len(commands), end)
            except RedisConnectionError:
                pass  # the server was restarted, or cut a connection that was idle
        try:
            async with asyncio.timeout_at(end):
                line = await self._connected(end)
                return await line.round(packed, len(commands), end)
        except TimeoutError as error:
            raise RedisTimeoutError("no connection in time") from error

    def close(self) -> None:
        """Drops the connection; who waits for a reply gets a ConnectionError."""
        if self._line is not None:
            self._line.close()

    async def _connected(self, end: float) -> _Line:
        async with self._connecting:
            if self._line is None or not self._line.open:
                self._line = await self._connect(end)
            return self._line

    async def _connect(self, end: float) -> _Line:
        loop, at = asyncio.get_running_loop(), self._address
        try:
            if "path" in at:
                _, line = await loop.create_unix_connection(_Line, at["path"])
            else:
                _, line = await loop.create_connection(_Line, at.get("host", "localhost"), at.get("port", 6379))
        except OSError as error:
            raise RedisConnectionError(str(error)) from error
        greeting = self._greeting()
        if greeting:
            packed = b"".join(map(hiredis.pack_command, greeting))
            try:
                for reply in await line.round(packed, len(greeting), end):
                    if isinstance(reply, Exception):
                        raise reply
            except BaseException:
                line.close()
                raise
        return line

    def _greeting(self) -> list[tuple[Any, ...]]:
        at, own = self._address, self._settings.password
        password = own if own is not None else at.get("password")
        commands: list[tuple[Any, ...]] = []
        if password is not None:
            commands.append(("AUTH", at["username"], password) if at.get("username") else ("AUTH", password))
        if at.get("db"):
            commands.append(("SELECT", str(at["db"])))
        return commands


class _Line(asyncio.Protocol):
    """An open connection: replies go to the rounds in the order in which these were sent."""

    def __init__(self) -> None:
        self.open = False
        self._reader = hiredis.Reader(protocolError=RedisConnectionError, replyError=reply_error)
        self._waiting: deque[tuple[asyncio.Future[Replies], int]] = deque()
        self._replies: Replies = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(RedisConnectionError("the connection was lost"))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while self._waiting:
                reply = self._reader.gets()
                if reply is False:
                    return
                self._replies.append(reply)
                future, count = self._waiting[0]
                if len(self._replies) == count:
                    self._waiting.popleft()
                    replies, self._replies = self._replies, []
                    if not future.done():
                        future.set_result(replies)
        except RedisConnectionError:
            self._transport.abort()

    async def round(self, packed: bytes, count: int, end: float) -> Replies:
        """Writes commands and waits for their replies until `end`, in the loop's time."""
        if not self.open:
            raise RedisConnectionError("the connection was lost")
        if len(self._waiting) >= MOST_WAITING:
            raise RedisTimeoutError("too many rounds wait for replies")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Replies] = loop.create_future()
        late = loop.call_at(end, self._expire, future)
        self._waiting.append((future, count))
        self._transport.write(packed)
        try:
            return await future
        finally:
            late.cancel()

    def close(self) -> None:
        self._transport.abort()

    def _expire(self, future: asyncio.Future[Replies]) -> None:
        """A server that is late is frozen: a second wait would double the first, so nobody behind waits either."""
        if future.done():
            return
        self.open = False
        waiting, self._waiting = self._waiting, deque()
        for each, _ in waiting:
            if not each.done():
                each.set_exception(RedisTimeoutError("no reply in time"))
        self._transport.abort()
