"""A real server with one worker, and the command line run against it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from serving import command, environment, shared_server
from typer.testing import CliRunner

from initshape.cli.app import app


@dataclass(frozen=True)
class Done:
    """A finished command."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data directory of the running server."""
    return shared_server(request.config, tmp_path_factory)


@pytest.fixture
def initshape(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `initshape ...`, which finds the server by its data directory, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **more: str) -> Done:
        done = CliRunner().invoke(app, arguments, env=environment(data_dir) | more)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(data_dir: Path, tmp_path: Path) -> Run:
    """Runs `initshape ...` as a process: what computes there settles its own threads and compiler."""

    def run(*arguments: str, **more: str) -> Done:
        done = subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
            env=environment(data_dir) | more,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes a file and names it."""

    def to(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return to
