"""The drivers of calls, one for threads and one for asyncio: the token, patience, problem details as exceptions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from typing import Any, TypeVar

import httpx2

from initshape.client import wire
from initshape.client.call import Answer, Call, Dialogue, Listen, Next, Request, Tell
from initshape.client.errors import ClientError
from initshape.client.patience import Patience
from initshape.client.sse import Event, Reader

T = TypeVar("T")


class Http:
    """A connection to one server. `transport` replaces the network, for tests in one process."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        patience: float,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._patience, self._sleep = url, patience, sleep
        self._client = httpx2.Client(transport=transport, **wire.connection(url, token))

    def run(self, call: Call[T]) -> T:
        """The answer of a call. Errors: UnreachableError, ApiError, and what the call itself raises."""
        dialogue = Dialogue(call)
        for _ in self._told(dialogue):
            pass
        return dialogue.value

    def told(self, call: Call[None]) -> Iterator[Any]:
        """What a call tells on its way."""
        return self._told(Dialogue(call))

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """One request outside of any call."""
        return self._send(Request(method, path, **options))

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"Http({self._url!r})"

    def _told(self, dialogue: Dialogue[Any]) -> Generator[Any]:
        with ExitStack() as streams:
            events: Iterator[Event] = iter(())
            while (step := dialogue.step) is not None:
                found: Answer | Event | None = None
                try:
                    if isinstance(step, Request):
                        found = self._send(step)
                    elif isinstance(step, Next):
                        found = next(events, None)
                    elif isinstance(step, Listen):
                        streams.close()
                        events = streams.enter_context(closing(self._events(step)))
                except ClientError as error:
                    dialogue.fail(error)
                    continue
                if isinstance(step, Tell):
                    yield step.value
                dialogue.answer(found)

    def _send(self, request: Request) -> Answer:
        patience = Patience.of(request, self._patience)
        while True:
            try:
                response = self._client.request(**wire.arguments(request))
            except httpx2.TransportError as error:
                failure = wire.unreached(self._url, error)
            else:
                if response.is_success:
                    return Answer(response.content)
                failure = wire.refused(response)
            self._sleep(patience.pause(failure))

    def _events(self, step: Listen) -> Generator[Event]:
        """One connection. Errors: UnreachableError where it breaks, ApiError, ClientError where there are no events."""
        reader = Reader()
        try:
            with self._client.stream(**wire.stream(step)) as response:
                if not response.is_success:
                    response.read()
                if not wire.brings_events(self._url, response):
                    return
                for chunk in response.iter_bytes():
                    yield from reader.read(chunk)
        except httpx2.TransportError as error:
            raise wire.broken(self._url, error) from None


class AsyncHttp:
    """The same for asyncio."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        patience: float,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, self._patience, self._sleep = url, patience, sleep
        self._client = httpx2.AsyncClient(transport=transport, **wire.connection(url, token))

    async def run(self, call: Call[T]) -> T:
        """The answer of a call."""
        dialogue = Dialogue(call)
        async with aclosing(self._told(dialogue)) as told:
            async for _ in told:
                pass
        return dialogue.value

    def told(self, call: Call[None]) -> AsyncIterator[Any]:
        """What a call tells on its way."""
        return self._told(Dialogue(call))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def __repr__(self) -> str:
        return f"AsyncHttp({self._url!r})"

    async def _told(self, dialogue: Dialogue[Any]) -> AsyncGenerator[Any]:
        async with AsyncExitStack() as streams:
            events: AsyncIterator[Event] = _nothing()
            while (step := dialogue.step) is not None:
                found: Answer | Event | None = None
                try:
                    if isinstance(step, Request):
                        found = await self._send(step)
                    elif isinstance(step, Next):
                        found = await anext(events, None)
                    elif isinstance(step, Listen):
                        await streams.aclose()
                        events = await streams.enter_async_context(aclosing(self._events(step)))
                except ClientError as error:
                    dialogue.fail(error)
                    continue
                if isinstance(step, Tell):
                    yield step.value
                dialogue.answer(found)

    async def _send(self, request: Request) -> Answer:
        patience = Patience.of(request, self._patience)
        while True:
            try:
                response = await self._client.request(**wire.arguments(request))
            except httpx2.TransportError as error:
                failure = wire.unreached(self._url, error)
            else:
                if response.is_success:
                    return Answer(response.content)
                failure = wire.refused(response)
            await self._sleep(patience.pause(failure))

    async def _events(self, step: Listen) -> AsyncGenerator[Event]:
        reader = Reader()
        try:
            async with self._client.stream(**wire.stream(step)) as response:
                if not response.is_success:
                    await response.aread()
                if not wire.brings_events(self._url, response):
                    return
                async for chunk in response.aiter_bytes():
                    for event in reader.read(chunk):
                        yield event
        except httpx2.TransportError as error:
            raise wire.broken(self._url, error) from None


async def _nothing() -> AsyncGenerator[Event]:
    return
    yield
