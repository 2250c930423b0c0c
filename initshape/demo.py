"""`initshape demo`: the published shape-and-scale sweep through a real server on this machine, over HTTP.

Starts a server (embedded Redis, workers, API) on a free port with its own data directory, sends the sweep and one
experiment for the distance figure, shows progress on stderr, prints the table on stdout, writes table and figures, and
stops the server. What is computed stays in the data directory: an interrupted demo goes on where it was, a second one
finds everything stored and prints the same bytes.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import initshape
from initshape.cli import show
from initshape.cli.documents import check, read_document
from initshape.cli.exits import Exit, complain
from initshape.cli.progress import Bar
from initshape.client import Client, Table, connect, is_over
from initshape.figures.cells import ending
from initshape.spec.problem import InitshapeError
from initshape.supervisor.child import end_with_parent
from initshape.supervisor.place import Place

COLUMNS = (
    "scale", "shape", "population_error", "relative_distance", "relative_residual", "kkt_residual", "outcome",
)  # fmt: skip
_START_SECONDS = 150.0
_STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Demo:
    """One run of the demo. `sweep` and `distance` replace the published submission files."""

    data_dir: Path
    output: Path
    workers: int
    sweep: Path | None = None
    distance: Path | None = None

    def run(self) -> int:
        """Exit code: as the command line's, 130 when interrupted."""
        began = time.monotonic()
        sweep = read_document(self.sweep or _example("shape_and_scale.yaml"))
        distance = read_document(self.distance or _example("distance.yaml"))
        check(sweep)
        check(distance)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            with _server(self.data_dir, self.workers) as client:
                code = self._over_http(client, sweep, distance)
        except KeyboardInterrupt:
            show.note("\nInterrupted; what is computed is kept. Run it again to go on.")
            return Exit.detached
        except _DemoError as error:
            complain(str(error))
            return Exit.job_failed
        show.note(f"{time.monotonic() - began:.1f} s in all; table and figures are in {self.output}/")
        return code

    def _over_http(self, client: Client, sweep: Mapping[str, Any], distance: Mapping[str, Any]) -> int:
        single = client.submit(distance)  # first: its sizes are compiled while the sweep's are, on another core
        sent = client.submit_sweep(sweep)
        with Bar(str(sweep.get("name") or "sweep")) as bar:
            bar.show(sent)
            for state in client.updates(sent["id"], every=0.5):
                bar.show(state)
        alone = client.wait(single["id"])
        table = client.table(sent["id"])
        print(show.table(table.axes, table.rows))
        print(_summary(table))
        self.output.mkdir(parents=True, exist_ok=True)
        (self.output / "table.csv").write_bytes(_csv(table))
        for form in ("png", "svg"):
            (self.output / f"shape_and_scale.{form}").write_bytes(client.figure(sent["id"], "scale_curve", form))
        if alone["status"] == "succeeded":
            (self.output / "distance.png").write_bytes(client.figure(single["id"], "distance", "png"))
        else:
            show.state(alone)
        code = show.exit_of(
            (row["outcome"] for row in table.rows), [alone["status"], *(r["status"] for r in table.rows)]
        )
        assert is_over(alone)  # noqa: S101
        return code


class _DemoError(InitshapeError):
    """The server did not come up."""


@contextlib.contextmanager
def _server(data_dir: Path, workers: int) -> Iterator[Client]:
    """`initshape serve` as a child process, until the end of the block."""
    place = Place(data_dir.absolute())
    place.create()
    command = [sys.executable, "-m", "initshape.cli", "serve", "--port", "0", "--workers", str(workers),
               "--data-dir", str(place.data_dir)]  # fmt: skip
    log = place.log("supervisor")
    with log.open("ab") as file:
        # its own session: Ctrl-C reaches the demo alone, which then stops the server in order
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
            preexec_fn=end_with_parent(os.getpid()),
        )
    try:
        show.note(f"starting a server with {workers} worker" + ("s" if workers > 1 else "") + f" in {data_dir}/ ...")
        url = _address(process, place, log)
        show.note(f"the server is ready at {url}")
        with connect(url, data_dir=place.data_dir, patience=30.0, environment={}) as client:
            yield client
    finally:
        # a second interrupt must not leave the server behind
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        signal.signal(signal.SIGINT, before)


def _address(process: subprocess.Popen[bytes], place: Place, log: Path) -> str:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            raise _DemoError(f"the server did not start (exit code {process.returncode}):\n{last}")
        said = place.announced()
        if said is not None and said.pid == process.pid:
            return said.url
        time.sleep(0.05)
    raise _DemoError(f"the server is not ready after {_START_SECONDS:g} s; see {log}")


def _csv(table: Table) -> bytes:
    """The columns of the demo, one row a cell; numbers as the shortest text that reads back the same."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        values = [row.get(name) for name in COLUMNS[:-1]]
        writer.writerow(["" if value is None else repr(value) for value in values] + [ending(row)])
    return text.getvalue().encode()


def _summary(table: Table) -> str:
    """The largest of what should be small."""
    parts = [f"{sum(row['outcome'] == 'converged' for row in table.rows)} of {len(table.rows)} cells converged"]
    for name, words in (("relative_distance", "relative distance"), ("fit_relative_residual", "residual of a fit")):
        found = [row[name] for row in table.rows if row.get(name) is not None]
        if found:
            parts.append(f"largest {words} {max(found):.1e}")
    return "; ".join(parts)


def _example(name: str) -> Path:
    """A submission file of the source tree."""
    for root in (Path.cwd(), Path(initshape.__file__).parent.parent):
        if (root / "examples" / name).is_file():
            return root / "examples" / name
    raise _DemoError(f"examples/{name} is not here: run the demo in the source tree, or give --sweep and --distance.")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
