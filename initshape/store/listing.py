"""Lists of jobs: newest first, filtered, at a cost a page that does not depend on how many jobs are stored.

A page looks at no more than SCANNED jobs, then says where to go on, found or not. The alternative, an index for each
value of each field, would add some thirty entries and 3 kB to every job and to the script that accepts it, and two
filters together would have to scan all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from initshape.spec.filters import Filters, holds
from initshape.spec.status import Status
from initshape.store.jobs import read_many
from initshape.store.keys import INDEX, key
from initshape.store.operation import Operation
from initshape.store.records import JobRecord

SCANNED: Final = 1000
"""Jobs that one page looks at, at most."""
_CHUNK: Final = 200
"""Documents that are fetched at a time: they lie in memory together."""
_ALL: Final[Filters] = {}


@dataclass(frozen=True)
class Page:
    """Part of a list, newest first. `before` continues it; None at the end.

    With filters it may hold fewer records than were asked for, even none, and yet be continued.
    """

    records: tuple[JobRecord, ...]
    before: int | None


@dataclass(frozen=True)
class Wanted:
    """Conditions on the record, all of which it must meet."""

    status: Status | None = None
    owner: str | None = None
    tag: str | None = None
    name: str | None = None

    @property
    def indexes(self) -> list[str]:
        """Every index that holds all that meet the conditions."""
        found = [] if self.tag is None else [key("tag", self.tag)]
        found += [] if self.owner is None else [key("owner", self.owner)]
        found += [] if self.status is None else [key("status", self.status.value)]
        return found or [INDEX]

    def met_by(self, record: JobRecord) -> bool:
        """Whether they hold."""
        users = {s.user for s in record.submitters} | {record.owner}
        tags = {t for s in record.submitters for t in s.tags}
        names = {s.name for s in record.submitters}
        return (
            (self.status is None or record.status is self.status)
            and (self.owner is None or self.owner in users)
            and (self.tag is None or self.tag in tags)
            and (self.name is None or self.name in names)
        )


def page(
    limit: int,
    before: int | None = None,
    *,
    status: Status | None = None,
    owner: str | None = None,
    tag: str | None = None,
    name: str | None = None,
    fields: Filters = _ALL,
    scanned: int | None = None,
) -> Operation[Page]:
    """At most `limit` records, numbered below `before`; stable while new ones come in."""
    wanted = Wanted(status, owner, tag, name)
    index = yield from _shortest(wanted.indexes)
    found: list[JobRecord] = []
    left = SCANNED if scanned is None else scanned
    while len(found) < limit and left > 0:
        asked = min(_CHUNK if fields or name is not None else limit, left)
        top = "+inf" if before is None else f"({before}"
        (raw,) = yield [("ZREVRANGEBYSCORE", index, top, "-inf", "WITHSCORES", "LIMIT", 0, asked)]
        numbers = {text.decode(): int(float(number)) for text, number in zip(raw[::2], raw[1::2], strict=True)}
        fitting = yield from _fitting(list(numbers), fields)
        records = yield from read_many(fitting)
        gone = [job_id for job_id, record in zip(fitting, records, strict=True) if record is None]
        if gone:
            yield [("ZREM", index, *gone)]
        for record in records:
            if record is not None and wanted.met_by(record):
                found.append(record)
                if len(found) == limit:
                    return Page(tuple(found), numbers[record.id])
        if len(numbers) < asked:
            return Page(tuple(found), None)
        before = min(numbers.values())
        left -= asked
    return Page(tuple(found), before)


def status_counts() -> Operation[dict[Status, int]]:
    """How many jobs are in each state."""
    replies = yield [("ZCARD", key("status", status.value)) for status in Status]
    return {status: int(n) for status, n in zip(Status, replies, strict=True)}


def _shortest(indexes: Sequence[str]) -> Operation[str]:
    """The most selective one. Which one it is changes no page: all of them are in the same order."""
    if len(indexes) == 1:
        return indexes[0]
    lengths = yield [("ZCARD", index) for index in indexes]
    return min(zip(lengths, indexes, strict=True))[1]


def _fitting(ids: Sequence[str], fields: Filters) -> Operation[list[str]]:
    """The ids whose experiment has these values, and those of which nothing is known any more."""
    if not fields or not ids:
        return list(ids)
    texts = yield [("HGET", key("job", job_id), "document") for job_id in ids]
    return [job_id for job_id, text in zip(ids, texts, strict=True) if text is None or holds(_decoded(text), fields)]


def _decoded(text: bytes) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
