"""A store that has grown: pages of long lists, sweeps of 10,000 cells and their tables, batches of 1,000 lines."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table, ratio
from benchmarks.serving import filling, lists, many
from benchmarks.serving.caller import Caller
from benchmarks.serving.service import redis, service, token
from initshape.store import Store

TITLE = "Many experiments"
FEW, MANY = 1000, 100_000
CONSTANT = 1.5
_FIRST_SEED = 10**6

LIMITS = {many.SUBMIT: 10.0, many.JSON: 2.0, many.CSV: 2.0, many.BATCH: 1.0}
"""Seconds; a line of a batch may take what a cell of a sweep may."""

Row = dict[str, Any]


def run(effort: Effort) -> Outcome:
    """Lists of few experiments, then what makes them many, then the same lists."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = redis(stack, folder)
        api = service(stack, folder, "api", server, token(server.settings))
        store, caller = Store(server.settings), Caller(api)
        stack.callback(store.close)
        stack.callback(caller.close)
        filling.fill(store, _FIRST_SEED, FEW)
        pages = _pages(caller, FEW, FEW)
        requests = [*many.sweeps(api, caller, store), *many.batches(api, caller)]
        plain = MANY - many.SWEEPS * many.CELLS - many.BATCHES * many.LINES
        filling.fill(store, _FIRST_SEED + FEW, plain - FEW)
        pages += _pages(caller, MANY, plain)
    return Outcome(
        [_list_table(pages), _request_table(requests)], bars(pages, requests), {"lists": pages, "requests": requests},
        NOTES,
    )  # fmt: skip


def bars(pages: list[Row], requests: list[Row]) -> list[Bar]:
    """Of the lists the worst ratio of medians, of the requests the slowest."""
    few = {row["list"]: row["first_ms"] for row in pages if row["stored"] == FEW}
    grown = [row for row in pages if row["stored"] == MANY]
    slowest = {row["what"]: row["slowest_s"] for row in requests}
    return [
        Bar(f"{MANY:,} experiments: page 1,000, or a filter's last one, over page 1, the worst list",
            max(ratio(row["last_ms"], row["first_ms"]) or 0.0 for row in grown), "<=", CONSTANT),
        Bar(f"page 1 of {MANY:,} experiments over page 1 of {FEW:,}, the worst list",
            max(ratio(row["first_ms"], few[row["list"]]) or 0.0 for row in grown), "<=", CONSTANT),
        *(Bar(f"{what}, the slowest", slowest[what], "<=", limit, unit="s") for what, limit in LIMITS.items()),
    ]  # fmt: skip


NOTES = [
    "Over HTTP: one uvicorn process on one core, with token, quotas, audit and logs; Redis and the one client, on a "
    f"connection that is kept, off it. Pages: medians of {lists.TIMES}, the first and the last page in turn. Every "
    f"list is walked first, {lists.PAGES:,} pages at most, and has to show each experiment once; a page with a filter "
    "on a field looks at 1,000 experiments and shows those that fit. Constant cost is taken as at most "
    f"{CONSTANT:g} x while the store grows 100-fold. Experiments are submitted by the store's own operations; the "
    "cells of the first sweep are ended by its claim, upload and fenced finish, with real results of the dual flow, "
    f"one computed for every {filling.COMPUTED} cells; all other experiments wait. `others wait`: the slowest "
    "`GET /health/live` of another connection meanwhile, asked every 20 ms."
]


def _pages(caller: Caller, stored: int, plain: int) -> list[Row]:
    return [lists.measure(caller, listed, stored, plain // filling.RARE) for listed in lists.LISTS]


def _list_table(rows: list[Row]) -> Table:
    header = ("stored", "list", "entries", "pages", "page 1 ms", "last page ms", "last of first", "slowest ms")
    body = [
        (str(row["stored"]), row["list"], str(row["entries"]), str(row["pages"]), number(row["first_ms"]),
         number(row["last_ms"]), number(ratio(row["last_ms"], row["first_ms"])), number(row["slowest_ms"]))
        for row in rows
    ]  # fmt: skip
    return Table("GET /v1/experiments", header, body)


def _request_table(rows: list[Row]) -> Table:
    header = ("request", "times", "median s", "slowest s", "bytes of the answer", "others wait ms")
    body = [
        (row["what"], str(row["times"]), number(row["median_s"]), number(row["slowest_s"]), str(row["bytes"]),
         number(row["others_ms"]))
        for row in rows
    ]  # fmt: skip
    return Table("Many at once", header, body)
