"""Lists of sweeps: newest first, filtered, at a cost a page that does not depend on how many sweeps are stored.

As in listing.py a page looks at a bounded number and says where to go on, found or not. Owner, tags and name are read
of every sweep that is looked at, document and cells only of those that are listed: they may have a megabyte.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from initshape.spec.status import Status
from initshape.store import sweeps
from initshape.store.keys import SWEEPS, key
from initshape.store.operation import Operation
from initshape.store.sweeps import SweepCounts, SweepRecord

SCANNED: Final = 1000
"""Sweeps that one page looks at, at most."""
COUNTED: Final = 20_000
"""Cells that one page counts to find sweeps in a state: it ends with the sweep that reaches them."""
_CHUNK: Final = 200


@dataclass(frozen=True)
class SweepPage:
    """Part of a list, newest first. `before` continues it; None at the end.

    With filters it may hold fewer sweeps than were asked for, even none, and yet be continued.
    """

    sweeps: tuple[tuple[SweepRecord, SweepCounts], ...]
    before: int | None


@dataclass(frozen=True)
class Labelled:
    """Conditions on what a sweep is called, all of which it must meet."""

    owner: str | None = None
    tag: str | None = None
    name: str | None = None

    def met_by(self, owner: bytes, tags: bytes | None, name: bytes | None) -> bool:
        """Whether they hold for these values, as they are stored."""
        return (
            (self.owner is None or self.owner == owner.decode())
            and (self.tag is None or self.tag in json.loads(tags or b"[]"))
            and (self.name is None or self.name == (name or b"").decode())
        )


def page(
    limit: int,
    before: int | None = None,
    *,
    status: Status | None = None,
    owner: str | None = None,
    tag: str | None = None,
    name: str | None = None,
    scanned: int | None = None,
    counted: int | None = None,
) -> Operation[SweepPage]:
    """At most `limit` sweeps with their counts, numbered below `before`; stable while new ones come in."""
    wanted = Labelled(owner, tag, name)
    found: list[tuple[SweepRecord, SweepCounts]] = []
    left = SCANNED if scanned is None else scanned
    cells = COUNTED if counted is None else counted
    while left > 0:
        asked = min(limit if status is None and wanted == Labelled() else _CHUNK, left)
        top = "+inf" if before is None else f"({before}"
        (raw,) = yield [("ZREVRANGEBYSCORE", SWEEPS, top, "-inf", "WITHSCORES", "LIMIT", 0, asked)]
        numbers = {text.decode(): int(float(number)) for text, number in zip(raw[::2], raw[1::2], strict=True)}
        for sweep_id in (yield from _fitting(list(numbers), wanted)):
            counts = yield from sweeps.counts(sweep_id)
            if counts is None:
                continue
            cells -= counts.cells
            record = (yield from sweeps.glance(sweep_id)) if status in (None, counts.status) else None
            if record is not None:
                found.append((record, counts))
            if len(found) == limit or (status is not None and cells <= 0):
                return SweepPage(tuple(found), numbers[sweep_id])
        if len(numbers) < asked:
            return SweepPage(tuple(found), None)
        before = min(numbers.values())
        left -= asked
    return SweepPage(tuple(found), before)


def _fitting(ids: Sequence[str], wanted: Labelled) -> Operation[list[str]]:
    """The ids of sweeps that meet the conditions; those that are gone leave the index."""
    if not ids:
        return []
    labels = yield [("HMGET", key("sweep", sweep_id), "owner", "tags", "name") for sweep_id in ids]
    gone = [sweep_id for sweep_id, (owner, _, _) in zip(ids, labels, strict=True) if owner is None]
    if gone:
        yield [("ZREM", SWEEPS, *gone)]
    return [
        sweep_id
        for sweep_id, (owner, tags, name) in zip(ids, labels, strict=True)
        if owner is not None and wanted.met_by(owner, tags, name)
    ]
