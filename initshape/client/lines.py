"""Documents as JSON lines, in pieces that a server takes in one request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MOST_LINES = 1000
MOST_BYTES = 8 << 20


def pieces(documents: Iterable[Mapping[str, Any]]) -> Iterator[list[bytes]]:
    """Lines, each with its newline, by the thousand or fewer where they are long. Raises ValueError for NaN."""
    lines: list[bytes] = []
    size = 0
    for document in documents:
        line = json.dumps(document, allow_nan=False).encode() + b"\n"
        if lines and (len(lines) == MOST_LINES or size + len(line) > MOST_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield lines
