"""How a long flow survives the end of its process: a snapshot between two blocks, from which another process goes on.

A flow offers a snapshot after each block; whoever called it decides when to take one and where it is kept. A flow that
is given one goes on from it as if it had never stopped: every number of its solution is that of an uninterrupted run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

logger = logging.getLogger(__name__)

Arrays = dict[str, npt.NDArray[Any]]


class SnapshotError(ValueError):
    """A snapshot is not of the flow that was to go on from it."""


@dataclass(frozen=True)
class Snapshot:
    """A flow between two blocks. `route` names the method, `step` and `fraction` say how far it had come.

    The arrays mean something to the method only. None of them holds objects.
    """

    route: str
    step: int
    fraction: float
    arrays: Mapping[str, npt.NDArray[Any]]

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def arrays_of(self, route: str) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays, for the method that they belong to. **Errors**: SnapshotError."""
        if self.route != route:
            raise SnapshotError(f"the snapshot is one of {self.route}, this flow is {route}")
        return self.arrays


def _not_kept(_: Callable[[], Snapshot]) -> None:
    """Nobody keeps snapshots."""


@dataclass(frozen=True)
class Checkpoints:
    """What a flow is given. `save` is called after each block with what makes a snapshot then; it may ignore it."""

    resume: Snapshot | None = None
    save: Callable[[Callable[[], Snapshot]], None] = field(default=_not_kept)

    def restore(self, put: Callable[[Snapshot], None]) -> int | None:
        """Lets `put` take over what was saved, if anything; answers the step of it.

        A snapshot that does not fit is ignored: `put` raises SnapshotError, before it changes anything.
        """
        if self.resume is None:
            return None
        try:
            put(self.resume)
        except SnapshotError as error:
            logger.warning("a snapshot is ignored, the flow starts anew: %s", error)
            return None
        return self.resume.step


NOWHERE = Checkpoints()


def part(arrays: Mapping[str, npt.NDArray[Any]], name: str, like: Any = None) -> npt.NDArray[Any]:
    """One array; with `like`, of its shape and type. **Errors**: SnapshotError."""
    if name not in arrays:
        raise SnapshotError(f"the snapshot has no {name}")
    found = arrays[name]
    if like is not None and (found.shape != np.shape(like) or found.dtype != np.asarray(like).dtype):
        raise SnapshotError(f"{name} is {found.dtype} {found.shape}, not {np.asarray(like).dtype} {np.shape(like)}")
    return found


def scalar(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Any:
    """One number. **Errors**: SnapshotError."""
    found = part(arrays, name)
    if found.shape != ():
        raise SnapshotError(f"{name} is not one number")
    return found.item()
