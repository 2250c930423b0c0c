"""CSV with a header: one row a sample, one column the label, every other column a feature."""

from __future__ import annotations

import csv
import io
import re
from array import array
from typing import Final

import numpy as np

from initshape.spec.dataset import LARGEST_SAMPLES
from initshape.spec.explain import nearest
from initshape.uploads.npz import Arrays
from initshape.uploads.refusal import refused, too_large

_LONGEST_NUMBER: Final = 1100
"""Characters; the exact decimal form of the longest binary64 takes some less."""
_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


def read_csv(data: bytes, limit: int, label: str | None = None) -> Arrays:
    """X and y; the label is the column `label`, else the last. Errors: SpecError, 413 above `limit` bytes, else 422."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused("", None, "UTF-8 text", "save the table as CSV in UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    numbers = array("d")
    try:
        names = next(rows, [])
        place = _label(names, label)
        for number, row in enumerate(rows, start=1):
            if not row:
                continue
            if len(row) != len(names):
                raise refused(f"/{number}", len(row), f"{len(names)} cells, like the header",
                              f"row {number} has another number of cells")  # fmt: skip
            numbers.extend(_cell(number, name, cell) for name, cell in zip(names, row, strict=True))
            if 8 * len(numbers) > limit:
                raise too_large("", 8 * len(numbers), limit)
            if len(numbers) > LARGEST_SAMPLES * len(names):
                raise refused("", number, f"at most {LARGEST_SAMPLES} rows", "send fewer samples")
    except csv.Error as error:
        raise refused(f"/{rows.line_num}", None, "comma-separated values", f"line {rows.line_num}: {error}") from None
    table = np.frombuffer(numbers, dtype=np.float64).reshape(-1, len(names))
    return {"X": np.delete(table, place, axis=1), "y": table[:, place].copy()}


def _label(names: list[str], label: str | None) -> int:
    """Which column holds the label; the header is checked on the way."""
    if len(names) < 2:
        raise refused("", len(names), "at least two columns",
                      "the first line names the columns, separated by commas: features, then the label")  # fmt: skip
    if any(_NUMBER.fullmatch(name) for name in names):
        raise refused("", names[0], "names of columns", "the first line has to name the columns")
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None) if len(names) < 2000 else None
    if twice is not None or len(set(names)) < len(names):
        raise refused("", twice, "each name once", "two columns have the same name")
    if label is None:
        return len(names) - 1
    if label not in names:
        close = nearest(label, names)
        hint = f"did you mean {close!r}?" if close else "name one of the header"
        raise refused("/query/label", label, "a column of the table", f"no column has this name: {hint}")
    return names.index(label)


def _cell(row: int, name: str, text: str) -> float:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise refused(f"/{row}/{name[:80]}", text, "a finite number, with a point",
                      "leave no cell empty, and take text columns out")  # fmt: skip
    return float(text)
