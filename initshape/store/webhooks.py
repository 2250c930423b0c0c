"""The outbox: what is to be told of ended submissions. The scripts that end them fill it, so nothing is forgotten.

Any number of API processes take from it. Whoever takes a delivery has a lease; one that is not reported in time is due
again, so that each is delivered at least once, or tried as often as it should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from initshape.store.documents import encode
from initshape.store.keys import OUTBOX, key
from initshape.store.operation import Operation, Script

LEASE_SECONDS: Final = 60.0
PAUSES: Final = (2, 10, 60, 300, 1800, 7200)
"""Seconds between the attempts: seven of them in two and a half hours."""


@dataclass(frozen=True)
class Delivery:
    """Something to tell. `status`, `attempt` and `outcome` are those of the end of an experiment, at `at` (ms)."""

    number: int
    subject: str
    user: str
    url: str
    status: str
    attempt: int
    outcome: str | None
    at: int
    tries: int


def take(limit: int = 10, lease_seconds: float = LEASE_SECONDS) -> Operation[list[Delivery]]:
    """What is due, oldest first."""
    (raw,) = yield [Script("take_deliveries", (OUTBOX,), (limit, round(lease_seconds * 1000)))]
    rows = [raw[k : k + 9] for k in range(0, len(raw), 9)]
    return [_decode(row) for row in rows]


def report(
    delivery: Delivery, *, target: str, now: int, answer: int | None, error: str | None, over: bool
) -> Operation[bool]:
    """Takes an attempt down. It is tried again after a while, unless it is `over` or has been tried often enough."""
    again = -1 if over or delivery.tries > len(PAUSES) else PAUSES[delivery.tries - 1] * 1000
    entry = {"user": delivery.user, "target": target, "tries": delivery.tries, "at": now, "answer": answer,
             "error": error, "left": again >= 0}  # fmt: skip
    (taken,) = yield [_report(delivery, again, encode(entry))]
    return bool(taken)


def postpone(delivery: Delivery, seconds: float) -> Operation[bool]:
    """It is not time yet: no attempt."""
    (taken,) = yield [_report(delivery, round(seconds * 1000), b"")]
    return bool(taken)


def _report(delivery: Delivery, again: int, entry: bytes) -> Script:
    keys = (OUTBOX, key("delivery", delivery.number), key("deliveries", delivery.subject))
    return Script("report_delivery", keys, (delivery.number, delivery.tries, again, entry))


def _decode(row: Sequence[bytes]) -> Delivery:
    number, subject, user, url, status, attempt, outcome, at, tries = row
    return Delivery(
        int(number), subject.decode(), user.decode(), url.decode(), status.decode(), int(attempt),
        outcome.decode() or None, int(float(at)), int(tries),
    )  # fmt: skip
