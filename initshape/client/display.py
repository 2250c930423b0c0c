"""What notebooks show of states, results and sweeps: a sentence, a table and a drawing, made of what is at hand.

Nothing is fetched and nothing raised; every text of a server is escaped. Colours are inherited, so that it reads in a
light and in a dark notebook.
"""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec

from initshape.figures.cells import cell, ending
from initshape.figures.inline import COLOURS, inline_svg, svg
from initshape.figures.sweep import scale_curve
from initshape.progress import progress_of
from initshape.spec.problem import InitshapeError

P = ParamSpec("P")
Json = Mapping[str, Any]
_MOST_ROWS = 12
_SWEEP_COLUMNS = ("population_error", "relative_distance", "kkt_residual", "regime")
_FIT_COLUMNS = ("regularizer", "outcome", "exactness", "distance of flow", "kkt residual", "fit residual",
                "population error")  # fmt: skip
_BOX = "color:inherit;background:transparent;font-size:13px;line-height:1.45"
_CELL = "padding:2px 10px;color:inherit;border:0;border-bottom:1px solid rgba(128,128,128,.35);text-align:"


def _never_raises(show: Callable[P, str]) -> Callable[P, str]:
    """A document of another release may lack anything: then the notebook falls back to its text."""

    @functools.wraps(show)
    def shown(*args: P.args, **kwargs: P.kwargs) -> str:
        try:
            return show(*args, **kwargs)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, InitshapeError):
            return f'<pre style="{_BOX}">{html.escape(repr(args[-1])[:2000])}</pre>'

    return shown


@_never_raises
def job(state: Json) -> str:
    """A state of an experiment or a sweep."""
    fraction, words = progress_of(state)
    names = ("id", "name", "status", "outcome", "attempt", "owner", "created", "finished", "eta")
    facts = {name: state.get(name) for name in names}
    error = state.get("error") or {}
    facts |= {"error": f"{error['code']}: {error['detail']}", "advice": error.get("advice")} if error else {}
    rows = [(name, value) for name, value in facts.items() if value is not None]
    return _box(bar(str(state["id"]), fraction, words), _grid((), rows))


@_never_raises
def result(found: Json) -> str:
    """A result document: how it ended, each theory, and how far the flow ended from it."""
    parts = [f"<div><b>{_escaped(found['outcome'])}</b> <code>{_escaped(found['id'])}</code></div>"]
    parts += [f"<div>{_escaped(found['advice'])}</div>"] if found.get("advice") else []
    if flow := found.get("flow"):
        time = "" if flow.get("time") is None else f" at t = {cell(flow['time'])}"
        told = ", ".join(f"{name.replace('_', ' ')} {cell(flow.get(name))}"
                         for name in ("relative_residual", "population_error", "invariant_drift"))  # fmt: skip
        parts.append(
            f"<div>flow by {_escaped(flow['integrator'])}: {_escaped(flow['outcome'])}{time}, stopped by "
            f"{_escaped(flow['stopped_by'])}; {told}</div>"
        )
    distances = {c["regularizer"]: c.get("relative_distance") for c in found.get("comparisons") or ()}
    rows = [
        (fit["regularizer"], fit["outcome"], fit["exactness"], distances.get(fit["regularizer"]),
         fit.get("kkt_residual"), fit.get("relative_residual"), fit.get("population_error"))
        for fit in found.get("fits") or ()
    ]  # fmt: skip
    parts += [_grid(_FIT_COLUMNS, rows), _distances(distances)]
    parts += [f"<div>note: {_escaped(text)}</div>" for text in found.get("notes") or ()]
    return _box(*parts)


@_never_raises
def table(axes: Sequence[str], rows: Sequence[Json]) -> str:
    """A sweep: the curve of its population errors, then the first cells; what failed comes first and is counted."""
    lost = [row for row in rows if row.get("status") in ("failed", "cancelled")]
    shown = (*axes, *_SWEEP_COLUMNS)
    first = sorted(rows, key=lambda row: row.get("status") not in ("failed", "cancelled"))[:_MOST_ROWS]
    grid = _grid((*shown, "outcome"), [[*(row.get(name) for name in shown), ending(row)] for row in first])
    counted = f"{len(rows)} cells" + (f", {len(lost)} without a result" if lost else "")
    more = (
        f"<div>{len(rows) - len(first)} more: <code>.to_frame()</code> has them</div>" if len(rows) > len(first) else ""
    )
    return _box(f"<div><b>{counted}</b></div>", _curve(axes, rows), grid, more)


def bar(title: str, fraction: float, words: str) -> str:
    """A bar with what is said beside it."""
    width, full = 240, max(0.0, min(1.0, fraction)) * 240
    parts = [
        f'<rect x="0.5" y="0.5" width="{width}" height="11" rx="3" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5"/>',
        f'<rect x="0.5" y="0.5" width="{full:.1f}" height="11" rx="3" fill="{COLOURS[0]}"/>',
    ]
    drawn = svg(width + 1, 12, f"{100 * fraction:.0f} %", parts)
    return f"<div>{drawn} {100 * fraction:.0f} % <code>{_escaped(title)}</code> {_escaped(words)}</div>"


def _curve(axes: Sequence[str], rows: Sequence[Json]) -> str:
    try:
        return inline_svg(scale_curve(rows, axes))
    except InitshapeError:  # nothing numeric was swept, or nothing has a result
        return ""


def _distances(distances: Mapping[str, float | None]) -> str:
    """Distance of the flow's end from each theory, to the left the nearer, on a logarithmic axis."""
    known = {name: value for name, value in distances.items() if value is not None and value > 0}
    if not known:
        return ""
    low = min(-1, math.floor(math.log10(min(known.values()))))
    high = max(0, math.ceil(math.log10(max(known.values()))))
    left, right, height = 120.0, 440.0, 22 * len(known) + 34

    def at(exponent: float) -> float:
        return left + (exponent - low) / (high - low) * (right - left)

    stride = math.ceil((high - low) / 7)
    parts = []
    for exponent in range(high, low - 1, -stride):
        parts.append(
            f'<line x1="{at(exponent):.1f}" y1="4" x2="{at(exponent):.1f}" y2="{height - 28}" stroke="currentColor" '
            f'stroke-opacity="0.15"/><text x="{at(exponent):.1f}" y="{height - 14}" text-anchor="middle" '
            f'fill="currentColor">1e{exponent}</text>'
        )
    for k, (name, value) in enumerate(known.items()):
        y = 22 * k + 16
        parts.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end" fill="currentColor">{_escaped(name)}</text>'
            f'<line x1="{left}" y1="{y}" x2="{at(math.log10(value)):.1f}" y2="{y}" stroke="{COLOURS[0]}" '
            f'stroke-width="2"/><circle cx="{at(math.log10(value)):.1f}" cy="{y}" r="5" fill="{COLOURS[0]}"/>'
        )
    parts.append(
        f'<text x="{(left + right) / 2}" y="{height - 1}" text-anchor="middle" fill="currentColor">relative distance '
        "of the flow's end from each minimiser</text>"
    )
    return svg(460, height, "Relative distance of the flow's end from the minimiser of each regularizer", parts)


def _grid(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    side = "right" if names else "left"
    head = "".join(f'<th scope="col" style="{_CELL}{side};font-weight:600">{_escaped(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(_entry(value, side) for value in row)}</tr>" for row in rows)
    heading = f"<thead><tr>{head}</tr></thead>" if head else ""
    return (
        f'<table style="border-collapse:collapse;color:inherit;background:transparent;font-size:13px;margin:6px 0">'
        f"{heading}<tbody>{body}</tbody></table>"
    )


def _entry(value: Any, side: str) -> str:
    kept = "" if isinstance(value, str) else ";white-space:nowrap"
    return f'<td style="{_CELL}{side}{kept}">{_escaped(cell(value))}</td>'


def _box(*parts: str) -> str:
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def _escaped(text: object) -> str:
    return html.escape(str(text))
