"""Commands of the documentation, as a newcomer types them: block by block, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import environment, shared_server

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_server(request.config, tmp_path_factory)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every block that is meant to run; what is `console` starts servers or installs."""
    return re.findall(r"^```(sh|python)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "count"),
    [("docs/quickstart.md", 5), ("docs/python.md", 1), pytest.param("README.md", 2, marks=pytest.mark.long)],
)
def test_what_it_says_runs(page: str, count: int, data_dir: Path, tmp_path: Path) -> None:
    found = blocks(ROOT / page)
    assert len(found) == count
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    # one shell for the whole page: later blocks use what earlier ones made
    script = "\n".join(
        text if language == "sh" else f"python - <<'BLOCK'\n{text}BLOCK" for language, text in found
    )  # fmt: skip
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, module in (("python", ""), ("initshape", " -m initshape.cli")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable}{module} "$@"\n')
        (tools / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=200,
        env=environment(data_dir) | {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": f"{tools}:{os.environ['PATH']}"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if page == "docs/quickstart.md":
        assert "exact" in done.stdout
        assert '"status":"succeeded"' in done.stdout  # curl
        assert len((tmp_path / "table.csv").read_text().splitlines()) == 11
        assert (tmp_path / "figure.svg").read_text().startswith("<?xml")
