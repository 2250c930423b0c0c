"""A real server with one worker, and the command line run against it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import command, environment, serving

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data directory of the running server."""
    path = tmp_path_factory.mktemp("cli") / "data"
    with serving(path, "--workers", "1"):
        yield path


@pytest.fixture
def initshape(data_dir: Path, tmp_path: Path) -> Run:
    """Runs `initshape ...` as a process that finds the server by its data directory."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
            env=environment(data_dir) | more,
        )  # fmt: skip

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes a file and names it."""

    def to(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return to
