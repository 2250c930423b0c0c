"""Who did what: one stream, bounded in length, written by the scripts that do it. An entry says

who      user, label and first digits of the digest of the token, request id
action   submit, rerun, cancel, delete, upload, delete_upload, each also as force_..., submit_sweep, retry_sweep,
         cancel_sweep, submit_batch, create_token, revoke_token, or METHOD and path of a request that was refused
object   id of what it was done to
outcome  what became of it; unauthorized, forbidden, too-many-requests, quota-exceeded for refusals
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from initshape.store.documents import encode
from initshape.store.keys import AUDIT
from initshape.store.operation import Operation, Script

_LOOKED_AT: Final = 1000
"""Entries of one round of a filtered reading."""
_MOST_ROUNDS: Final = 20


@dataclass(frozen=True)
class AuditEntry:
    """One line. `id` orders them and is the cursor; `at` is its time in UTC."""

    id: str
    at: datetime
    user: str
    token: str
    request: str
    action: str
    subject: str
    outcome: str


@dataclass(frozen=True)
class AuditPage:
    """Newest first. `before` continues it; None at the end."""

    entries: tuple[AuditEntry, ...]
    before: str | None


def actor(keep: int, user: str, token: str, request: str) -> str:
    """Who acts, for scripts; `keep` entries are kept, about. No audit where that is 0."""
    if keep <= 0:
        return ""
    return f"{keep} {encode({'user': user, 'token': token, 'request': request}).decode()}"


def recording(who: str, action: str, subject: str, outcome: str, once: str = "") -> Script:
    """The command that writes a line. With `once`, no more than one a second under that name: refusals are a flood."""
    return Script("record", (AUDIT,), (who, action, subject, outcome, once))


def record(who: str, action: str, subject: str, outcome: str, once: str = "") -> Operation[None]:
    """Writes a line."""
    if who:
        yield [recording(who, action, subject, outcome, once)]


def page(limit: int, before: str | None = None, filters: Mapping[str, str] | None = None) -> Operation[AuditPage]:
    """At most `limit` entries before an id, that agree with filters: user, action, object, outcome, request.

    A rare filter may come to an end before it has found `limit`; `before` then goes on where it stopped.
    """
    wanted, found = filters or {}, list[AuditEntry]()
    if before is not None and not any(map(int, before.split("-"))):
        return AuditPage((), None)  # nothing comes before 0-0, which Redis calls an error
    for _ in range(_MOST_ROUNDS):
        top = "+" if before is None else f"({before}"
        count = _LOOKED_AT if wanted else limit
        (rows,) = yield [("XREVRANGE", AUDIT, top, "-", "COUNT", count)]
        for name, fields in rows:
            entry = _decode(name.decode(), fields)
            before = entry.id
            if all(getattr(entry, _ATTRIBUTES[name]) == value for name, value in wanted.items()):
                found.append(entry)
                if len(found) == limit:
                    return AuditPage(tuple(found), before)
        if len(rows) < count:
            return AuditPage(tuple(found), None)
    return AuditPage(tuple(found), before)


_ATTRIBUTES = {"user": "user", "action": "action", "object": "subject", "outcome": "outcome", "request": "request"}


def _decode(name: str, fields: Mapping[bytes, bytes]) -> AuditEntry:
    who = json.loads(fields[b"who"])
    at = datetime.fromtimestamp(int(name.partition("-")[0]) / 1000, UTC)
    action, subject, outcome = (fields[field].decode() for field in (b"action", b"object", b"outcome"))
    return AuditEntry(name, at, who["user"], who["token"], who["request"], action, subject, outcome)
