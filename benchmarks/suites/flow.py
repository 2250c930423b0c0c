"""One flow to its limit, cases A to D, against everything that a user would otherwise run."""

from __future__ import annotations

from benchmarks.contenders import flows
from benchmarks.contenders.gradient_descent import NAME as DESCENT
from benchmarks.contenders.initshape_dual import DUAL
from benchmarks.contenders.initshape_flow import FULL
from benchmarks.markdown import race_table
from benchmarks.outcome import Bar, Effort, Outcome, Table, ratio
from benchmarks.plots.flow import draw
from benchmarks.problem import CASES, Problem
from benchmarks.race import Row, has_its_own, race

DESCENT_LIMIT = 120.0
EXACT_ENOUGH = 1e-8
LOOSER = 1e-6
"""A tolerance at which this project's error is still below EXACT_ENOUGH; the explicit rivals get it as well."""
LOOSER_TOO = (FULL, "diffrax Tsit5", "diffrax Dopri8")
DENSE, DENSE_IN = ("diffrax Kvaerno5", "scipy LSODA", "scipy Radau"), ("A", "D")
"""They factor matrices of size 4d, and are stopped long before the end; `make bench` shows that in two cases only."""
HOURS = 3600.0


def run(effort: Effort) -> Outcome:
    """All contenders on all four cases, at one tolerance; some once more at a looser one."""
    rows: list[Row] = []
    everyone = flows()
    for case, (alpha, shape) in CASES.items():
        problem = Problem(alpha, shape)
        descent = [entry for entry in everyone if entry.name == DESCENT]
        left_out = () if effort.whole or case in DENSE_IN else DENSE
        others = [entry for entry in everyone if entry.name not in (DESCENT, *left_out)]
        looser = [entry for entry in everyone if entry.name in LOOSER_TOO]
        rows += race(descent, problem, HOURS if effort.whole else DESCENT_LIMIT, case=case)
        rows += race(others, problem, effort.limit, case=case)
        rows += race(looser, Problem(alpha, shape, rtol=LOOSER), effort.limit, case=case)
    draw(rows, "flow")
    return Outcome(_tables(rows), bars(rows), {"rows": rows, "limit_seconds": effort.limit}, notes(effort), "flow")


def bars(rows: list[Row]) -> list[Bar]:
    """Case A against gradient descent; ours is the fastest full-parameter run that is exact enough."""
    case = [row for row in rows if row["case"] == "A"]
    ours = [row for row in case if row["contender"] == FULL and row["finished"] and row["error"] <= EXACT_ENOUGH]
    best = min((row["seconds"] for row in ours), default=None)
    descent = next((row for row in case if row["contender"] == DESCENT), None)
    slow = descent["seconds"] if descent else None
    stopped = descent is not None and not descent["finished"]
    scaled = None if best is None or slow is None else best * 10.0 / slow
    return [
        Bar("flow, case A, to error 1e-8, against gradient descent to loss 1e-4", ratio(slow, best), ">=", 15.0,
            lower_bound=stopped),
        Bar("the same where that loop takes 10 s", scaled, "<=", 0.6, unit="s"),
    ]  # fmt: skip


def _tables(rows: list[Row]) -> list[Table]:
    tables = []
    for case, (alpha, shape) in CASES.items():
        here = [{**row, "rtol": _rtol(row)} for row in rows if row["case"] == case]
        mine = [row for row in here if row["contender"] == FULL and row["finished"] and row["rtol"] == "1e-08"]
        caption = f"Case {case}: alpha = {alpha:g}, s = {shape:g}"
        tables.append(race_table(caption, sorted(here, key=_order), mine[0] if mine else None, ("rtol",)))
    return tables


def _rtol(row: Row) -> str:
    return "-" if has_its_own(row["contender"]) else f"{row['rtol']:.0e}"


def _order(row: Row) -> tuple[bool, float]:
    return not row["finished"], row["seconds"]


def notes(effort: Effort) -> list[str]:
    """What the columns mean."""
    dense = "" if effort.whole else f" Implicit methods on 4d x 4d systems ran in cases {' and '.join(DENSE_IN)} only."
    return [
        "`error` is ||w - w*|| / ||w*|| with w* the exact limit in extended precision, `residual` ||X w - y|| / ||y||. "
        "Gradient descent stops at loss ||X w - y||^2 / N <= 1e-4, the others at relative residual 1e-10; an explicit "
        "method whose residual falls no more (it hovers near its tolerance) is charged up to where it stopped falling. "
        "Where `seconds` and `CPU s` differ, other processes had the core as well. "
        f"`times ours` is in units of `{FULL}` at rtol 1e-8 of the same run. Absolute tolerance of the rivals: rtol "
        "sqrt(alpha). The reduced dual knows the theory, so it is no simulation of the parameters; "
        f"`{DUAL}` is this project's own.",
        f"A contender that did not finish was stopped after {effort.limit:g} s (gradient descent: {DESCENT_LIMIT:g} "
        f"s), set-up and compilation not counted, and its ratio is a lower bound.{dense}",
    ]
