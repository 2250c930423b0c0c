"""The two drivers of operations: `Store` for threads, `AsyncStore` for asyncio. Neither hangs when Redis is frozen.

store = AsyncStore(StoreSettings.from_environment())
record = await store.run(jobs.read(job_id))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from initshape.store.channel import Channel
from initshape.store.connection import connect, connect_async
from initshape.store.errors import StoreUnavailableError, translate
from initshape.store.operation import Command, Operation, Round, Script, source, wire
from initshape.store.settings import StoreSettings

T = TypeVar("T")
Clock = Callable[[], int]
"""Milliseconds since the epoch; for tests."""

ROUND_COMMANDS: Final = 1000
"""A longer round is sent in pieces of so many commands, so that other clients are served in between."""


class _Driver:
    """What both drivers share: pieces of a round, missing scripts, errors."""

    def __init__(self, settings: StoreSettings, clock: Clock | None) -> None:
        self.settings = settings
        self._clock = clock

    def _time(self) -> str:
        return "" if self._clock is None else str(self._clock())

    @staticmethod
    def _pieces(commands: Round) -> list[Round]:
        return [commands[k : k + ROUND_COMMANDS] for k in range(0, len(commands), ROUND_COMMANDS)]

    @staticmethod
    def _unknown(commands: Round, replies: list[Any]) -> list[int]:
        """Positions of calls that did not run because the server does not know their script (it restarted)."""
        return [k for k, reply in enumerate(replies) if isinstance(reply, NoScriptError)]

    @staticmethod
    def _checked(replies: list[Any]) -> list[Any]:
        for reply in replies:
            if isinstance(reply, Exception):
                raise translate(reply) from reply
        return replies


def _script_names(commands: list[Command]) -> set[str]:
    return {command.name for command in commands if isinstance(command, Script)}


class Store(_Driver):
    """Runs operations from threads. Safe to share between threads."""

    def __init__(self, settings: StoreSettings, clock: Clock | None = None) -> None:
        super().__init__(settings, clock)
        self.client: redis.Redis = connect(settings)

    def run(self, operation: Operation[T]) -> T:
        """Errors: StoreUnavailableError within command_seconds a round, StoreFullError."""
        try:
            commands = next(operation)
            while True:
                commands = operation.send(self._replies(commands))
        except StopIteration as end:
            answer: T = end.value
            return answer

    def close(self) -> None:
        """Closes all connections."""
        self.client.close()

    def _replies(self, commands: Round) -> list[Any]:
        return [reply for piece in self._pieces(commands) for reply in self._piece(piece)]

    def _piece(self, commands: Round) -> list[Any]:
        try:
            replies = self._send(commands)
            if unknown := self._unknown(commands, replies):
                again = [commands[k] for k in unknown]
                for name in _script_names(again):
                    self.client.script_load(source(name))
                for k, reply in zip(unknown, self._send(again), strict=True):
                    replies[k] = reply
        except (RedisError, OSError) as error:
            raise translate(error) from error
        return self._checked(replies)

    def _send(self, commands: Round) -> list[Any]:
        with self.client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*wire(command, self._time()))  # type: ignore[no-untyped-call]
            replies: list[Any] = pipeline.execute(raise_on_error=False)
        return replies


class AsyncStore(_Driver):
    """Runs operations in one event loop."""

    def __init__(self, settings: StoreSettings, clock: Clock | None = None) -> None:
        super().__init__(settings, clock)
        self.client: redis.asyncio.Redis = connect_async(settings)
        self._channel = Channel(settings) if Channel.reaches(settings) else None
        self._callbacks = self.client.response_callbacks
        self._rounds: set[asyncio.Task[list[Any]]] = set()
        self.rounds = 0

    async def run(self, operation: Operation[T]) -> T:
        """Errors: StoreUnavailableError within command_seconds a round, StoreFullError."""
        try:
            commands = next(operation)
            while True:
                commands = operation.send(await self._replies(commands))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._rounds:
            await asyncio.wait(self._rounds, timeout=self.settings.command_seconds)
        if self._channel is not None:
            self._channel.close()
        await self.client.aclose()

    async def _replies(self, commands: Round) -> list[Any]:
        """One round trip for every ROUND_COMMANDS commands; `rounds` counts them."""
        take = self._piece if self._channel is not None else self._in_time
        if len(commands) <= ROUND_COMMANDS:
            self.rounds += 1
            return await take(commands)
        replies: list[Any] = []
        for piece in self._pieces(commands):
            self.rounds += 1
            replies += await take(piece)
        return replies

    async def _in_time(self, commands: Round) -> list[Any]:
        """A task of its own, left behind when it is late: redis-py can swallow a cancellation and then wait again."""
        task = asyncio.create_task(self._piece(commands))
        self._rounds.add(task)
        task.add_done_callback(self._forget)
        try:
            done, _ = await asyncio.wait({task}, timeout=self.settings.command_seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            raise StoreUnavailableError(f"Redis does not answer within {self.settings.command_seconds:g} s.")
        return task.result()

    def _forget(self, task: asyncio.Task[list[Any]]) -> None:
        self._rounds.discard(task)
        if not task.cancelled():
            task.exception()  # seen, whether or not anybody still waits for it

    async def _piece(self, commands: Round) -> list[Any]:
        try:
            replies = await self._send(commands)
            if unknown := self._unknown(commands, replies):
                again = [commands[k] for k in unknown]
                self._checked(await self._send([("SCRIPT", "LOAD", source(name)) for name in _script_names(again)]))
                for k, reply in zip(unknown, await self._send(again), strict=True):
                    replies[k] = reply
        except (RedisError, OSError) as error:
            raise translate(error) from error
        return self._checked(replies)

    async def _send(self, commands: Round) -> list[Any]:
        if self._channel is None:
            return await self._send_by_pool(commands)
        clock = self._time()
        replies = await self._channel.send([wire(command, clock) for command in commands])
        return [self._shaped(command, reply) for command, reply in zip(commands, replies, strict=True)]

    def _shaped(self, command: Command, reply: Any) -> Any:
        """The reply in redis-py's form, as the driver for threads gives it: HGETALL as a dictionary, and so on."""
        if isinstance(command, Script) or isinstance(reply, Exception):
            return reply
        shape = self._callbacks.get(str(command[0]))
        return reply if shape is None else shape(reply)

    async def _send_by_pool(self, commands: Round) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*wire(command, self._time()))
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies
