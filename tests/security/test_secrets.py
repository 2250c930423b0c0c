"""Where secrets are not: command lines, environments, logs, and files that others may read. With real processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from initshape.private import private_directory
from initshape.supervisor.place import Place
from tests.serving import command, descendants, environment, shared_server


def test_a_running_server_shows_no_secret(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data_dir = shared_server(pytestconfig, tmp_path_factory)
    place = Place(data_dir)
    running = place.announced()
    assert running is not None
    password, token = (data_dir / "redis" / "password").read_text().strip(), place.read_token()
    assert token is not None
    family = [running.pid, *descendants(running.pid)]
    assert len(family) >= 4
    for pid in family:
        for what in ("cmdline", "environ"):
            try:
                shown = Path(f"/proc/{pid}/{what}").read_bytes()
            except OSError:  # it has ended
                continue
            assert password.encode() not in shown, (pid, what)
            assert token.encode() not in shown, (pid, what)
    for log in [*(data_dir / "logs").iterdir(), data_dir / "redis" / "server.log"]:
        text = log.read_text()
        assert password not in text, log
        assert token not in text, log


def test_nobody_else_reads_the_data(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    data_dir = shared_server(pytestconfig, tmp_path_factory)
    seen = [data_dir, *data_dir.rglob("*")]
    assert len(seen) > 8
    for path in seen:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path} {oct(mode)}"


def test_a_password_as_an_argument_is_refused(tmp_path: Path) -> None:
    line = command("serve", "--data-dir", str(tmp_path), "--redis-url", "redis://:hunter2@127.0.0.1:1/0")
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, env=environment(tmp_path))
    assert done.returncode == 2
    assert "INITSHAPE_REDIS_PASSWORD_FILE" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_compiled_programs_of_others_are_not_run(tmp_path: Path) -> None:
    cache = private_directory(tmp_path / "made")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="may be written to by other users"):
        private_directory(tmp_path / "open")
    done = subprocess.run(
        [sys.executable, "-m", "workers"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "INITSHAPE_COMPILATION_CACHE": str(tmp_path / "open")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "chmod 700" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a directory to somebody else")
def test_a_directory_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        private_directory(tmp_path / "theirs")
