"""`initshape serve` as a real process tree, for tests of clients and of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from initshape.supervisor.place import Place

START_SECONDS = 90.0


def command(*arguments: str) -> list[str]:
    """`initshape ...` of this interpreter."""
    return [sys.executable, "-m", "initshape.cli", *arguments]


def environment(data_dir: Path) -> dict[str, str]:
    """One thread a process; nothing of the user's own server; programs beside the data directory, none made early."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INITSHAPE_")}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "INITSHAPE_DATA_DIR": str(data_dir),
        "INITSHAPE_COMPILATION_CACHE": str(data_dir.parent / "compiled"),
        "INITSHAPE_WARM": "0",
        "PYTHONWARNINGS": "default",
    }


@contextmanager
def serving(data_dir: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server on a free port, ready; stopped by SIGTERM at the end."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with (data_dir.parent / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            command("serve", "--port", "0", "--data-dir", str(data_dir), *options),
            stdout=log, stderr=log, env=environment(data_dir),
        )  # fmt: skip
    try:
        wait_for(lambda: Place(data_dir).announced() is not None or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, (data_dir.parent / "serve.log").read_text()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


_SHARED = pytest.StashKey[Path]()


def shared_server(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """Data directory of one server with one worker, started for the first test that asks and stopped after the last."""
    if _SHARED not in config.stash:
        path = factory.mktemp("serving") / "data"
        stack = ExitStack()
        stack.enter_context(serving(path, "--workers", "1"))
        config.add_cleanup(stack.close)
        config.stash[_SHARED] = path
    return config.stash[_SHARED]


def descendants(pid: int) -> dict[int, str]:
    """Processes that descend from `pid`, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found: dict[int, str] = {}
    front = [pid]
    while front:
        front = [child for child, parent in parents.items() if parent in front and child not in found]
        found |= {child: command_line(child) for child in front}
    return found


def command_line(pid: int) -> str:
    """The command of a process; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def gone(processes: dict[int, str]) -> bool:
    """Whether all of them have ended (a number that means another process now counts as gone)."""
    return all(not line or command_line(pid) != line for pid, line in processes.items())


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Returns as soon as `condition` holds, fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds:g} s"
        time.sleep(0.05)
