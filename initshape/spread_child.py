"""One process of `spread`: runs the cells that it is sent, until the line is closed."""

from __future__ import annotations

import pickle
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

OF_THE_DATASET: Final = ("X", "y", "w_true")
"""Arrays of a result that the parent has, too."""
_QUIET_SECONDS: Final = 0.1
"""Between two words of progress of one stage."""


def main(number: int) -> None:
    """Reads chunks of (number, experiment, id), answers (number, progress, output or error)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, who decides
    from initshape.batch import Cell, run_many
    from initshape.regularizers import Neighbours
    from initshape.run import RunOutput

    connection, neighbours = Connection(number), Neighbours()
    while True:
        try:
            chunk = connection.recv()
            cells = [Cell(experiment, id, _reporter(connection, k)) for k, experiment, id in chunk]
            for place, end in run_many(cells, neighbours):
                if isinstance(end, RunOutput):
                    own = {name: array for name, array in end.arrays.items() if name not in OF_THE_DATASET}
                    end = replace(end, arrays=own)
                connection.send((chunk[place][0], _sendable(end)))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _reporter(connection: Connection, number: int) -> Callable[[Any], None]:
    told = ("", 0.0)

    def report(progress: Any) -> None:
        nonlocal told
        now = time.monotonic()
        if progress.stage != told[0] or now - told[1] > _QUIET_SECONDS:
            told = (progress.stage, now)
            connection.send((number, progress))

    return report


def _sendable(end: Any) -> Any:
    if not isinstance(end, BaseException):
        return end
    try:
        return pickle.loads(pickle.dumps(end))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - what cannot travel is told in words
        return RuntimeError(f"{type(end).__name__}: {end}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
