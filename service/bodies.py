"""Request bodies: read with a limit, by content type, and validated without holding up the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import Request

from initshape.spec.parse import parse_json, parse_yaml
from initshape.spec.problem import ProblemError
from service.errors import TooLargeError, UnsupportedMediaError
from service.services import Services

T = TypeVar("T")

SMALL = 4096
"""Bytes of a document that is validated in well under a millisecond, quicker than a thread is found."""
LINES = ("application/jsonl", "application/x-ndjson")
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


async def read_document(
    request: Request, services: Services, read: Callable[[Any, int], T], *, light: bool = True
) -> T:
    """The body, decoded by its content type and passed through `read` (decoded document, bytes -> answer).

    A small JSON document for a `light` read is done with at once, everything else in a thread.
    Errors: 400 not parsable, 413 too large (before all of it is read), 415 content type, and what `read` raises.
    """
    body, yaml = await _read(request, services)
    work = partial(_decode_and_read, body, yaml, read)
    return work() if light and not yaml and len(body) <= SMALL else await services.in_thread(work)


def _decode_and_read(body: bytes, yaml: bool, read: Callable[[Any, int], T]) -> T:
    return read(parse_yaml(body) if yaml else parse_json(body), len(body))


async def _read(request: Request, services: Services) -> tuple[bytes, bool]:
    """The body, and whether it is YAML."""
    yaml = _is_yaml(request)
    return await _read_within(request, services.settings.max_yaml if yaml else services.settings.max_body), yaml


async def _read_within(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise TooLargeError(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_lines(request: Request, limit: int) -> list[bytes]:
    """The lines of a body of JSON lines. Errors: 413 too large (before all of it is read), 415 content type."""
    media, given = _media(request)
    if media not in LINES:
        hint = "one document a line, each with its newline; one document alone goes to /v1/experiments"
        raise _unsupported("/header/content-type", given, ", ".join(LINES), hint)
    return (await _read_within(request, limit)).split(b"\n")


def _is_yaml(request: Request) -> bool:
    """Whether the body is YAML; a missing content type means JSON."""
    media, given = _media(request)
    if media in ("", "application/json") or (media.startswith("application/") and media.endswith("+json")):
        return False
    if media in _YAML:
        return True
    hint = "name the type of the body"
    if media == "application/x-www-form-urlencoded":
        hint = "with curl, add: -H 'Content-Type: application/json'"
    raise _unsupported("/header/content-type", given, "application/json, application/yaml", hint)


def _media(request: Request) -> tuple[str, str]:
    """The content type without its parameters, and as it was given. Errors: 415 for what is not plain UTF-8."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise _unsupported("/header/content-encoding", encoding, "identity", "send the body uncompressed")
    given = request.headers.get("content-type", "")
    media, *parameters = (part.strip().lower() for part in given.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise _unsupported("/header/content-type", given, "charset=utf-8", "send the document as UTF-8")
    return media, given


def _unsupported(pointer: str, value: str, allowed: str, hint: str) -> UnsupportedMediaError:
    problem = ProblemError(pointer=pointer, value=value[:200], allowed=allowed, hint=hint)
    return UnsupportedMediaError(f"The body is sent as {value[:200]!r}.", errors=(problem,))
