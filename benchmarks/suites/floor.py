"""The time of an accepted step over what its structured arithmetic costs at this machine's own rates."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.isolated import call
from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table
from benchmarks.plots.floor import draw
from benchmarks.problem import CASES, Problem

SIZES = ((1000, 100), (1000, 200), (4000, 100), (16000, 100))
STAGE_PRODUCTS = 4
"""Products of three vectors with X or X^T in one Newton iteration: outputs, gradient, and J v, J^T z of the solves."""
VECTOR_PRODUCTS = 4
"""Of one vector in one step: outputs and gradient at its end, J v and J^T z of the error estimate."""


def run(effort: Effort) -> Outcome:
    """Case A at several sizes, and case D at the published one."""
    asked = [("A", *size) for size in SIZES] + [("D", *SIZES[0])]
    rows = [{"case": case, **call("benchmarks.suites.floor:step", case, d, n)} for case, d, n in asked]
    for row in rows:
        print(f"  case {row['case']}, d = {row['dimension']}, N = {row['samples']}: {row['ratio']:.3g} x", flush=True)
    draw(rows, "floor")
    bar = Bar("step over its floor, case A, d = 1000, N = 100", rows[0]["ratio"], "<=", 3.0)
    return Outcome([_table(rows), _rates_table(rows)], [bar], {"rows": rows}, _notes(), "floor")


def step(case: str, dimension: int, samples: int) -> dict[str, Any]:
    """One row, measured in one process: rates before and after the flow, the better of both."""
    from benchmarks.clock import timed
    from benchmarks.contenders.initshape_flow import prepare
    from benchmarks.rates import measure

    alpha, shape = CASES[case]
    before = asdict(measure(dimension, samples))
    done = timed(prepare({"completion": False}, Problem(alpha, shape, dimension, samples)), lambda *_: None, 10.0)
    after = asdict(measure(dimension, samples))
    rates = {name: (max if name in ("bandwidth", "gemm_flops") else min)(before[name], after[name]) for name in before}
    work = done.answer.work
    iterations = work["newton_iterations"] / done.answer.steps
    parts = {
        "kernel": rates["kernel"],
        "factorisations": rates["cholesky"] + rates["lu"],
        "stage products": STAGE_PRODUCTS * iterations * rates["stages"],
        "vector products": VECTOR_PRODUCTS * rates["vector"],
    }
    # Of this process's CPU: the rates are the best of many calls, which other processes cannot slow down either.
    seconds = done.cpu_seconds / done.answer.steps
    kernels = work["kernels"] / done.answer.steps
    return {
        "dimension": dimension,
        "samples": samples,
        "steps": done.answer.steps,
        "rejected": work["rejected_steps"],
        "iterations_per_step": iterations,
        "kernels_per_step": kernels,
        "seconds_per_step": seconds,
        "floor": sum(parts.values()),
        "ratio": seconds / sum(parts.values()),
        "ratio_of_work_done": seconds / (sum(parts.values()) - (1.0 - kernels) * parts["kernel"]),
        "parts": parts,
        "rates": rates,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    header = ("case", "d", "N", "steps", "Newton its a step", "kernels a step", "CPU ms a step", "floor ms", "ratio",
              "ratio, kernels as built")  # fmt: skip
    body = [
        (row["case"], str(row["dimension"]), str(row["samples"]), str(row["steps"]), number(row["iterations_per_step"]),
         number(row["kernels_per_step"]), number(1e3 * row["seconds_per_step"]), number(1e3 * row["floor"]),
         number(row["ratio"]), number(row["ratio_of_work_done"]))
        for row in rows
    ]  # fmt: skip
    return Table("Full-parameter flow at rtol 1e-8 without completion, one core", header, body)


def _rates_table(rows: list[dict[str, Any]]) -> Table:
    header = ("d", "N", "dsyrk us", "dpotrf us", "zgetrf us", "dgemm 3 columns us", "dgemv us", "copy GB/s",
              "dgemm GFLOP/s")  # fmt: skip
    body = []
    for row in rows[: len(SIZES)]:
        rates = row["rates"]
        times = [number(1e6 * rates[name]) for name in ("kernel", "cholesky", "lu", "stages", "vector")]
        body.append((str(row["dimension"]), str(row["samples"]), *times, number(rates["bandwidth"] / 1e9),
                     number(rates["gemm_flops"] / 1e9)))  # fmt: skip
    return Table("Rates of this machine in the same processes (best of many calls)", header, body)


def _notes() -> list[str]:
    return [
        "The floor of a step is a symmetric half of K = X diag(m) X^T (N^2 d flops), one real Cholesky and one complex "
        f"LU of N x N, {STAGE_PRODUCTS} products of three vectors with X for each Newton iteration that the run made, "
        f"and {VECTOR_PRODUCTS} of one vector, each at its measured rate. Triangular solves, vectors of 4d entries and "
        "saved rows are not in it. The last column counts kernels as often as they were built, not once a step.",
    ]
