"""Cells of a sweep spread over one-core processes of this machine.

A second BLAS or XLA thread makes the small matrices here slower, and JAX does not survive a fork; so each process is a
fresh interpreter with one core, and no other device unless JAX_PLATFORMS says so. It is started as a program and not by
`multiprocessing`, which would run the caller's script again: a notebook, and a script without a main guard, need no
special care.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from initshape.batch import Cell
from initshape.datasets.shared import shared
from initshape.numerics_environment import THREADS, one_core
from initshape.run import RunOutput
from initshape.spec.estimate import estimate
from initshape.spread_child import OF_THE_DATASET

WORTH_SECONDS: Final = 4.0
"""Expected time below which starting processes costs more than it saves."""
_MOST_AT_ONCE: Final = 32


class ProcessDiedError(RuntimeError):
    """A process ended in the middle of a cell, killed perhaps for want of memory."""


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_spreading(cells: Sequence[Cell]) -> bool:
    """Whether the cells are expected to take longer than starting processes for them."""
    return len(cells) > 1 and sum(estimate(cell.experiment).seconds for cell in cells) > WORTH_SECONDS


def spread(cells: Sequence[Cell], processes: int) -> Iterator[tuple[int, RunOutput | BaseException]]:
    """As `batch.run_many`, on so many processes; ends come in any order.

    What breaks in one cell is its answer, the end of its process included. What a `report` raises ends them all.
    """
    waiting = deque(range(len(cells)))
    members = [_Member(cells) for _ in range(min(processes, len(cells)))]
    try:
        for member in members:
            member.take(waiting, len(members))
        while busy := [member for member in members if member.pending]:
            ready = wait([member.connection for member in busy])
            for member in busy:
                if member.connection not in ready:
                    continue
                yield from member.hear(waiting)
            for member in members:  # where one has died, those that were out of work get some
                if not member.pending and not member.dead:
                    member.take(waiting, len(members))
        for number in waiting:  # nobody is left to run them
            yield number, ProcessDiedError("All processes have died.")
    finally:
        for member in members:
            member.end()


class _Member:
    """One process and what it has been given."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self.pending: deque[int] = deque()
        self.dead = False
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-m", "initshape.spread_child", str(number)], pass_fds=[number], env=_environment()
            )
        self.connection = Connection(ours.detach())

    def take(self, waiting: deque[int], members: int) -> None:
        """Half of a fair share of what waits, so that no process has much left when the others have nothing."""
        count = min(_MOST_AT_ONCE, max(1, len(waiting) // (2 * members)), len(waiting))
        chosen = [waiting.popleft() for _ in range(count)]
        if not chosen:
            return
        self.pending.extend(chosen)
        with contextlib.suppress(OSError):  # it has died: the next `hear` says so
            self.connection.send([(k, self._cells[k].experiment, self._cells[k].id) for k in chosen])

    def hear(self, waiting: deque[int]) -> Iterator[tuple[int, RunOutput | BaseException]]:
        """One message; at the end of the process the rest of its cells wait again."""
        try:
            number, what = self.connection.recv()
        except (EOFError, OSError):
            self.dead = True
            code = self._process.wait()
            broken = self.pending.popleft()
            waiting.extendleft(reversed(self.pending))
            self.pending.clear()
            yield broken, ProcessDiedError(f"The process that ran this cell has ended with code {code}.")
            return
        if isinstance(what, RunOutput):
            self.pending.remove(number)
            yield number, self._whole(number, what)
        elif isinstance(what, BaseException):
            self.pending.remove(number)
            yield number, what
        else:
            self._cells[number].report(what)

    def _whole(self, number: int, output: RunOutput) -> RunOutput:
        """With the arrays of the data set, which all cells have in common and no process sends."""
        dataset = shared(self._cells[number].experiment.dataset)
        common = {name: getattr(dataset, name) for name in OF_THE_DATASET}
        arrays = {name: output.arrays[name] if name in output.arrays else common[name] for name in output.result.arrays}
        return replace(output, arrays=arrays)

    def end(self) -> None:
        """Closes the line, and does not wait for what nobody wants any more."""
        self.connection.close()
        self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    environment.setdefault("JAX_PLATFORMS", "cpu")
    one_core(environment)
    here, given = str(Path(__file__).parent.parent), environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([here, given] if given else [here])
    return environment
