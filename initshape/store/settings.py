"""How to reach Redis."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

COMMAND_SECONDS = 1.8
"""A round that takes longer counts as an outage: below the 2 s within which the API must answer 503."""


@dataclass(frozen=True)
class StoreSettings:
    """Address of Redis.

    `url` is redis://, rediss:// or unix://, best without a password; `password` is kept out of every representation.
    """

    url: str = "redis://127.0.0.1:6379/0"
    password: str | None = field(default=None, repr=False)
    command_seconds: float = COMMAND_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> StoreSettings:
        """INITSHAPE_REDIS_URL, and INITSHAPE_REDIS_PASSWORD or INITSHAPE_REDIS_PASSWORD_FILE."""
        given = os.environ if environment is None else environment
        password = given.get("INITSHAPE_REDIS_PASSWORD")
        if password is None and (file := given.get("INITSHAPE_REDIS_PASSWORD_FILE")):
            password = Path(file).read_text().strip()
        return cls(url=given.get("INITSHAPE_REDIS_URL", cls.url), password=password)

    @property
    def redacted_url(self) -> str:
        """The address for a log: a password inside it is masked."""
        parts = urlsplit(self.url)
        parts = parts._replace(query=re.sub(r"(password=)[^&]*", r"\1***", parts.query))
        if parts.password is None:
            return urlunsplit(parts)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{place}"))

    @property
    def broker_url(self) -> str:
        """The address as Celery wants it, password included: for its configuration only, never for a log."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            raise ValueError("Celery reaches Redis over TCP only here: give a redis:// or rediss:// URL.")
        if self.password is None:
            return self.url
        user = quote(parts.username or "", safe="")
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{user}:{quote(self.password, safe='')}@{place}"))
