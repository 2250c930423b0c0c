"""One request to the server: the token, patience with an unavailable server, and problem details as exceptions.

Every request of this client is safe to repeat: reads are, and submissions are identified by their content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import httpx2
from pydantic import ValidationError

from initshape.client.errors import ClientError, UnreachableError, api_error
from initshape.client.sse import Event, parse
from initshape.spec.problem import Problem

_BUSY = (429, 503)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_SECONDS = 30.0
_SILENCE = 40.0
"""Seconds without a byte after which a stream of events is taken for dead: the server sends something every 15."""


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
        headers = {"User-Agent": f"initshape/{version('initshape')}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._url = url
        self._patience = patience
        self._sleep = sleep
        # Proxies of the environment are for other hosts: a local server is never behind one.
        local = httpx2.URL(url).host in ("127.0.0.1", "localhost", "::1")
        self._client = httpx2.Client(base_url=url, headers=headers, transport=transport, trust_env=not local)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: tuple[bytes, str] | None = None,
        seconds: float = _SECONDS,
        patience: float | None = None,
    ) -> httpx2.Response:
        """The answer (2xx). `content` is a body and its media type. Errors: UnreachableError, ApiError."""
        end = time.monotonic() + (self._patience if patience is None else patience)
        pause = _FIRST_PAUSE
        while True:
            failure: Exception
            try:
                response = self._client.request(
                    method, path, params=params, json=json, timeout=seconds,
                    content=content and content[0], headers=content and {"Content-Type": content[1]},
                )  # fmt: skip
            except httpx2.TransportError as error:
                failure = UnreachableError(f"{self._url} does not answer: {error or type(error).__name__}.")
                wanted = pause
            else:
                if response.is_success:
                    return response
                failure = api_error(_problem(response))
                if response.status_code not in _BUSY:
                    raise failure
                wanted = _retry_after(response) or pause
            if time.monotonic() + wanted > end:
                raise failure
            self._sleep(wanted)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def events(self, path: str, *, last: str | None, seconds: float) -> Iterator[Event]:
        """The events of one connection of at most so many seconds, after the one with the id `last`.

        Errors: UnreachableError where it breaks, ApiError, ClientError where the other end sends no events.
        """
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        timeout = httpx2.Timeout(_SECONDS, read=_SILENCE)
        params = {"seconds": round(seconds, 3)}
        try:
            with self._client.stream("GET", path, params=params, headers=headers, timeout=timeout) as response:
                if response.status_code == httpx2.codes.NO_CONTENT:
                    return
                if not response.is_success:
                    response.read()
                    raise api_error(_problem(response))
                if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    raise ClientError(f"{self._url} sends no events.")
                yield from parse(response.iter_bytes())
        except httpx2.TransportError as error:
            raise UnreachableError(f"{self._url} broke the stream off: {error or type(error).__name__}.") from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"Http({self._url!r})"


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the server asks for; dates are not used by ours."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _problem(response: httpx2.Response) -> Problem:
    """Problem details, also of answers that some proxy in between made up."""
    try:
        return Problem.model_validate(response.json())
    except (ValueError, ValidationError):
        title = response.reason_phrase or "Error"
        return Problem(title=title, status=response.status_code, detail=f"{title}: the answer is not problem details.")
