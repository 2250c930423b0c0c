"""Requests as httpx2 takes them, and its answers and exceptions as what a client makes of them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import httpx2
from pydantic import ValidationError

from initshape.client.call import SECONDS, Listen, Request
from initshape.client.errors import ClientError, UnreachableError, api_error
from initshape.client.patience import Failure, retry_after
from initshape.spec.problem import Problem

_SILENCE = 40.0
"""Seconds without a byte after which a stream of events is taken for dead: the server sends something every 15."""
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def connection(url: str, token: str | None) -> dict[str, Any]:
    """Settings of a client. Proxies of the environment are for other hosts: a local server is never behind one."""
    headers = {"User-Agent": f"initshape/{version('initshape')}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    local = httpx2.URL(url).host in ("127.0.0.1", "localhost", "::1")
    return {"base_url": url, "headers": headers, "trust_env": not local}


def arguments(request: Request) -> dict[str, Any]:
    """A request."""
    body, media = request.content or (None, None)
    headers = {**(request.headers or {}), **({"Content-Type": media} if media else {})}
    return {"method": request.method, "url": request.path, "params": request.params, "json": request.json,
            "content": body, "headers": headers, "timeout": request.seconds}  # fmt: skip


def stream(step: Listen) -> dict[str, Any]:
    """A request for a stream of events."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": step.last} if step.last else {})}
    return {"method": "GET", "url": step.path, "params": {"seconds": round(step.seconds, 3)}, "headers": headers,
            "timeout": httpx2.Timeout(SECONDS, read=_SILENCE)}  # fmt: skip


def unreached(url: str, error: httpx2.TransportError) -> Failure:
    """Nobody answered."""
    told = UnreachableError(f"{url} does not answer: {error or type(error).__name__}.")
    return Failure(told, untouched=isinstance(error, _UNSENT))


def broken(url: str, error: httpx2.TransportError) -> UnreachableError:
    """A stream ended before its end."""
    return UnreachableError(f"{url} broke the stream off: {error or type(error).__name__}.")


def refused(response: httpx2.Response) -> Failure:
    """The server said no. A 429 says so before anything is done; a 503 may come of a store that died half-way."""
    status = response.status_code
    return Failure(api_error(_problem(response)), status, untouched=status == 429, wanted=retry_after(response.headers))


def brings_events(url: str, response: httpx2.Response) -> bool:
    """Whether events follow; False where all is told already. Errors: ApiError, ClientError."""
    if response.status_code == httpx2.codes.NO_CONTENT:
        return False
    if not response.is_success:
        raise api_error(_problem(response))
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
        raise ClientError(f"{url} sends no events.")
    return True


def _problem(response: httpx2.Response) -> Problem:
    """Problem details, also of answers that some proxy in between made up."""
    try:
        return Problem.model_validate(response.json())
    except (ValueError, ValidationError):
        title = response.reason_phrase or "Error"
        return Problem(title=title, status=response.status_code, detail=f"{title}: the answer is not problem details.")
