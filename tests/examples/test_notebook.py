"""The notebook as a newcomer runs it, from the first cell to the last, in a kernel of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat

NOTEBOOK = Path(__file__).parents[2] / "examples" / "shape_and_scale.ipynb"


def test_it_runs_and_shows(tmp_path: Path) -> None:
    # in a process of its own: kernels and their sockets are no part of these tests
    out = tmp_path / "run.ipynb"
    execute = (
        "import sys, nbformat; from nbclient import NotebookClient\n"
        "found = nbformat.read(sys.argv[1], 4)\n"
        "NotebookClient(found, timeout=120, kernel_name='python3').execute()\n"
        "nbformat.write(found, sys.argv[2])\n"
    )
    kernels = tmp_path / "kernels" / "python3"
    kernels.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": launch, "language": "python", "display_name": "Python 3"}
    (kernels / "kernel.json").write_text(json.dumps(kernel))
    done = subprocess.run(
        [sys.executable, "-c", execute, str(NOTEBOOK), str(out)], capture_output=True, text=True, timeout=200,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JUPYTER_PATH": str(tmp_path), "MPLBACKEND": "",
                          "IPYTHONDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outputs = [cell.get("outputs", []) for cell in nbformat.read(out, 4).cells]
    pages = [o["data"]["text/html"] for many in outputs for o in many if "text/html" in o.get("data", {})]
    assert sum("<svg" in page for page in pages) >= 3  # the state, the sweep, the result
    assert any("image/png" in o.get("data", {}) for many in outputs for o in many)
    assert max(map(len, outputs)) <= 3, "progress is one output that moves"
    assert not [o for many in outputs for o in many if o["output_type"] == "stream" and o["name"] == "stderr"]


def test_it_is_kept_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, 4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
