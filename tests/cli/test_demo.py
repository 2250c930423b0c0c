"""`initshape demo` with a small sweep: interrupted it goes on, run again it recomputes nothing and says the same."""

from __future__ import annotations

import csv
import signal
import subprocess
from pathlib import Path

import pytest
from serving import command, descendants, environment, gone, wait_for

from initshape.client import Client, ClientError, connect
from initshape.store import Store, jobs, sweep_listing
from initshape.store.server import RedisServer
from initshape.supervisor.place import Place

SWEEP = """
name: small
sweep:
  base:
    dataset: {kind: sparse_regression, dimension: 60, samples: 12, sparsity: 2, noise_variance: 0.01, test_samples: 10}
    model: {kind: diagonal}
    init: {kind: scale_shape}
  axes:
    - {path: init.scale, logspace: [-4, -0.6, 10]}
    - {path: init.shape, values: [0, 0.9, 0.99]}
"""
DISTANCE = """
experiment:
  dataset: {kind: sparse_regression, dimension: 60, samples: 12, sparsity: 2, noise_variance: 0.01, test_samples: 10}
  model: {kind: diagonal}
  init: {kind: scale_shape, scale: 1e-3, shape: 0.5}
  flow: {completion: off}
"""


@pytest.fixture
def demo(tmp_path: Path) -> list[str]:
    """The command."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "distance.yaml").write_text(DISTANCE)
    return command(
        "demo", "--sweep", "sweep.yaml", "--distance", "distance.yaml", "--data-dir", "data", "--output", "out",
        "--workers", "1",
    )  # fmt: skip


def finished_cells(client: Client) -> int:
    try:
        found = list(client.sweeps())
    except ClientError:
        return 0
    return int(found[0]["counts"]["succeeded"]) if found else 0


def attempts(data_dir: Path) -> dict[str, int]:
    """Attempts of every cell, read from the stopped server's files."""
    with RedisServer(data_dir) as server:
        store = Store(server.settings)
        ((sweep, _),) = store.run(sweep_listing.page(10)).sweeps
        found = store.run(jobs.read_many(sweep.cells))
        store.close()
    return {record.id: record.attempt for record in found if record is not None}


def test_interrupt_resume_and_cached_again(demo: list[str], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            demo, cwd=tmp_path, env=environment(data_dir), capture_output=True, text=True, timeout=150, check=False
        )

    # Given a demo that is interrupted when some cells are computed
    first = subprocess.Popen(
        demo, cwd=tmp_path, env=environment(data_dir), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: Place(data_dir).announced() is not None or first.poll() is not None, 90)
    with connect(data_dir=data_dir, patience=0.0, environment={}) as client:
        wait_for(lambda: finished_cells(client) >= 1 or first.poll() is not None, 60)
    started = descendants(first.pid)
    first.send_signal(signal.SIGINT)
    output, remarks = first.communicate(timeout=60)
    assert first.returncode == 130, remarks
    assert output == ""
    assert "Run it again" in remarks
    assert any("-m workers" in line for line in started.values())
    assert gone(started)

    # When it is run again
    second = run()

    # Then it goes on, and writes the table and the figures
    assert second.returncode == 0, second.stderr
    assert "cached" in second.stderr  # the cells of the first run were not computed again
    computed = attempts(data_dir)
    assert len(computed) == 30
    rows = list(csv.DictReader((tmp_path / "out/table.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        "scale", "shape", "population_error", "relative_distance", "relative_residual", "kkt_residual", "outcome",
    ]  # fmt: skip
    assert [row["outcome"] for row in rows] == ["converged"] * 30
    assert max(float(row["relative_distance"]) for row in rows) < 1e-7
    assert len(second.stdout.splitlines()) == 30 + 3
    for name, start in (
        ("shape_and_scale.png", b"\x89PNG"),
        ("shape_and_scale.svg", b"<?xml"),
        ("distance.png", b"\x89PNG"),
    ):
        picture = (tmp_path / "out" / name).read_bytes()
        assert picture.startswith(start)
        assert len(picture) > 10_000

    # And a third run finds everything stored: the same bytes, no attempt more, nothing left running
    table = (tmp_path / "out/table.csv").read_bytes()
    third = run()
    assert third.returncode == 0, third.stderr
    assert third.stdout == second.stdout
    assert (tmp_path / "out/table.csv").read_bytes() == table
    assert "30 cached" in third.stderr
    assert attempts(data_dir) == computed
    assert Place(data_dir).announced() is None
    assert " s in all" in third.stderr


def test_the_directory_of_another_server_is_refused(demo: list[str], tmp_path: Path) -> None:
    with RedisServer(tmp_path / "data"):
        done = subprocess.run(
            demo,
            cwd=tmp_path,
            env=environment(tmp_path / "data"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "in use by another server" in done.stderr
    assert "Traceback" not in done.stderr
