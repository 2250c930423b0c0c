"""How to reach Redis."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from initshape.store.tls import PLAINTEXT, Tls, check_address, is_encrypted, plaintext_remark

COMMAND_SECONDS = 1.8
"""A round that takes longer counts as an outage: below the 2 s within which the API must answer 503."""


@dataclass(frozen=True)
class StoreSettings:
    """Address of Redis.

    `url` is redis://, rediss:// or unix://. A password inside it is taken out, and used where no other is given;
    `password` is kept out of every representation. `tls` is how rediss:// is checked.

    Errors: ValueError for an address that would undo these checks, or for files that are not there.
    """

    url: str = "redis://127.0.0.1:6379/0"
    password: str | None = field(default=None, repr=False)
    command_seconds: float = COMMAND_SECONDS
    tls: Tls = field(default=Tls())

    def __post_init__(self) -> None:
        check_address(self.url, self.tls)
        parts = urlsplit(self.url)
        if parts.password is not None:
            place = parts.netloc.rpartition("@")[2]
            user = f"{parts.username}@" if parts.username else ""
            object.__setattr__(self, "url", urlunsplit(parts._replace(netloc=user + place)))
            if self.password is None:
                object.__setattr__(self, "password", unquote(parts.password))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> StoreSettings:
        """INITSHAPE_REDIS_URL, and INITSHAPE_REDIS_PASSWORD or INITSHAPE_REDIS_PASSWORD_FILE; tls.py has the others."""
        given = os.environ if environment is None else environment
        password = given.get("INITSHAPE_REDIS_PASSWORD")
        if password is None and (file := given.get("INITSHAPE_REDIS_PASSWORD_FILE")):
            password = Path(file).read_text().strip()
        url = given.get("INITSHAPE_REDIS_URL", cls.url)
        plaintext_remark(url, given.get(PLAINTEXT) or "warn")
        return cls(url=url, password=password, tls=Tls.from_environment(given))

    @property
    def tls_arguments(self) -> dict[str, Any]:
        """For redis-py and, as `broker_use_ssl`, for Celery; empty where the address is not encrypted."""
        return self.tls.arguments() if is_encrypted(self.url) else {}

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
