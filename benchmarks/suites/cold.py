"""A process that has compiled nothing yet: what a new shape costs, with and without the persistent cache."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from benchmarks.isolated import call
from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table
from benchmarks.problem import Problem

ALPHA, SHAPE = 1e-3, 0.5
SHAPES = ((1000, 100), (980, 97), (1400, 140), (500, 50))
"""The first one, one of the same bucket, two of others."""
MEANING = ("first shape", "same bucket", "new bucket", "smaller bucket")
PROCESSES = ("no cache", "empty cache", "filled cache")


def run(effort: Effort) -> Outcome:
    """Fresh processes: without a cache, with an empty one, and with what that one left there."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for process in PROCESSES:
            cached = {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
            environment = {} if process == "no cache" else cached
            for row in call("benchmarks.suites.cold:shapes", environment=environment):
                rows.append({"process": process, **row})
                print(f"  {process}, {row['shape']}: compile {row['compile_seconds']:.3g} s", flush=True)
    found = {(row["process"], row["shape"]): row for row in rows}
    bars = [
        Bar(f"{process}, {shape}: compilation over the solve", _over(found[process, shape]), "<=", 1.0)
        for process, shape in (
            ("no cache", "same bucket"),
            *(("filled cache", shape) for shape in MEANING if shape != "same bucket"),
            ("no cache", "new bucket"),
        )
    ]
    return Outcome([_table(rows)], bars, {"rows": rows}, _notes())


def shapes() -> list[dict[str, Any]]:
    """In a fresh process: import, then a flow of each shape twice."""
    start = time.perf_counter()
    from benchmarks.contenders.initshape_flow import prepare

    prepare({}, Problem(ALPHA, SHAPE, 8, 2), compiled=False)
    import initshape.flows  # noqa: F401 - its import is what is measured

    imported: float | None = time.perf_counter() - start
    rows = []
    for (dimension, samples), meaning in zip(SHAPES, MEANING, strict=True):
        ready = prepare({}, Problem(ALPHA, SHAPE, dimension, samples), compiled=False)
        clock = time.perf_counter()
        compiled = ready.solve(lambda *_: None).work["compile_seconds"]
        first = time.perf_counter() - clock
        clock = time.perf_counter()
        answer = ready.solve(lambda *_: None)
        solve = time.perf_counter() - clock
        rows.append({
            "shape": meaning, "dimension": dimension, "samples": samples, "first_seconds": first,
            "compile_seconds": compiled, "solve_seconds": solve, "steps": answer.steps,
            "import_seconds": imported,
        })  # fmt: skip
        imported = None
    return rows


def _over(row: dict[str, Any]) -> float:
    return float(row["compile_seconds"] / row["solve_seconds"])


def _table(rows: list[dict[str, Any]]) -> Table:
    header = ("process", "shape", "d", "N", "import s", "compile s", "first flow s", "next flow s")
    seconds = ("import_seconds", "compile_seconds", "first_seconds", "solve_seconds")
    body = [
        (row["process"], row["shape"], str(row["dimension"]), str(row["samples"]), *(number(row[s]) for s in seconds))
        for row in rows
    ]
    return Table("Fresh processes, one after the other; in each the shapes in this order", header, body)


def _notes() -> list[str]:
    return [
        "`first flow` includes compilation, and whatever else only the first call does; `next flow` is the same flow "
        "once more. Full-parameter flow at rtol 1e-8, alpha = 1e-3, s = 0.5. The filled cache is what the process "
        "before left on disk, as between two workers of one machine; idle workers also fill it by themselves "
        "(`initshape warm`)."
    ]
