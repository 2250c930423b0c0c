"""Many experiments in one request: sweeps with their tables, and batches; what they take, and what others wait."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.serving import filling
from benchmarks.serving.caller import Answer, Caller, Pulse
from benchmarks.serving.stand import Served
from initshape.store import Store

SIDE = 100
"""Values on each of the two axes of a sweep."""
CELLS, LINES = SIDE**2, 1000
SWEEPS, BATCHES, READS = 3, 5, 5

SUBMIT, AGAIN = "POST of a sweep of 10,000 new cells", "POST of the same sweep, all cells known"
JSON, CSV = "GET table.json of 10,000 results", "GET table.csv of 10,000 results"
BATCH, BATCH_AGAIN = "POST of a batch of 1,000 new lines", "POST of the same batch, all lines queued"

Call = Callable[[], Answer]


def sweeps(api: Served, caller: Caller, store: Store) -> list[dict[str, Any]]:
    """The first sweep is ended, read, and sent again; the others show once more what submitting takes.

    Errors: RuntimeError where an answer is not what it should be.
    """
    bodies = [json.dumps(_sweep(seed)).encode() for seed in range(1, SWEEPS + 1)]
    submits: list[Call] = [partial(caller.post, "/v1/sweeps", body) for body in bodies]
    answers, waits = _timed(api, submits[:1])
    _expect(answers[0].json()["counts"], queued=CELLS)
    filling.finish(store, CELLS)
    again = _timed(api, submits[:1] * READS)
    _expect(again[0][0].json()["counts"], succeeded=CELLS, cached=CELLS)
    links = answers[0].json()["links"]
    tables = [_timed(api, [partial(caller.get, links[name])] * READS) for name in ("table", "csv")]
    rows = tables[0][0][0].json()["rows"], list(csv.DictReader(io.StringIO(tables[1][0][0].content.decode())))
    if any(len(found) != CELLS or any(row["outcome"] != "converged" for row in found) for found in rows):
        raise RuntimeError("the tables do not hold all results")
    others, more = _timed(api, submits[1:])
    return [
        _row(SUBMIT, [*answers, *others], max(waits, more)),
        _row(AGAIN, *again),
        _row(JSON, *tables[0]),
        _row(CSV, *tables[1]),
    ]


def batches(api: Served, caller: Caller) -> list[dict[str, Any]]:
    """Errors: RuntimeError where a line is refused."""
    calls = [partial(caller.post, "/v1/batch", _lines(k), "application/jsonl") for k in range(BATCHES)]
    new, again = _timed(api, calls), _timed(api, calls)
    for answer in (*new[0], *again[0]):
        lines = answer.content.splitlines()
        if len(lines) != LINES or any(json.loads(line)["status"] != 202 for line in lines):
            raise RuntimeError("lines are missing or refused")
    return [_row(BATCH, *new), _row(BATCH_AGAIN, *again)]


def _sweep(seed: int) -> dict[str, Any]:
    """Ahead of all that waits, so that it is claimed first."""
    base = filling.experiment(seed) | {
        "flow": {"kind": "gradient_flow", "integrator": "dual"}, "regularizers": ["implicit", "l1", "l2", "kernel"],
        "trajectory": {"points": 10, "coordinates": 4},
    }  # fmt: skip
    axes = [
        {"path": "init.scale", "logspace": [-5, 0, SIDE]},
        {"path": "init.shape", "linspace": [-0.9, 0.9, SIDE]},
    ]
    return {"name": f"sweep {seed}", "priority": 5, "sweep": {"base": base, "axes": axes}}


def _lines(batch: int) -> bytes:
    """Experiments that are nowhere else: `filling` and the sweeps have other seeds."""
    first = 10**5 + batch * LINES
    return b"\n".join(json.dumps({"experiment": filling.experiment(first + k)}).encode() for k in range(LINES))


def _timed(api: Served, calls: Sequence[Call]) -> tuple[list[Answer], float]:
    """Answers, and the seconds that somebody else had to wait meanwhile, at most."""
    with Pulse(api) as pulse:
        answers = [call() for call in calls]
    return answers, pulse.slowest


def _row(what: str, answers: Sequence[Answer], waited: float) -> dict[str, Any]:
    times = [answer.seconds for answer in answers]
    print(f"  {what}: {', '.join(f'{one:.3f}' for one in times)} s; others {1000 * waited:.0f} ms", flush=True)
    return {"what": what, "times": len(times), "median_s": statistics.median(times), "slowest_s": max(times),
            "bytes": len(answers[0].content), "others_ms": 1000 * waited}  # fmt: skip


def _expect(counts: dict[str, int], **expected: int) -> None:
    if any(counts[name] != number for name, number in expected.items()):
        raise RuntimeError(f"the sweep has {counts}, not {expected}")
