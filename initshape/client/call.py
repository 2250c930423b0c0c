"""Calls of the server, written once for threads and for asyncio.

A call is a generator: it yields steps (a request, or a word about a stream of events), receives what they bring, and
returns its answer. `Http` and `AsyncHttp` drive it; the call itself never touches a socket. What a step cannot bring is
raised inside the call, as a ClientError.

    def status(id: str) -> Call[Job]:
        return Job(as_object((yield Request("GET", path_of(id)))))
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from initshape.client.errors import ClientError

T = TypeVar("T")
SECONDS = 30.0


@dataclass(frozen=True)
class Request:
    """One request, answered by an `Answer`. `content` is a body and its media type.

    `repeatable`: done twice it is done once. Reads are, and submissions, whose identity is their content; other
    requests are sent again only where the first one certainly did nothing. `patience` replaces the client's.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    content: tuple[bytes, str] | None = None
    headers: Mapping[str, str] | None = None
    seconds: float = SECONDS
    patience: float | None = None
    repeatable: bool = True


@dataclass(frozen=True)
class Listen:
    """Opens a stream of events of at most so many seconds, after the event with the id `last`; the old one is left."""

    path: str
    last: str | None
    seconds: float


@dataclass(frozen=True)
class Next:
    """The next event of the stream, or None at its end."""


@dataclass(frozen=True)
class Tell:
    """Something for the caller, before the call is over."""

    value: Any


@dataclass(frozen=True)
class Answer:
    """What came back of a request, with a status of 2xx."""

    content: bytes

    def json(self) -> Any:
        """The body as JSON. Errors: ClientError where it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise ClientError("The answer is not JSON: is this an initshape server?") from None


Step: TypeAlias = Request | Listen | Next | Tell
Call: TypeAlias = Generator[Step, Any, T]


class Dialogue(Generic[T]):
    """A call on its way, for a driver: `step` is what to do next, None when the call is over and `value` is there."""

    value: T

    def __init__(self, call: Call[T]) -> None:
        self._call = call
        self.step: Step | None = None
        self.answer(None)

    def answer(self, found: Any) -> None:
        """What the step brought."""
        try:
            self.step = self._call.send(found)
        except StopIteration as end:
            self.step, self.value = None, end.value

    def fail(self, error: ClientError) -> None:
        """Why it brought nothing; the call may know what else to do."""
        try:
            self.step = self._call.throw(error)
        except StopIteration as end:
            self.step, self.value = None, end.value


def as_object(answer: Answer) -> dict[str, Any]:
    """The body as an object. Errors: ClientError."""
    found = answer.json()
    if not isinstance(found, dict):
        raise ClientError("The answer is not an object: is this an initshape server?")
    return found
