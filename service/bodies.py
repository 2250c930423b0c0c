"""Request bodies: read with a limit, by content type, and validated without holding up the event loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from initshape.spec.parse import parse_json, parse_yaml
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.uploaded import NOTHING, Uploads, upload_ids
from initshape.store import uploads as stored_uploads
from service.errors import TimedOutError, TooLargeError, UnsupportedMediaError
from service.services import Services

T = TypeVar("T")
Read = Callable[[Any, int, Uploads], T]
"""A decoded document, its bytes, and the uploads that it names -> answer."""

SMALL = 4096
"""Bytes of a document that is validated in well under a millisecond, quicker than a thread is found."""
_MAY_NAME_UPLOADS: Final = re.compile(rb"[di]-[a-z2-7]{26}|\\")  # an escape may hide an id
FIRST_SECONDS, BYTES_A_SECOND = 20.0, 4096
"""A body may take so long, and one second more for every so many bytes that have come: slow lines, not slow attacks."""
LINES = ("application/jsonl", "application/x-ndjson")
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


async def read_document(request: Request, services: Services, read: Read[T], *, light: bool = True) -> T:
    """The body, decoded by its content type and passed through `read`.

    A small JSON document for a `light` read is done with at once, everything else in a thread.
    Errors: 400 not parsable, 413 too large (before all of it is read), 415 content type, and what `read` raises.
    """
    body, yaml = await _read(request, services)
    if _MAY_NAME_UPLOADS.search(body):
        document = await services.in_thread(partial(_decode, body, yaml))
        named = await _stored(services, upload_ids(document))
        return await services.in_thread(partial(read, document, len(body), named))
    work = partial(_decode_and_read, body, yaml, read)
    return work() if light and not yaml and len(body) <= SMALL else await services.in_thread(work)


def _decode_and_read(body: bytes, yaml: bool, read: Read[T]) -> T:
    return read(_decode(body, yaml), len(body), NOTHING)


def _decode(body: bytes, yaml: bool) -> Any:
    return parse_yaml(body) if yaml else parse_json(body)


async def uploads_of_lines(services: Services, lines: Sequence[bytes]) -> Uploads:
    """The uploads that JSON documents, one a line, may name; lines that cannot be read name none."""
    suspects = [line for line in lines if _MAY_NAME_UPLOADS.search(line)]
    ids = await services.in_thread(partial(_ids_in, suspects)) if suspects else frozenset[str]()
    return await _stored(services, ids)


def _ids_in(lines: Sequence[bytes]) -> frozenset[str]:
    found: set[str] = set()
    for line in lines:
        with suppress(SpecError):
            found |= upload_ids(parse_json(line))
    return frozenset(found)


async def _stored(services: Services, ids: frozenset[str]) -> Uploads:
    found = await services.store.run(stored_uploads.read_many(ids)) if ids else {}
    return {name: given.upload for name, given in found.items()}


async def _read(request: Request, services: Services) -> tuple[bytes, bool]:
    """The body, and whether it is YAML."""
    yaml = _is_yaml(request)
    return await read_body(request, services.settings.max_yaml if yaml else services.settings.max_body), yaml


async def read_body(request: Request, limit: int) -> bytes:
    """The bytes of a body. Errors: 413 above `limit`, before all of them are read; 408 where they come too slowly."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise TooLargeError(limit)
    chunks, size, more = [], 0, True
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(begun + FIRST_SECONDS) as patience:
            while more:  # not request.stream(), which does not say that a chunk was the last one
                chunk, more = _chunk(await request.receive())
                size += len(chunk)
                if size > limit:
                    raise TooLargeError(limit)
                chunks.append(chunk)
                if more:
                    patience.reschedule(begun + FIRST_SECONDS + size / BYTES_A_SECOND)
    except TimeoutError:
        raise TimedOutError from None
    return b"".join(chunks)


def _chunk(message: Message) -> tuple[bytes, bool]:
    """A piece of the body, and whether another follows. Errors: ClientDisconnect."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def refuse_encoding(request: Request) -> None:
    """Errors: 415 for a compressed body."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise unsupported("/header/content-encoding", encoding, "identity", "send the body uncompressed")


async def read_lines(request: Request, limit: int) -> list[bytes]:
    """The lines of a body of JSON lines. Errors: 413 too large (before all of it is read), 415 content type."""
    media, given = _media(request)
    if media not in LINES:
        hint = "one document a line, each with its newline; one document alone goes to /v1/experiments"
        raise unsupported("/header/content-type", given, ", ".join(LINES), hint)
    return (await read_body(request, limit)).split(b"\n")


def _is_yaml(request: Request) -> bool:
    """Whether the body is YAML; a missing content type means JSON."""
    if request.headers.get("content-type") == "application/json":
        refuse_encoding(request)
        return False
    media, given = _media(request)
    if media in ("", "application/json") or (media.startswith("application/") and media.endswith("+json")):
        return False
    if media in _YAML:
        return True
    hint = "name the type of the body"
    if media == "application/x-www-form-urlencoded":
        hint = "with curl, add: -H 'Content-Type: application/json'"
    raise unsupported("/header/content-type", given, "application/json, application/yaml", hint)


def _media(request: Request) -> tuple[str, str]:
    """The content type without its parameters, and as it was given. Errors: 415 for what is not plain UTF-8."""
    refuse_encoding(request)
    given = request.headers.get("content-type", "")
    media, *parameters = (part.strip().lower() for part in given.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise unsupported("/header/content-type", given, "charset=utf-8", "send the document as UTF-8")
    return media, given


def unsupported(pointer: str, value: str, allowed: str, hint: str) -> UnsupportedMediaError:
    """415, with what would be read."""
    problem = ProblemError(pointer=pointer, value=value[:200], allowed=allowed, hint=hint)
    return UnsupportedMediaError(f"The body is sent as {value[:200]!r}.", errors=(problem,))
