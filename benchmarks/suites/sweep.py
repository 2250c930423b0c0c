"""The published sweep of 100 networks: whole experiments on worker processes, against the loop on one core."""

from __future__ import annotations

from typing import Any

from benchmarks.baselines.gradient_descent import LOSS, STEP
from benchmarks.baselines.scipy_flows import crossing_time
from benchmarks.contenders import sweeps
from benchmarks.contenders.gradient_descent import NAME as DESCENT
from benchmarks.contenders.initshape_sweep import FIT
from benchmarks.cores import available
from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table, ratio
from benchmarks.pool import Pool, Swept
from benchmarks.problem import Problem, published_sweep
from benchmarks.race import run as run_one

WHOLE_CELLS = (40, 52, 66, 89)
"""Cells that the loop runs whole in any case: they calibrate its cost a step and check the predicted step counts."""
DESCENT_LIMIT = 60.0


def run(effort: Effort) -> Outcome:
    """Ours on all cores, then the loop, one cell after the other on one core."""
    problems = published_sweep()
    swept: dict[str, Swept] = {}
    with Pool(min(2, len(available()))) as pool:
        for contender in sweeps():
            if contender.name.startswith(FIT):
                continue
            if reason := pool.missing(contender):
                print(f"  skipped {contender.name}: {reason}", flush=True)
                continue
            swept[contender.name] = pool.sweep(contender, problems)
            print(f"  {contender.name}: {swept[contender.name].seconds:.3g} s", flush=True)
        loop = descent(problems, pool, whole=effort.whole)
    raw = {
        "loop": loop,
        "sweeps": [
            {"contender": name, "seconds": each.seconds, "cells": each.cells, "workers": each.workers,
             "largest_error": max(each.errors)}
            for name, each in swept.items()
        ],
    }  # fmt: skip
    return Outcome([_table(swept, loop), _loop_table(loop)], bars(swept, loop), raw, _notes(loop))


def descent(problems: list[Problem], pool: Pool, *, whole: bool) -> dict[str, Any]:
    """Steps and seconds of the loop over all cells; some cells measured, the rest predicted, and which is which."""
    predicted = [round(steps) for steps in pool.map(_predicted_steps, problems)]
    cells = range(len(problems)) if whole else WHOLE_CELLS
    measured = {}
    for cell in cells:
        row = run_one(DESCENT, problems[cell], 3600.0 if whole else DESCENT_LIMIT)
        if row["finished"]:
            measured[cell] = {"steps": row["steps"], "seconds": row["seconds"], "predicted": predicted[cell]}
            print(f"  {DESCENT}, cell {cell}: {row['seconds']:.3g} s, {row['steps']} steps", flush=True)
    steps = sum(each["steps"] for each in measured.values())
    seconds = sum(each["seconds"] for each in measured.values())
    rest = sum(count for cell, count in enumerate(predicted) if cell not in measured)
    per_step = seconds / steps
    return {
        "measured_cells": {str(cell): each for cell, each in measured.items()},
        "seconds_per_step": per_step,
        "steps": steps + rest,
        "steps_predicted": rest,
        "seconds": seconds + rest * per_step,
        "seconds_measured": seconds,
        "worst_prediction": max(abs(each["predicted"] / each["steps"] - 1) for each in measured.values()),
    }


def bars(swept: dict[str, Swept], loop: dict[str, Any]) -> list[Bar]:
    """Against the loop's seconds on one core."""
    predicted = loop["steps_predicted"]
    extrapolated = f"{predicted / 1e6:.2f} of {loop['steps'] / 1e6:.2f} million steps of the loop" if predicted else ""
    full = _fastest(swept, dual=False)
    dual = _fastest(swept, dual=True)
    return [
        Bar("100 cells, full-parameter flows and fits on two cores, against the loop on one",
            ratio(loop["seconds"], full.seconds if full else None), ">=", 15.0, extrapolated=extrapolated),
        Bar("the same, largest error of a limit", max(full.errors) if full else None, "<=", 1e-7, unit=""),
        Bar("100 cells with `dual`", ratio(loop["seconds"], dual.seconds if dual else None), ">=", 60.0,
            extrapolated=extrapolated),
    ]  # fmt: skip


def _fastest(swept: dict[str, Swept], *, dual: bool) -> Swept | None:
    found = [each for name, each in swept.items() if ("dual" in name) == dual]
    return min(found, key=lambda each: each.seconds, default=None)


def _predicted_steps(problem: Problem) -> float:
    """The loop follows the flow closely at this step size, so it needs as many steps as the flow needs time."""
    return crossing_time(problem, LOSS) / STEP


def _table(swept: dict[str, Swept], loop: dict[str, Any]) -> Table:
    header = ("what", "cores", "seconds", "the loop takes", "largest error")
    body = [
        (f"**{name}**", str(each.workers), number(each.seconds), f"{number(loop['seconds'] / each.seconds)} x",
         number(max(each.errors)))
        for name, each in swept.items()
    ]  # fmt: skip
    body.append((DESCENT, "1", number(loop["seconds"]), "1 x", "-"))
    return Table("5 shapes x 20 scales, d = 1000, N = 100", header, body)


def _loop_table(loop: dict[str, Any]) -> Table:
    header = ("cell", "seconds", "steps", "steps predicted")
    body = [
        (cell, number(each["seconds"]), str(each["steps"]), str(each["predicted"]))
        for cell, each in list(loop["measured_cells"].items())[:8]
    ]
    return Table(f"Cells of the loop that ran whole ({len(loop['measured_cells'])} of 100)", header, body)


def _notes(loop: dict[str, Any]) -> list[str]:
    told = (
        f"{loop['steps_predicted']} of the loop's {loop['steps']} steps are **extrapolated**: their number is the "
        f"flow's own time to the loss (reduced ODE, rtol 1e-6) over the step size, which was right to "
        f"{100 * loop['worst_prediction']:.2g} % in the cells that ran whole; their cost is the measured "
        f"{1e6 * loop['seconds_per_step']:.3g} microseconds a step. `make bench-full` runs all of them."
        if loop["steps_predicted"]
        else f"All {loop['steps']} steps of the loop were run."
    )
    return [
        told,
        "Experiments are data, fits of `implicit`, `l2` and `kernel`, flow at rtol 1e-8 and comparison, after one "
        "warm-up a worker; `l1` is left out.",
    ]
