"""`initshape upload`, and files that name what it has sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[..., Any]

X = np.random.default_rng(9).normal(size=(3, 6))
Y = np.array([1.0, -2.0, 0.5])


def test_upload_submit_and_the_same_without_a_server(initshape: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    np.savez(tmp_path / "init.npz", a=2.0, w=np.linspace(0.1, 0.2, 6))
    sent, init = initshape("upload", "data.npz"), initshape("upload", "init.npz", "--init")
    assert (sent.returncode, init.returncode) == (0, 0), sent.stderr + init.stderr
    data_id, init_id = sent.stdout.strip(), init.stdout.strip()
    assert json.loads(initshape("upload", "data.npz", "--json").stdout)["id"] == data_id
    document = {
        "experiment": {
            "dataset": {"kind": "uploaded", "dataset_id": data_id},
            "model": {"kind": "single_neuron"},
            "init": {"kind": "uploaded", "init_id": init_id},
            "flow": {"kind": "none"},
            "regularizers": ["implicit", "l2"],
        }
    }
    (tmp_path / "e.json").write_text(json.dumps(document))
    remote = initshape("submit", "e.json", "--wait", "--json")
    local = initshape("run", "e.json", "--local", "--data", "data.npz", "--init", "init.npz", "--json")
    assert (remote.returncode, local.returncode) == (0, 0), remote.stderr + local.stderr
    ours, theirs = json.loads(remote.stdout), json.loads(local.stdout)
    assert ours["id"] == theirs["id"]
    assert np.isclose(ours["fits"][0]["value"], theirs["fits"][0]["value"], rtol=1e-10)
    without = initshape("run", "e.json", "--local")
    assert without.returncode == 2
    assert data_id in without.stderr


def test_mistakes_have_an_exit_code_and_no_traceback(initshape: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,y\n1,?\n")
    (tmp_path / "good.csv").write_text("y,a\n1,2\n")
    assert initshape("upload", "good.csv", "--label", "y").returncode == 0
    for arguments in (("bad.csv",), ("missing.npz",), ("e.txt",), ("good.csv", "--init"), ("good.csv", "--label", "z")):
        found = initshape("upload", *arguments)
        assert found.returncode == 2, arguments
        assert "Traceback" not in found.stderr
        assert found.stderr.startswith("initshape: ")
