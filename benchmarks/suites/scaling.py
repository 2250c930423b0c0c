"""How the cost grows with features, samples, cells and cores."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders import sweep_named
from benchmarks.contenders.initshape_sweep import FULL
from benchmarks.cores import available
from benchmarks.isolated import call
from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table
from benchmarks.plots.scaling import draw
from benchmarks.pool import Pool
from benchmarks.problem import PUBLISHED_SHAPES, Problem, grid

ALPHA, SHAPE, RTOL = 1e-3, 0.5, 1e-6
DIMENSIONS = (1000, 3000, 10_000, 30_000, 100_000)
SAMPLES = (25, 50, 100, 200, 400)
CELLS = (2, 20)
"""Scales at each of the five shapes: 10 and 100 cells."""
CELL_SIZE = {"dimension": 1000, "samples": 100, "rtol": RTOL}


def run(effort: Effort) -> Outcome:
    """One flow and one fit at each size; two sweeps of equal mix; one of them on every number of cores."""
    features = _series("dimension", [(d, 100) for d in DIMENSIONS])
    samples = _series("samples", [(1000, n) for n in SAMPLES])
    small, large = (grid(scales, PUBLISHED_SHAPES, **CELL_SIZE) for scales in CELLS)
    cells = [_sweep(problems, 1) for problems in (small, large)]
    cores = [cells[1], *(_sweep(large, workers) for workers in range(2, len(available()) + 1))]
    exponents = {
        "d, flow": exponent(features, "dimension", "flow_seconds"),
        "d, step": exponent(features, "dimension", "step_seconds"),
        "d, fit": exponent(features, "dimension", "fit_seconds"),
        "N, step": exponent(samples, "samples", "step_seconds"),
        "N, fit": exponent(samples, "samples", "fit_seconds"),
    }
    raw = {"features": features, "samples": samples, "cells": cells, "cores": cores, "exponents": exponents}
    draw(raw, "scaling")
    growth = cells[1]["seconds"] / cells[0]["seconds"]
    bars = [
        Bar("exponent in d from 1e3 to 1e5, flow", exponents["d, flow"], "<=", 1.1, unit=""),
        Bar("exponent in d from 1e3 to 1e5, one step of the flow", exponents["d, step"], "<=", 1.1, unit=""),
        Bar("exponent in d from 1e3 to 1e5, fit", exponents["d, fit"], "<=", 1.1, unit=""),
        Bar(f"time of {cells[1]['cells']} cells over that of {cells[0]['cells']}", growth, "<=", 10.0),
    ]
    return Outcome(_tables(raw), bars, raw, _notes(exponents), "scaling")


def exponent(rows: list[dict[str, Any]], size: str, seconds: str) -> float:
    """Slope of log(seconds) over log(size), by least squares."""
    x, y = (np.log([row[name] for row in rows]) for name in (size, seconds))
    return float(np.polyfit(x, y, 1)[0])


def size(dimension: int, samples: int) -> dict[str, Any]:
    """One row, in a process of its own: the flow and the fit of one problem, with their errors."""
    from benchmarks.clock import timed
    from benchmarks.contenders import initshape_fit, initshape_flow
    from benchmarks.exact import distance, exact_limit

    problem = Problem(ALPHA, SHAPE, dimension, samples, rtol=RTOL)
    exact = exact_limit(problem)
    ready = initshape_flow.prepare({}, problem)
    flow = timed(ready, lambda *_: None, 10.0)
    fit = timed(initshape_fit.prepare(problem), lambda *_: None, 10.0)
    return {
        "dimension": dimension,
        "samples": samples,
        "flow_seconds": flow.seconds,
        "step_seconds": flow.seconds / flow.answer.steps,
        "steps": flow.answer.steps,
        "compile_seconds": ready.compile_seconds,
        "flow_error": distance(flow.answer.w, exact),
        "fit_seconds": fit.seconds,
        "fit_error": distance(fit.answer.w, exact),
    }


def _series(name: str, sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
    rows = []
    for dimension, samples in sizes:
        rows.append(call("benchmarks.suites.scaling:size", dimension, samples))
        row = rows[-1]
        print(f"  {name} {row[name]}: flow {row['flow_seconds']:.3g} s, fit {row['fit_seconds']:.3g} s", flush=True)
    return rows


def _sweep(problems: list[Problem], workers: int) -> dict[str, Any]:
    with Pool(workers) as pool:
        done = pool.sweep(sweep_named(FULL), problems)
    print(f"  {done.cells} cells on {workers} cores: {done.seconds:.3g} s", flush=True)
    return {"cells": done.cells, "workers": workers, "seconds": done.seconds, "largest_error": max(done.errors)}


def _tables(raw: dict[str, Any]) -> list[Table]:
    header = ("d", "N", "flow s", "steps", "ms a step", "compile s", "error", "fit s", "fit error")
    tables = [
        Table(caption, header, [
            (str(row["dimension"]), str(row["samples"]), number(row["flow_seconds"]), str(row["steps"]),
             number(1e3 * row["step_seconds"]), number(row["compile_seconds"]), number(row["flow_error"]),
             number(row["fit_seconds"]), number(row["fit_error"]))
            for row in raw[series]
        ])
        for caption, series in (("Features", "features"), ("Samples", "samples"))
    ]  # fmt: skip
    rows = [raw["cells"][0], *raw["cores"]]
    body = [
        (str(row["cells"]), str(row["workers"]), number(row["seconds"]), number(row["largest_error"])) for row in rows
    ]
    return [*tables, Table("Cells and cores: experiments, d = 1000", ("cells", "cores", "seconds", "error"), body)]


def _notes(exponents: dict[str, float]) -> list[str]:
    fitted = ", ".join(f"{name}: {value:.2f}" for name, value in exponents.items())
    return [
        f"Fitted exponents of the time: {fitted}. Flows at alpha = {ALPHA:g}, s = {SHAPE}, rtol {RTOL:.0e} with "
        "completion, compilation not counted; a flow longer than 2 s was run once, all else is the median after a "
        "warm-up. Sweeps of 10 and 100 cells have the same mix of scales and shapes."
    ]
