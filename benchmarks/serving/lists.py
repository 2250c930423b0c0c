"""How long pages of a list take: the first one, and one as deep as the list or PAGES goes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.caller import Caller
from benchmarks.serving.filling import RARE_SHAPE, RARE_TAG

PATH = "/v1/experiments"
PAGES, TIMES = 1000, 40


@dataclass(frozen=True)
class Listed:
    """One query; with filters only what `filling` has made rare fits."""

    name: str
    limit: int
    filters: str = ""

    @property
    def path(self) -> str:
        return f"{PATH}?limit={self.limit}{self.filters}"

    def expected(self, stored: int, rare: int) -> int:
        """Entries on all pages that are walked."""
        return min(rare if self.filters else stored, PAGES * self.limit)


LISTS = (
    Listed("pages of 50", 50),
    Listed("pages of 100", 100),
    Listed("a field's value that few have", 50, f"&init.shape={RARE_SHAPE}"),
    Listed("a tag that few have, pages of 1", 1, f"&tag={RARE_TAG}"),
)


def measure(caller: Caller, listed: Listed, stored: int, rare: int) -> dict[str, Any]:
    """Milliseconds of the first page and of the last one that holds anything, medians, in turn.

    Errors: RuntimeError where a walk through the list does not find every experiment once.
    """
    pages = [(path, ids) for path, ids in _walk(caller, listed.path) if ids]
    ids = [job_id for _, page in pages for job_id in page]
    if not len(set(ids)) == len(ids) == listed.expected(stored, rare):
        raise RuntimeError(f"{listed}: {len(set(ids))} experiments in {len(ids)} entries")
    first, last = pages[0][0], pages[-1][0]
    times: dict[str, list[float]] = {"first": [], "last": []}
    for _ in range(TIMES):
        times["first"].append(1000 * caller.get(first).seconds)
        times["last"].append(1000 * caller.get(last).seconds)
    row = {"list": listed.name, "stored": stored, "entries": len(ids), "pages": len(pages),
           "first_ms": statistics.median(times["first"]), "last_ms": statistics.median(times["last"]),
           "slowest_ms": max(max(one) for one in times.values())}  # fmt: skip
    print(f"  {stored} stored, {listed.name}: {row['first_ms']:.2f} ms, page {len(pages)} {row['last_ms']:.2f} ms")
    return row


def _walk(caller: Caller, start: str) -> Iterator[tuple[str, list[str]]]:
    """Path of each page, PAGES at most, and the ids on it."""
    path = start
    for _ in range(PAGES):
        page = caller.get(path).json()
        yield path, [item["id"] for item in page["items"]]
        if page["next"] is None:
            return
        path = f"{start}&cursor={page['next']}"
