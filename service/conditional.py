"""Strong entity tags, conditional requests and ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from fastapi import Request
from starlette.responses import Response

from service.errors import RangeError

CACHE = {"Cache-Control": "private, no-cache"}
"""Keep it, but ask each time: a rerun may replace the result under the same address."""
_RANGE: Final = re.compile(r"bytes *= *([0-9]{0,18}) *- *([0-9]{0,18})", re.ASCII | re.IGNORECASE)


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


def ranged(request: Request, content: bytes, tag: str, media_type: str, *, filename: str) -> Response:
    """The content, or the one range of it that is asked for (206): interrupted downloads go on where they were.

    A range in another unit, several ranges, and one whose If-Range names other content are answered by the whole.
    Errors: RangeError where the range begins behind the end.
    """
    whole = tagged(content, tag, media_type, filename=filename)
    whole.headers["Accept-Ranges"] = "bytes"
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or request.headers.get("if-range", tag).strip() != tag:
        return whole
    first, last = asked.groups()
    if not first and not last:
        return whole
    size = len(content)
    start = max(0, size - int(last)) if not first else int(first)
    end = size - 1 if not first or not last else min(int(last), size - 1)
    if first and last and int(first) > int(last):
        return whole
    if start >= size or start > end:
        raise RangeError(size)
    part = tagged(content[start : end + 1], tag, media_type, filename=filename)
    part.status_code = 206
    part.headers["Accept-Ranges"] = "bytes"
    part.headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return part
