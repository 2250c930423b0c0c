"""examples/batch.py against a real server and without one: what is refused is a row, and a second run is free."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serving import environment, shared_server

SCRIPT = Path(__file__).parents[2] / "examples" / "batch.py"
EXPERIMENT = """
experiment:
  dataset: {kind: sparse_regression, dimension: 40, samples: 8, sparsity: 2, test_samples: 10}
  model: {kind: diagonal}
  init: {kind: scale_shape, scale: 1e-2, shape: 0.5}
"""
SWEEP = """
sweep:
  base:
    dataset: {kind: sparse_regression, dimension: 40, samples: 8, sparsity: 2, test_samples: 10}
    model: {kind: diagonal}
    init: {kind: scale_shape, shape: 0.5}
    flow: {kind: none}
  axes: [{path: init.scale, values: [1e-3, 1e-1]}]
"""


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_server(request.config, tmp_path_factory)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "jobs"
    found.mkdir()
    (found / "a.yaml").write_text(EXPERIMENT)
    (found / "b.yaml").write_text(SWEEP)
    return found


def batch(folder: Path, data_dir: Path, *more: str) -> tuple[int, list[dict[str, str]], str]:
    table = folder.parent / "table.csv"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(table), *more], text=True, capture_output=True, timeout=120,
        env=environment(data_dir) | {"PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip
    assert table.exists(), done.stderr
    with table.open() as file:
        return done.returncode, list(csv.DictReader(file)), done.stderr


def test_a_directory_on_a_server_and_once_more(folder: Path, data_dir: Path) -> None:
    code, rows, told = batch(folder, data_dir)
    assert code == 0, told
    assert [row["file"] for row in rows] == ["a.yaml", "b.yaml", "b.yaml"]
    assert {row["outcome"] for row in rows} == {"converged"}
    assert float(rows[0]["relative_distance"]) < 1e-8
    again = batch(folder, data_dir)
    assert again[:2] == (0, rows)


def test_a_mistake_is_a_row_and_an_exit_code(folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "a.yaml").write_text(EXPERIMENT.replace("shape: 0.5", "shape: 1.5"))
    (folder / "b.yaml").write_text(SWEEP)
    (folder / "c.yaml").write_text("[")
    code, rows, told = batch(folder, tmp_path / "none", "--local")
    assert code == 1, told
    assert [row["status"] for row in rows] == ["refused", "succeeded", "succeeded", "refused"]
    assert rows[0]["error"]
    assert "2 without a result" in told
