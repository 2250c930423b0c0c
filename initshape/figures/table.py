"""The table of a sweep: one row a cell, a column an axis, then the scalars that people plot.

Shared by the server and the in-process client. Nothing here depends on when or where a cell was computed, so the CSV of
the same results is the same byte for byte.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCALARS = (
    "id", "status", "outcome", "error", "population_error", "test_error", "train_loss", "relative_residual",
    "fit_relative_residual", "relative_distance", "cosine_distance", "kkt_residual", "excess_value", "exactness",
    "time", "steps", "stopped_by", "invariant_drift", "regime", "distance_to_l1", "distance_to_l2",
    "distance_to_kernel",
)  # fmt: skip
"""Columns after the axes, in this order. `kkt_residual` is that of the flow's end, the fit's own is in the result."""

_FLOW = ("test_error", "train_loss", "relative_residual", "time", "steps", "stopped_by", "invariant_drift")
_COMPARISON = ("relative_distance", "cosine_distance", "kkt_residual", "excess_value")
_REGIME = ("distance_to_l1", "distance_to_l2", "distance_to_kernel")

Row = dict[str, Any]


def column_names(columns: Mapping[str, str]) -> dict[str, str]:
    """Axis columns (path -> name), the whole path where the last segment is the name of a scalar."""
    return {path: path if name in SCALARS else name for path, name in columns.items()}


def row(
    identity: str, status: str, values: Mapping[str, Any], names: Mapping[str, str], result: Mapping[str, Any] | None,
    error: str | None,
) -> Row:  # fmt: skip
    """One cell. `result` is the result document, None where there is none: its scalars are then null."""
    found: Row = {name: values.get(path) for path, name in names.items()}
    found.update(dict.fromkeys(SCALARS))
    found.update(id=identity, status=status, error=error)
    if result is not None:
        found.update(_scalars(result))
    return found


def _scalars(result: Mapping[str, Any]) -> Row:
    flow = result["flow"] or {}
    fit = _of_implicit(result["fits"])
    comparison = _of_implicit(result["comparisons"])
    regime = result["regime"] or {}
    found = {name: flow.get(name) for name in _FLOW}
    found |= {name: comparison.get(name) for name in _COMPARISON}
    found |= {name: regime.get(name) for name in _REGIME}
    source = flow if result["flow"] is not None else fit
    return found | {
        "outcome": result["outcome"],
        "population_error": source.get("population_error"),
        "test_error": source.get("test_error"),
        "fit_relative_residual": fit.get("relative_residual"),
        "exactness": fit.get("exactness"),
        "regime": regime.get("label"),
    }


def _of_implicit(parts: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((part for part in parts if part["regularizer"] == "implicit"), {})


def to_csv(names: Sequence[str], rows: Iterable[Row]) -> bytes:
    """RFC 4180 with line feeds; numbers as the shortest text that reads back the same, null as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_field(row[name]) for name in names] for row in rows)
    return text.getvalue().encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return json.dumps(value, sort_keys=True)
    return repr(value)
