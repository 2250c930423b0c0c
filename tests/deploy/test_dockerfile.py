"""deploy/Dockerfile: clean by hadolint, and its commands and files exist."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deploy_files import DEPLOY, NAME, ROOT, known_settings, module_of

TEXT = (DEPLOY / "Dockerfile").read_text()


def command_of(target: str) -> list[str]:
    stage = re.search(rf"^FROM \S+ AS {target}$(.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert stage, target
    found = re.search(r"^CMD (\[.*\])$", stage[1], re.MULTILINE)
    assert found, target
    return list(json.loads(found[1]))


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint has no wheel for this machine")
    done = subprocess.run([program, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("target", ["api", "worker", "gpu-worker"])
def test_commands_are_accepted_by_the_programs(target: str) -> None:
    command = command_of(target)
    module = module_of(command)
    assert importlib.util.find_spec(f"{module}.__main__"), module
    # --help ends before anything starts, but after an unknown option has been refused
    done = subprocess.run([sys.executable, *command[1:], "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    options = {word for word in command if word.startswith("--")}
    assert options <= set(re.findall(r"--[a-z-]+", done.stdout))


def test_workers_serve_the_queue_of_their_image() -> None:
    assert command_of("worker")[3:5] == ["--queue", "cpu"]
    assert command_of("gpu-worker")[3:5] == ["--queue", "gpu"]


def test_nothing_runs_as_root() -> None:
    run = TEXT.index(" AS run\n")
    assert re.search(r"^USER 10001$", TEXT[run:], re.MULTILINE)
    assert "USER root" not in TEXT[run:]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [line.split()[1:-1] for line in TEXT.splitlines() if line.startswith("COPY ") and "--from" not in line]
    sources = {source for line in copied for source in line}
    assert {"pyproject.toml", "constraints.txt", "initshape", "service", "workers", "deploy/tools"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), f"{source} is ignored"


def test_variables_are_ones_that_somebody_reads() -> None:
    assert {"INITSHAPE_COMMIT", "INITSHAPE_COMPILATION_CACHE"} <= set(NAME.findall(TEXT)) <= known_settings()
