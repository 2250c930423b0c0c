"""Commands for jobs that a server has, as people and as scripts see them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from serving import command, environment, wait_for

from tests.cli.conftest import Run

FIT = """
name: fit only
tags: [jobs]
experiment:
  dataset: {kind: sparse_regression, dimension: 20, samples: 5, sparsity: 2, test_samples: 10}
  model: {kind: diagonal}
  init: {kind: scale_shape, scale: 0.03, shape: 0.5}
  flow: {kind: none}
"""
BUSY = FIT.replace("flow: {kind: none}", "flow: {kind: gradient_descent, step_size: 1e-9}\n  stop: {max_seconds: 30}")
SWEEP = """
name: three
sweep:
  base:
    dataset: {kind: sparse_regression, dimension: 20, samples: 5, sparsity: 2, test_samples: 10}
    model: {kind: diagonal}
    init: {kind: scale_shape, shape: 0.25}
    flow: {kind: none}
  axes: [{path: init.scale, values: [0.011, 0.012, 0.013]}]
"""
Write = Callable[[str, str], str]


def test_a_sweep_from_preview_to_list(initshape: Run, write: Write) -> None:
    file = write("s.yaml", SWEEP)
    before = initshape("preview", file)
    assert "3 cells, 0 known" in before.stdout
    assert before.stdout.splitlines()[-3].split()[0] == "0.011"
    done = initshape("submit", file, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    id = json.loads(done.stdout)["id"]
    assert json.loads(initshape("preview", file, "--json").stdout)["counts"]["cached"] == 3
    listed = initshape("list", "--sweeps").stdout
    assert f"{id}  succeeded      3" in listed
    assert id in [sweep["id"] for sweep in json.loads(initshape("list", "--sweeps", "--json").stdout)]
    for also in ((), ("--failed",)):
        assert initshape("retry", id, *also).stdout.startswith(f"{id}  succeeded")  # nothing failed, nothing is queued
    for option, value, found in (
        ("--status", "succeeded", True), ("--status", "failed", False), ("--tag", "a", False),
        ("--name", "three", True), ("--name", "thre", False), ("--owner", "eve", False),
    ):  # fmt: skip
        listed = initshape("list", "--sweeps", option, value, "--json")
        assert (id in [sweep["id"] for sweep in json.loads(listed.stdout)]) is found, (option, value, listed.stderr)
    assert initshape("list", "--name", "three", "--status", "succeeded").stdout.count("three") == 3  # its cells
    assert initshape("list", "--sweeps", "--where", "init.shape=0.5").returncode == 2


def test_an_experiment_to_its_deletion(initshape: Run, write: Write) -> None:
    id = initshape("submit", write("e.yaml", FIT), "--wait").stdout.split()[0]
    assert initshape("cite", id).stdout.startswith("@inproceedings")
    assert "succeeded" in initshape("retry", id).stdout  # did not fail: left alone
    assert json.loads(initshape("status", id, "--json").stdout)["attempt"] == 1
    assert initshape("rerun", id, "--wait").returncode == 0
    assert json.loads(initshape("status", id, "--json").stdout)["attempt"] == 2
    assert json.loads(initshape("list", "--tag", "jobs", "--where", "init.scale=0.03", "--json").stdout)[0]["id"] == id
    assert initshape("list", "--where", "tag").returncode == 2
    assert json.loads(initshape("delete", id, "--json").stdout)[0]["answer"] == "deleted"
    assert initshape("status", id).returncode == 2


def test_files_of_results(initshape: Run, write: Write, tmp_path: Path) -> None:
    id = initshape("submit", write("e.yaml", FIT), "--wait").stdout.split()[0]
    sweep = json.loads(initshape("submit", write("s.yaml", SWEEP), "--wait", "--json").stdout)["id"]
    for option in ("--arrays", "--npz"):
        assert initshape("result", id, option, "a.npz").returncode == 0
        with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
            assert arrays["w_implicit"].shape == (20,)
    before = (tmp_path / "a.npz").read_bytes()
    for arguments, words in (
        (("result", id, "--arrays", "nowhere/a.npz"), "cannot be written: No such file"),
        (("result", id, "--csv"), "--csv is for sweeps"),
        (("result", sweep, "--arrays", "a.npz"), "--arrays is for experiments"),
        (("run", "s.yaml", "--arrays", "a.npz"), "--arrays is for experiments"),
        (("result", "x-" + "a" * 26, "--arrays", "a.npz"), "No experiment has the id"),
    ):
        done = initshape(*arguments)
        assert (done.returncode, words in done.stderr) == (2, True), done
    assert (tmp_path / "a.npz").read_bytes() == before  # nothing is written before there is something to write


def test_ctrl_c_among_many_then_cancel_and_retry(initshape: Run, write: Write, data_dir: Path) -> None:
    files = write("a.yaml", BUSY), write("b.yaml", BUSY.replace("shape: 0.5", "shape: 0.6"))
    follower = subprocess.Popen(
        command("submit", *files, "--wait"), env=environment(data_dir), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert follower.stderr is not None
    assert "0 of 2 ended" in follower.stderr.readline()
    follower.send_signal(signal.SIGINT)
    output, remarks = follower.communicate(timeout=20)
    assert follower.returncode == 130, remarks
    assert "go on" in remarks
    ids = [line.split()[0] for line in output.splitlines()[2:]]

    cancelled = initshape("cancel", *ids)
    assert cancelled.returncode == 0
    assert [line.split()[0] for line in cancelled.stdout.splitlines()[2:]] == ids
    wait_for(lambda: "cancelled" in initshape("status", ids[0]).stdout, 10)
    assert json.loads(initshape("retry", ids[1], "--json").stdout)["status"] in ("queued", "running")
    assert json.loads(initshape("cancel", ids[1], "--json").stdout)[0]["id"] == ids[1]
    wait_for(lambda: "cancelled" in initshape("status", ids[1]).stdout, 10)


def test_json_on_every_command_that_answers(initshape: Run, write: Write) -> None:
    assert json.loads(initshape("version", "--json").stdout)["numerics_version"]
    id = initshape("submit", write("e.yaml", FIT.replace("0.03", "0.04")), "--wait").stdout.split()[0]
    assert json.loads(initshape("cite", id, "--json").stdout)
    drawn = initshape("submit", write("s.yaml", SWEEP), "--wait", "--json")
    sweep = json.loads(drawn.stdout)["id"]
    told = json.loads(initshape("figure", sweep, "-o", "f.png", "--json").stdout)
    assert told["file"] == "f.png"
    assert told["bytes"] == os.path.getsize("f.png")


def test_files_that_a_document_names_are_checked_with_it(initshape: Run, write: Write, tmp_path: Path) -> None:
    X = np.random.default_rng(1).normal(size=(5, 20))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0])
    id = json.loads(initshape("upload", "data.npz", "--json").stdout)["id"]
    own = write("own.yaml", f"""
experiment:
  dataset: {{kind: uploaded, dataset_id: {id}}}
  model: {{kind: diagonal}}
  init: {{kind: scale_shape, scale: 0.1, shape: 0.5}}
""")  # fmt: skip
    assert initshape("validate", own).returncode == 2
    assert initshape("validate", own, "--data", "data.npz").stdout.startswith("valid  x-")
    assert initshape("validate", own, "--data", "none.npz").returncode == 2


def test_help_states_the_exit_codes(initshape: Run) -> None:
    told = " ".join(initshape("--help").stdout.split())
    for words in ("0 done", "1 job failed", "2 bad input", "3 server unreachable", "130 detached"):
        assert words in told
