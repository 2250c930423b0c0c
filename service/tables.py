"""Tables of sweeps: what the store keeps of a sweep's labels, and the rows as they go out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from initshape.figures.table import SCALARS, Row, to_csv
from initshape.spec.expand import Cell, shown_values
from initshape.spec.sweep import Replicate

MISSING = "missing"
"""Status of a cell whose record was deleted or has expired."""


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
        shown = [shown_values(cell, names) for cell in cells]
        for path in names:
            places: dict[int, int] = {}  # cells share the values that the document gave them once
            values = [found.get(path) for found in shown]
            index[path] = [
                places.setdefault(id(value), len(places)) if path in found else None
                for found, value in zip(shown, values, strict=True)
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
        """Path -> value of one cell; paths that this cell has not are absent."""
        places = {path: index[cell] for path, index in self.index.items()}
        return {path: self.distinct[path][k] for path, k in places.items() if k is not None}


@dataclass(frozen=True)
class SweepTable:
    """All rows of a sweep, in its order. Written row by row, so that other threads get their turn in between."""

    id: str
    axes: tuple[str, ...]
    replicate: str | None
    rows: Sequence[Row]

    @property
    def columns(self) -> tuple[str, ...]:
        """The swept columns, then the scalars."""
        return (*self.axes, *SCALARS)

    def to_json(self) -> bytes:
        """The document `schemas.Table`."""
        head = {"id": self.id, "axes": self.axes, "replicate": self.replicate, "columns": self.columns}
        rows = ",".join(json.dumps(row, allow_nan=False) for row in self.rows)
        return f'{json.dumps(head)[:-1]}, "rows": [{rows}]}}'.encode()

    def to_csv(self) -> bytes:
        """The same as text."""
        return to_csv(self.columns, self.rows)
