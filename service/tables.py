"""The table of a sweep: one row a cell, a column an axis, then the scalars that people plot.

Nothing here depends on when or where a cell was computed, so the CSV of stored results is the same byte for byte.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from initshape.spec.expand import Cell
from initshape.spec.sweep import Replicate

SCALARS = (
    "id", "status", "outcome", "error", "population_error", "test_error", "train_loss", "relative_residual",
    "fit_relative_residual", "relative_distance", "cosine_distance", "kkt_residual", "excess_value", "exactness",
    "time", "steps", "stopped_by", "invariant_drift", "regime", "distance_to_l1", "distance_to_l2",
    "distance_to_kernel",
)  # fmt: skip
"""Columns after the axes, in this order. `kkt_residual` is that of the flow's end, the fit's own is in the result."""

MISSING = "missing"
"""Status of a cell whose record was deleted or has expired."""

_FLOW = ("test_error", "train_loss", "relative_residual", "time", "steps", "stopped_by", "invariant_drift")
_COMPARISON = ("relative_distance", "cosine_distance", "kkt_residual", "excess_value")
_REGIME = ("distance_to_l1", "distance_to_l2", "distance_to_kernel")

Row = dict[str, Any]


@dataclass(frozen=True)
class Labels:
    """What a sweep varied: the values of every cell by path, each distinct value kept once."""

    columns: dict[str, str]  # path -> column
    replicate: str | None  # the column to average over
    distinct: dict[str, list[Any]]
    index: dict[str, list[int | None]]  # path -> which of the distinct values each cell has

    @classmethod
    def of(cls, cells: Sequence[Cell], names: Mapping[str, str], replicate: Replicate | None) -> Self:
        """Labels of an expanded sweep; `names` are its columns by path."""
        distinct: dict[str, list[Any]] = {}
        index: dict[str, list[int | None]] = {}
        for path in names:
            places: dict[int, int] = {}  # cells share the values that the document gave them once
            values = [cell.values.get(path) for cell in cells]
            index[path] = [
                places.setdefault(id(value), len(places)) if path in cell.values else None
                for cell, value in zip(cells, values, strict=True)
            ]
            distinct[path] = list(
                {id(v): v for v, k in zip(values, index[path], strict=True) if k is not None}.values()
            )
        return cls(dict(names), names[replicate.path] if replicate else None, distinct, index)

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> Self:
        """From what `encode` gave."""
        return cls(stored["columns"], stored["replicate"], stored["distinct"], stored["index"])

    def encode(self) -> dict[str, Any]:
        """JSON for the store."""
        return {"columns": self.columns, "replicate": self.replicate, "distinct": self.distinct, "index": self.index}

    def values(self, cell: int) -> dict[str, Any]:
        """Path -> value of one cell; paths that this cell does not set are absent."""
        places = {path: index[cell] for path, index in self.index.items()}
        return {path: self.distinct[path][k] for path, k in places.items() if k is not None}


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
