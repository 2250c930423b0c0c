"""Strong entity tags and conditional requests (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib

from fastapi import Request
from starlette.responses import Response

CACHE = {"Cache-Control": "private, no-cache"}
"""Keep it, but ask each time: a rerun may replace the result under the same address."""


def tag_of(*parts: str | bytes) -> str:
    """Strong entity tag of what the parts determine."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return f'"{digest.hexdigest()[:32]}"'


def matches(request: Request, tag: str) -> bool:
    """Whether If-None-Match names the tag (weak comparison) or is `*`."""
    given = ",".join(request.headers.getlist("if-none-match"))
    return any(candidate.strip().removeprefix("W/") in (tag, "*") for candidate in given.split(",")) if given else False


def not_modified(tag: str) -> Response:
    """304 with the headers that 200 would have."""
    return Response(status_code=304, headers={"ETag": tag, **CACHE})


def tagged(content: bytes, tag: str, media_type: str, *, filename: str | None = None) -> Response:
    """200 with a strong tag."""
    headers = {"ETag": tag, **CACHE}
    if filename is not None:
        headers["Content-Disposition"] = f'inline; filename="{filename}"'
    return Response(content, media_type=media_type, headers=headers)
