"""The command line as processes, against a real server and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from serving import command, environment

from initshape.client import connect
from tests.cli.conftest import Run

EXPERIMENT = """
name: small
experiment:
  dataset: {kind: sparse_regression, dimension: 20, samples: 5, sparsity: 2, test_samples: 10}
  model: {kind: diagonal}
  init: {kind: scale_shape, scale: 1e-2, shape: 0.5}
"""
SWEEP = """
name: small sweep
sweep:
  base:
    dataset: {kind: sparse_regression, dimension: 20, samples: 5, sparsity: 2, test_samples: 10}
    model: {kind: diagonal}
    init: {kind: scale_shape}
    flow: {kind: none}
  axes: [{path: init.scale, values: [1e-3, 1e-1]}, {path: init.shape, values: [0, 0.9]}]
"""
Write = Callable[[str, str], str]


def test_submit_wait_status_result_figure_list(initshape: Run, write: Write, tmp_path: Path) -> None:
    done = initshape("submit", write("e.yaml", EXPERIMENT), "--wait")
    assert done.returncode == 0, done.stderr
    id = done.stdout.split()[0]
    assert "converged" in done.stdout
    assert "implicit" in done.stdout
    assert id in done.stderr  # progress went to stderr

    assert initshape("status", id).stdout.startswith(f"{id}  succeeded  attempt 1  converged")
    document = json.loads(initshape("result", id, "--json", "--arrays", "a.npz").stdout)
    assert document["id"] == id
    assert (tmp_path / "a.npz").stat().st_size > 1000
    assert initshape("watch", id).returncode == 0

    assert initshape("figure", id, "loss", "-o", "loss.svg").stdout.strip() == "loss.svg"
    assert (tmp_path / "loss.svg").read_bytes().startswith(b"<?xml")
    assert initshape("figure", id, "-o", "loss.gif").returncode == 2
    assert initshape("figure", id, "pie").returncode == 2
    assert initshape("figure", id, "-o", "no/such/folder.png").returncode == 2

    listed = initshape("list", "--limit", "50")
    assert any(line.startswith(id) and line.endswith("small") for line in listed.stdout.splitlines())
    assert id in [job["id"] for job in json.loads(initshape("list", "--json").stdout)]


def test_a_sweep(initshape: Run, write: Write) -> None:
    done = initshape("submit", write("s.yaml", SWEEP), "--wait")
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[2:]] == [
        ["0.001", "0"], ["0.001", "0.9"], ["0.1", "0"], ["0.1", "0.9"],
    ]  # fmt: skip
    again = initshape("submit", write("s.yaml", SWEEP))
    assert "4 of 4 cells, 4 cached" in again.stdout
    id = again.stdout.split()[0]
    assert initshape("result", id, "--csv").stdout.startswith("scale,shape,id,status,outcome")
    assert initshape("result", id).stdout == done.stdout
    assert len(json.loads(initshape("result", id, "--json").stdout)["rows"]) == 4


def test_finished_but_not_converged(initshape: Run, write: Write) -> None:
    short = write("short.yaml", EXPERIMENT + "  stop: {max_time: 1e-3}\n")
    done = initshape("submit", short, "--wait")
    assert done.returncode == 4
    assert "reached_max_time" in done.stdout
    assert initshape("run", short).stdout == done.stdout


def test_the_same_without_a_server(initshape: Run, process: Run, write: Write, tmp_path: Path) -> None:
    nowhere = {"INITSHAPE_URL": "http://127.0.0.1:1"}
    file = write("e.yaml", EXPERIMENT)
    assert initshape("run", file, **nowhere).returncode == 3
    here = process("run", file, "--local", "--json", "--arrays", "here.npz", **nowhere)
    assert here.returncode == 0, here.stderr
    assert "here:" in here.stderr
    assert (tmp_path / "here.npz").exists()
    mine = json.loads(here.stdout)  # nothing else is on stdout
    theirs = json.loads(initshape("run", file, "--json").stdout)
    assert mine["id"] == theirs["id"]
    assert mine["comparisons"][0]["relative_distance"] < 1e-8
    assert abs(mine["flow"]["population_error"] - theirs["flow"]["population_error"]) < 1e-10

    sweep = write("s.yaml", SWEEP)
    assert process("run", sweep, "--local", **nowhere).stdout == initshape("run", sweep).stdout
    short = write("short.yaml", EXPERIMENT + "  stop: {max_time: 1e-3}\n")
    assert process("run", short, "--local", **nowhere).returncode == 4


def test_ctrl_c_detaches_and_a_cancelled_job_exits_1(initshape: Run, write: Write, data_dir: Path) -> None:
    # Given a job that keeps the one worker busy, and one that waits behind it
    busy = EXPERIMENT + "  flow: {kind: gradient_descent, step_size: 1e-9}\n  stop: {max_seconds: 6}\n"
    waiting = EXPERIMENT.replace("shape: 0.5", "shape: 0.25")
    follower = subprocess.Popen(
        command("submit", write("busy.yaml", busy), "--wait"), env=environment(data_dir), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert follower.stderr is not None
    told = follower.stderr.readline()  # the first line of progress: it is sent
    second = initshape("submit", write("waiting.yaml", waiting)).stdout.split()[0]

    # When the follower is interrupted and the waiting one is cancelled
    follower.send_signal(signal.SIGINT)
    output, remarks = follower.communicate(timeout=20)
    with connect(data_dir=data_dir, environment={}) as client:
        client._http.request("POST", f"/v1/experiments/{second}/cancel")

    # Then the follower says how to come back, its job goes on, and the other's end is an exit code
    assert follower.returncode == 130
    assert output == ""
    id = told.split(":")[0]
    assert f"initshape watch {id}" in remarks
    assert initshape("watch", second).returncode == 1
    assert initshape("result", second).returncode == 1
    assert initshape("watch", id).returncode == 4  # computed to the end of its time


def test_wrong_tokens_and_ids(initshape: Run) -> None:
    done = initshape("list", INITSHAPE_TOKEN="initshape_wrong")
    assert done.returncode == 2
    assert "INITSHAPE_TOKEN" in done.stderr
    assert initshape("status", "x-" + "a" * 26).returncode == 2
    assert initshape("status", "../../etc").returncode == 2
    assert initshape("no-such-command").returncode == 2


def test_a_reader_that_goes_away_is_no_error(data_dir: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("list"), env=environment(data_dir), stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert done.stderr == b""


def test_version(initshape: Run) -> None:
    assert initshape("version").stdout.startswith("initshape 0.")


def test_lists_by_fields_and_labels_that_change(initshape: Run, write: Callable[[str, str], str]) -> None:
    sent = initshape("submit", write("edit.yaml", EXPERIMENT.replace("name: small", "name: to be edited")), "--json")
    job = json.loads(sent.stdout)["id"]
    edited = json.loads(
        initshape("edit", job, "--name", "edited", "--tag", "one", "--tag", "two", "--keep", "--json").stdout
    )
    assert edited["pinned"]
    assert (edited["submitters"][0]["name"], edited["submitters"][0]["tags"]) == ("edited", ["one", "two"])
    listed = json.loads(initshape("list", "--tag", "two", "--where", "model.kind=diagonal", "--json").stdout)
    assert [entry["id"] for entry in listed] == [job]
    assert json.loads(initshape("list", "--tag", "two", "--where", "model.kind=single_neuron", "--json").stdout) == []
    assert not json.loads(initshape("edit", job, "--no-keep", "--tag", "", "--json").stdout)["pinned"]
    refused = initshape("list", "--where", "model.knd=diagonal")
    assert refused.returncode == 2
    assert "did you mean 'model.kind'?" in refused.stderr
    assert initshape("list", "--where", "diagonal").returncode == 2
    assert initshape("edit", job).returncode == 2
