"""One entry of a table as text, for people."""

from __future__ import annotations

import json
from typing import Any


def cell(value: Any) -> str:
    """Depends on the value alone, so that equal tables print equally."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.3e}"


def ending(row: Any) -> str:
    """Outcome of a cell of a sweep, or why it has none."""
    if row.get("outcome"):
        return str(row["outcome"])
    status = str(row.get("status"))
    return f"{status}: {row['error']}" if row.get("error") else status
