"""Answers for people. Scripts take --json."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from initshape.cli.exits import Exit
from initshape.figures.cells import cell, ending
from initshape.progress import progress_of

COLUMNS = (
    "population_error", "relative_distance", "relative_residual", "kkt_residual", "outcome",
)  # fmt: skip
"""What a table shows of a cell beside its place in the sweep."""


_PREVIEWED = 20
_FIT_COLUMNS = (
    "regularizer", "outcome", "exactness", "distance of flow", "kkt residual", "fit residual", "population error",
)  # fmt: skip


def as_json(value: Any) -> None:
    """JSON on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def grid(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns of plain text: numbers to the right. The same on a terminal, in a file, in a diff."""
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[k]) for row in texts)]) for k, name in enumerate(names)]
    lines = ["  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True))]
    lines.append("  ".join("-" * width for width in widths))
    lines += ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in texts]
    return "\n".join(line.rstrip() for line in lines)


def table(axes: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A sweep, one line a cell; a cell without a result shows its status as its outcome."""
    names = [*axes, *COLUMNS]
    return grid(names, ([row.get(name) for name in names[:-1]] + [ending(row)] for row in rows))


def state(found: Mapping[str, Any]) -> None:
    """A status, in a line or two. The answer to a submission knows neither attempt nor outcome, and none is shown."""
    if "counts" in found:
        print(f"{found['id']}  {found['status']}  {progress_of(found)[1]}")
        return
    attempt = f"attempt {found['attempt']}" if "attempt" in found else None
    told = progress_of(found)[1].removeprefix(found["status"]).removeprefix(", ")
    words = found.get("outcome") if found["status"] == "succeeded" else told
    print("  ".join(filter(None, (found["id"], found["status"], attempt, words))))
    if found.get("error"):
        print(f"  {found['error']['code']}: {found['error']['detail']}")
        if found["error"].get("advice"):
            print(f"  {found['error']['advice']}")


def result(found: Mapping[str, Any]) -> None:
    """A result document: how it ended, the flow, the theories, the regime."""
    print(f"{found['id']}  {found['outcome']}")
    if found.get("advice"):
        print(f"  {found['advice']}")
    if flow := found.get("flow"):
        extra = ""
        if completed := flow.get("completion"):
            method = "dual Newton" if flow["integrator"] == "dual" else "Gauss-Newton"
            extra = f", {completed['iterations']} {method} steps from {cell(completed['from_residual'])}"
        if flow["stopped_by"] == "closed_form":
            print(f"flow: {flow['outcome']}, the limit in closed form")
        else:
            print(f"flow: {flow['outcome']} by {flow['integrator']} at t = {cell(flow['time'])} after {flow['steps']} "
                  f"steps (stopped by {flow['stopped_by']}{extra})")  # fmt: skip
        names = ("relative_residual", "train_loss", "population_error", "test_error", "invariant_drift")
        print("  " + ", ".join(f"{name.replace('_', ' ')} {cell(flow.get(name))}" for name in names))
    distances = {c["regularizer"]: c for c in found.get("comparisons") or ()}
    rows = [
        (fit["regularizer"], fit["outcome"], fit["exactness"],
         distances.get(fit["regularizer"], {}).get("relative_distance"), fit.get("kkt_residual"),
         fit.get("relative_residual"), fit.get("population_error"))
        for fit in found.get("fits") or ()
    ]  # fmt: skip
    print(grid(_FIT_COLUMNS, rows))
    for fit in found.get("fits") or ():
        if fit.get("reason"):
            print(f"  {fit['regularizer']}: {fit['reason']}")
    if regime := found.get("regime"):
        print(f"regime: {regime['label']} (distance to l1 {cell(regime['distance_to_l1'])}, l2 "
              f"{cell(regime['distance_to_l2'])}, kernel {cell(regime['distance_to_kernel'])})")  # fmt: skip
    for text in found.get("notes") or ():
        print(f"note: {text}")


def validated(found: Mapping[str, Any]) -> None:
    """What would be computed."""
    cells = f"  {found['cells']} cells" if "cells" in found else ""
    print(f"valid  {found['id']}{cells}")
    estimate = found["estimate"]
    print(f"  about {estimate['seconds']:.2g} s on one core, {estimate['memory'] / 2**20:.0f} MiB")
    for warning in found["warnings"]:
        print(f"  warning: {warning}")


def previewed(found: Mapping[str, Any]) -> None:
    """What a sweep would do: counts, then the first cells."""
    counts, estimate = found["counts"], found["estimate"]
    print(f"{found['id']}  {counts['cells']} cells, {counts['cached']} known")
    print(f"  about {estimate['seconds']:.2g} s on one core, {estimate['memory'] / 2**20:.0f} MiB")
    for warning in found["warnings"]:
        print(f"  warning: {warning}")
    shown, axes = found["cells"][:_PREVIEWED], found["axes"]
    rows = ([*(one["values"].get(path) for path in axes), one["id"], one["status"]] for one in shown)
    print(grid([*axes.values(), "id", "status"], rows))
    if counts["cells"] > len(shown):
        print(f"({counts['cells'] - len(shown)} more: --json has them)")


def exit_of(outcomes: Iterable[str | None], statuses: Iterable[str] = ()) -> Exit:
    """0 done, 1 where the machinery failed, 4 where something did not converge."""
    if any(status in ("failed", "cancelled") for status in statuses):
        return Exit.job_failed
    fine = ("converged", "none_known", None)
    return Exit.done if all(outcome in fine for outcome in outcomes) else Exit.not_converged


def note(text: str) -> None:
    """A remark on stderr."""
    print(text, file=sys.stderr, flush=True)
