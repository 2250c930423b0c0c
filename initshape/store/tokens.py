"""Bearer tokens. Redis holds only their SHA-256, so that nobody who reads the database can use them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from initshape.store.documents import encode
from initshape.store.keys import TOKENS, key
from initshape.store.operation import Operation, Script

PREFIX: Final = "initshape_"


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


def create(user: str, role: Role, label: str = "", expires_seconds: int | None = None) -> Operation[str]:
    """A new token. This is the only time that it can be seen."""
    token, _ = yield from _enter(user, role, label, only_first=False)
    if expires_seconds is not None:
        yield [("EXPIRE", key("token", digest(token)), expires_seconds)]
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
    rows = (yield [("HMGET", key("token", n), "user", "role", "label", "created") for n in ordered]) if ordered else []
    gone = [name for name, row in zip(ordered, rows, strict=True) if row[0] is None]
    if gone:
        yield [("SREM", TOKENS, *gone)]
    return [
        Identity(row[0].decode(), Role(row[1].decode()), row[2].decode(), row[3].decode(), name)
        for name, row in zip(ordered, rows, strict=True)
        if row[0] is not None
    ]


def revoke(name: str) -> Operation[bool]:
    """Withdraws the token with this digest; False where there is none."""
    gone, _ = yield [("UNLINK", key("token", name)), ("SREM", TOKENS, name)]
    return bool(gone)


def digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal. Tokens have 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _enter(user: str, role: Role, label: str, *, only_first: bool) -> Operation[tuple[str, bool]]:
    token = PREFIX + secrets.token_urlsafe(32)
    name = digest(token)
    record = {
        "user": user, "role": role.value, "label": label, "digest": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }  # fmt: skip
    (stored,) = yield [Script("enter", (key("token", name), TOKENS), (name, encode(record), int(only_first)))]
    return token, bool(stored)
