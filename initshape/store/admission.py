"""Who is let in, and how much at once: tokens, rates and quotas, decided by scripts on Redis time.

A script that is given an `Entry` looks at the token, takes one request from its user's credit, compares quotas and
writes the audit, all within the same step as what it does: being let in costs a submission no round trip of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from initshape.store.keys import key
from initshape.store.operation import Operation, Script, Value
from initshape.store.tokens import Identity, Role, digest

BURST_SECONDS: Final = 10
"""A user may ask for so many seconds' worth of requests at once."""

Kind = Literal["read", "write"]


@dataclass(frozen=True)
class Allowance:
    """What one user may ask for; 0 means any number.

    `reads`, `writes`: requests a second; `active`: jobs that wait or run; `stored`: bytes of results and uploads.
    `admins_exempt`: none of it holds for admins.
    """

    reads: float = 0.0
    writes: float = 0.0
    active: int = 0
    stored: int = 0
    admins_exempt: bool = True

    def of(self, role: Role) -> Allowance:
        """What holds for a role."""
        return UNLIMITED if role is Role.admin and self.admins_exempt else self


UNLIMITED = Allowance()


@dataclass(frozen=True)
class Entry:
    """How a request was let in, for the scripts that act for it. `actor` is what the audit says of who it was.

    With a token's `digest` the script looks at the token and the rate itself.
    """

    digest: str = ""
    allowance: Allowance = UNLIMITED
    actor: str = ""

    def arguments(self) -> tuple[Value, ...]:
        """As submit.lua takes it."""
        own = self.allowance
        return (self.digest, own.writes, burst(own.writes), own.active, own.stored, self.actor)


OPEN = Entry()
"""Nobody asks: workers, tests."""


class Excess(StrEnum):
    """Which quota is full."""

    crowded = "crowded"  # jobs that wait or run
    stuffed = "stuffed"  # bytes stored


@dataclass(frozen=True)
class Admission:
    """Who holds a token. `wait` is in seconds: later than 0, the user has to come again then."""

    identity: Identity
    wait: float


@dataclass(frozen=True)
class Reservation:
    """Room for jobs: `excess` where there is none, `held` of what is full; `new` jobs that were not active before."""

    excess: Excess | None
    held: int
    new: int


@dataclass(frozen=True)
class Usage:
    """What a user holds: jobs that wait or run, bytes stored."""

    active: int
    stored: int


def burst(rate: float) -> int:
    """Requests at once."""
    return max(1, round(rate * BURST_SECONDS))


def admit(token: str, kind: Kind, allowance: Allowance) -> Operation[Admission | None]:
    """Looks at a token and takes one request from its user's credit; None for a token that does not hold."""
    name, rate = digest(token), allowance.reads if kind == "read" else allowance.writes
    arguments = (name, kind, rate, burst(rate), int(allowance.admins_exempt))
    (reply,) = yield [Script("admit", (key("token", name),), arguments)]
    if not reply:
        return None
    wait, user, role, label = reply
    identity = Identity(user.decode(), Role(role.decode()), label.decode(), "", name)
    return Admission(identity, int(wait) / 1000)


def reserve(
    user: str, job_ids: Sequence[str], entry: Entry, mode: Literal["submit", "rerun"], action: str, subject: str
) -> Operation[Reservation]:
    """Room for all of these jobs or for none. Jobs of the user that wait or run, and known results, take none."""
    own = entry.allowance
    arguments: tuple[Value, ...] = (user, mode, own.active, own.stored, entry.actor, action, subject, *job_ids)
    ((excess, held, new),) = yield [Script("reserve", (), arguments)]
    return Reservation(Excess(excess.decode()) if excess else None, int(held), int(new))


def usage(user: str) -> Operation[Usage]:
    """What a user holds now."""
    ((active, stored),) = yield [Script("usage", (), (user,))]
    return Usage(int(active), int(stored))
