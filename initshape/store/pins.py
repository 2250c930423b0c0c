"""What is kept for ever: pinned results, kept sweeps, and all that they need.

A result is pinned by users and by sweeps, each for itself; it expires again when the last of them lets go. What it
shares with others (data set, large sections, uploads) is held with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from initshape.store.keys import job_keys, key
from initshape.store.operation import Operation, Script

Family = Literal["dataset", "part", "given", "sweep"]


def pin_cells(sweep_id: str, cells: Sequence[str], on: bool) -> Operation[int]:
    """Pins the cells of a kept sweep, or lets go of them. Answers how many are known."""
    replies = yield [Script("pin", job_keys(cell), (cell, f"sweep:{sweep_id}", int(on))) for cell in cells]
    return sum(map(int, replies))


def prolonging(family: Family, name: str) -> Script:
    """The command that begins the lifetime of something anew, unless it is kept for ever."""
    return Script("prolong", (key(family, name),), (family, name))
