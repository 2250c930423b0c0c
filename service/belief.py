"""Tokens that were valid lately, for what must be answered while Redis is away."""

from __future__ import annotations

import time
from typing import Final

BELIEF_SECONDS: Final = 3600.0


class Believed:
    """Digests of tokens that were valid lately. Only valid ones get in, so there are few."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, digest: str) -> None:
        """It was valid just now."""
        now = time.monotonic()
        self._until = {name: end for name, end in self._until.items() if end > now} | {digest: now + BELIEF_SECONDS}

    def drop(self, digest: str) -> None:
        """It is not valid any more."""
        self._until.pop(digest, None)

    def __contains__(self, digest: str) -> bool:
        return self._until.get(digest, 0.0) > time.monotonic()
