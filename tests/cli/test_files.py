"""Submission files: what is wrong is told with a pointer and a hint, exit code 2, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from initshape.cli.app import app

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = """
experiment:
  dataset: {kind: sparse_regression, dimension: 20, samples: 5, sparsity: 2}
  model: {kind: diagonal}
  init: {kind: scale_shape, scale: 1e-2, shape: 0.5}
"""

BAD = {
    "not YAML": ("a: [1", "not YAML"),
    "not an object": ("- 1\n- 2\n", "does not hold an object"),
    "a number": ("3", "does not hold an object"),
    "empty": ("", "does not hold an object"),
    "an alias": ("a: &x 1\nb: *x\n", "aliases"),
    "no experiment": ("name: x\n", "experiment is required"),
    "an unknown key": (GOOD.replace("  init:", "  intit:"), "did you mean 'init'?"),
    "a shape outside": (GOOD.replace("shape: 0.5", "shape: 1.5"), "/experiment/init/shape = 1.5"),
    "a negative size": (GOOD.replace("samples: 5", "samples: -5"), "/experiment/dataset/samples = -5"),
    "text for a number": (GOOD.replace("scale: 1e-2", "scale: 'small'"), "JSON strings are never numbers"),
    "not a number": (GOOD.replace("scale: 1e-2", "scale: .nan"), "/experiment/init/scale"),
    "an unknown kind": (GOOD.replace("kind: diagonal", "kind: diagnal"), "did you mean 'diagonal'?"),
    "too sparse": (GOOD.replace("sparsity: 2", "sparsity: 30"), "/experiment/dataset/sparsity"),
    "both kinds": (GOOD + "sweep: {base: {}}\n", "/sweep"),
    "a sweep of nothing": ("sweep: {base: {}}\n", "a sweep needs something to vary"),
    "a bad cell": (
        "sweep:\n  base:" + GOOD.removeprefix("\nexperiment:").replace("\n", "\n  ")
        + "axes: [{path: init.shape, values: [0, 2]}]\n",
        "/sweep/axes/0/values/1",
    ),
    "a far path": ("sweep: {base: {}, axes: [{path: init.., values: [1]}]}", "/sweep/axes/0/path"),
}  # fmt: skip


@pytest.fixture
def runner() -> CliRunner:
    """Runs commands in this process."""
    return CliRunner()


@pytest.mark.parametrize("command", ["validate", "submit", "run"])
@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_bad_files(runner: CliRunner, tmp_path: Path, text: tuple[str, str], command: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text[0])
    done = runner.invoke(app, [command, str(file)])
    assert done.exit_code == 2, done.output
    assert text[1] in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_files_that_cannot_be_read(runner: CliRunner, tmp_path: Path) -> None:
    assert "No such file" in runner.invoke(app, ["validate", str(tmp_path / "no.yaml")]).stderr
    assert "is a directory" in runner.invoke(app, ["validate", str(tmp_path)]).stderr
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in runner.invoke(app, ["validate", str(tmp_path / "bytes.yaml")]).stderr
    (tmp_path / "twice.json").write_text('{"a": 1, "a": 2}')
    assert "'a' stands twice" in runner.invoke(app, ["validate", str(tmp_path / "twice.json")]).stderr


def test_a_good_experiment(runner: CliRunner) -> None:
    done = runner.invoke(app, ["validate", "-"], input=GOOD)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("valid  x-")
    found = json.loads(runner.invoke(app, ["validate", "-", "--json"], input=GOOD).stdout)
    assert found["spec"]["experiment"]["flow"]["kind"] == "gradient_flow"


def test_json_and_yaml_are_one_experiment(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "same.json"
    document = {
        "experiment": {
            "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2},
            "model": {"kind": "diagonal"},
            "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        }
    }
    file.write_text(json.dumps(document))
    ids = {
        json.loads(runner.invoke(app, ["validate", source, "--json"], input=GOOD).stdout)["id"]
        for source in (str(file), "-")
    }
    assert len(ids) == 1


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid(runner: CliRunner, file: Path) -> None:
    done = runner.invoke(app, ["validate", str(file)])
    assert done.exit_code == 0, done.output


def test_the_published_sweep(runner: CliRunner) -> None:
    found = json.loads(runner.invoke(app, ["validate", str(EXAMPLES / "shape_and_scale.yaml"), "--json"]).stdout)
    assert found["cells"] == 100
    data = found["spec"]["sweep"]["base"]["dataset"]
    assert (data["dimension"], data["samples"], data["sparsity"], data["noise_variance"]) == (1000, 100, 5, 0.01)


def test_no_server(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    done = runner.invoke(app, ["submit", str(file), "--url", "http://127.0.0.1:1"])
    assert done.exit_code == 3
    assert "initshape serve" in done.stderr


def test_commands_start_without_the_numerics() -> None:
    """Half a second for `submit` matters to whoever types it; jax alone would take longer."""
    code = (
        "import sys, initshape.cli.app, initshape.supervisor.serve; "
        "print([m for m in ('jax', 'scipy', 'matplotlib', 'fastapi', 'celery', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys, initshape.client; print([m for m in ('jax', 'scipy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
