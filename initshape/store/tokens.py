"""Bearer tokens. Redis holds only their SHA-256, so that nobody who reads the database can use them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from initshape.store.documents import encode
from initshape.store.keys import TOKENS, key
from initshape.store.operation import Operation, Script
from initshape.store.records import moment

USER: Final = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$"
PREFIX: Final = "initshape_"
ID_LENGTH: Final = 16
"""Digits of the digest that name a token in lists: enough to tell them apart, of no use to anybody else."""


class Role(StrEnum):
    """What a token may do; each includes the one before."""

    reader = "reader"
    member = "member"
    admin = "admin"


@dataclass(frozen=True)
class Identity:
    """Who a token speaks for. `digest` names the token without revealing it."""

    user: str
    role: Role
    label: str
    created: str
    digest: str
    expires: datetime | None = None
    used: datetime | None = None


def is_user(name: str) -> bool:
    """Whether a token may be made for this name."""
    return re.fullmatch(USER.strip("^$"), name) is not None


def create(
    user: str, role: Role, label: str = "", expires_seconds: int | None = None, actor: str = ""
) -> Operation[str]:
    """A new token. This is the only time that it can be seen. `actor` is who made it, for the audit."""
    token, _ = yield from _enter(user, role, label, expires_seconds or 0, actor)
    return token


def create_admin(user: str = "admin") -> Operation[str | None]:
    """The admin's token at the first start; None where any token exists."""
    token, stored = yield from _enter(user, Role.admin, "first start", only_first=True)
    return token if stored else None


def verify(token: str) -> Operation[Identity | None]:
    """Who holds this token; None for a wrong one.

    The look-up goes by digest, so its time says nothing about the token; the comparison is constant in time as well.
    """
    name = digest(token)
    (values,) = yield [("HMGET", key("token", name), "user", "role", "label", "created", "digest")]
    if values[0] is None or not hmac.compare_digest(values[4], name.encode()):
        return None
    user, role, label, created, _ = (value.decode() for value in values)
    return Identity(user, Role(role), label, created, name)


def listing() -> Operation[list[Identity]]:
    """All tokens that still hold, without the tokens themselves."""
    (names,) = yield [("SMEMBERS", TOKENS)]
    ordered = sorted(name.decode() for name in names)
    fields = ("user", "role", "label", "created", "expires", "used")
    rows = (yield [("HMGET", key("token", name), *fields) for name in ordered]) if ordered else []
    gone = [name for name, row in zip(ordered, rows, strict=True) if row[0] is None]
    if gone:
        yield [("SREM", TOKENS, *gone)]
    return [
        Identity(row[0].decode(), Role(row[1].decode()), row[2].decode(), row[3].decode(), name, *map(moment, row[4:]))
        for name, row in zip(ordered, rows, strict=True)
        if row[0] is not None
    ]


def named(prefix: str) -> Operation[list[str]]:
    """Digests that begin like this, of tokens that still hold."""
    return [found.digest for found in (yield from listing()) if found.digest.startswith(prefix)]


def revoke(name: str, actor: str = "") -> Operation[bool]:
    """Withdraws the token with this digest, at once; False where there is none."""
    (gone,) = yield [Script("withdraw_token", (key("token", name), TOKENS), (name, actor, name[:ID_LENGTH]))]
    return bool(gone)


def digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal. Tokens have 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _enter(
    user: str, role: Role, label: str, seconds: int = 0, actor: str = "", *, only_first: bool = False
) -> Operation[tuple[str, bool]]:
    token = PREFIX + secrets.token_urlsafe(32)
    name = digest(token)
    record = {
        "user": user, "role": role.value, "label": label, "digest": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }  # fmt: skip
    arguments = (name, encode(record), int(only_first), seconds, actor, name[:ID_LENGTH])
    (stored,) = yield [Script("enter", (key("token", name), TOKENS), arguments)]
    return token, bool(stored)
