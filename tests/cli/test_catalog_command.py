"""`initshape catalog` and `initshape evaluate`: no server is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from initshape.catalog import catalog
from initshape.cli.app import app

EXAMPLES = Path(__file__).parents[2] / "examples" / "regularizers"
LOOK = """
model: {kind: diagonal}
init: {kind: scale_shape, scale: 0.1, shape: 0}
"""


@pytest.fixture
def runner() -> CliRunner:
    """Runs commands in this process."""
    return CliRunner()


def test_overview_names_everything(runner: CliRunner) -> None:
    lines = runner.invoke(app, ["catalog"]).stdout.splitlines()
    first = [line.split()[0] for line in lines if line.startswith("  ")]
    found = catalog()
    kinds = [kind["kind"] for section in ("models", "datasets", "initializations", "flows", "losses")
             for kind in found[section]]  # fmt: skip
    assert first == kinds + [entry["name"] for entry in found["regularizers"]]
    assert max(map(len, lines)) <= 160


@pytest.mark.parametrize("name", ["implicit", "summed_neurons", "diagonal", "gradient_descent", "losses", "explicit"])
def test_one_name(runner: CliRunner, name: str) -> None:
    done = runner.invoke(app, ["catalog", name])
    assert done.exit_code == 0
    found = json.loads(runner.invoke(app, ["catalog", name, "--json"]).stdout)
    for section, entries in found.items():
        for entry in entries:
            assert name in (section, entry.get("kind"), entry.get("name"))
            if "latex" in entry:
                assert entry["latex"] in done.stdout
                assert all(citation.splitlines()[0] in done.stdout for citation in entry["citations"])
            else:
                assert all(field["name"] in done.stdout for field in entry["fields"])
    assert sum(map(len, found.values())) >= 1


def test_whole_catalog_as_json(runner: CliRunner) -> None:
    assert json.loads(runner.invoke(app, ["catalog", "--json"]).stdout) == json.loads(json.dumps(catalog()))


def test_unknown_name(runner: CliRunner) -> None:
    done = runner.invoke(app, ["catalog", "diagnal"])
    assert done.exit_code == 2
    assert "did you mean 'diagonal'?" in done.stderr


def test_evaluate_prints_a_table(runner: CliRunner) -> None:
    text = LOOK + "what: [value, gradient, inverse]\npoints: [[0.0, 0.0], [1.0, -1.0]]\n"
    lines = runner.invoke(app, ["evaluate", "-"], input=text).stdout.splitlines()
    assert "exact, d = 2" in lines[0]
    assert lines[2].split() == ["value", "gradient", "inverse"]
    assert lines[4].split() == ["0", "[0,", "0]", "[0,", "0]"]


def test_evaluate_as_json(runner: CliRunner) -> None:
    text = LOOK + "grid: {axes: [{linspace: [-1, 1, 3]}]}\n"
    found = json.loads(runner.invoke(app, ["evaluate", "-", "--json"], input=text).stdout)
    assert found["axes"] == [[-1.0, 0.0, 1.0]]
    low, middle, high = found["arrays"]["value"]
    assert low == high > middle == 0.0


def test_evaluate_without_a_closed_form(runner: CliRunner) -> None:
    text = LOOK.replace("kind: diagonal", "kind: fully_connected, width: 3") + "points: [[1.0, 2.0]]\n"
    done = runner.invoke(app, ["evaluate", "-"], input=text)
    assert done.exit_code == 0
    assert "none known: neither strictly balanced" in done.stdout


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_drawn(runner: CliRunner, tmp_path: Path, file: Path) -> None:
    output = tmp_path / "figure.svg"
    done = runner.invoke(app, ["evaluate", str(file), "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert output.read_bytes().startswith(b"<?xml")
    table = runner.invoke(app, ["evaluate", str(file)])
    assert (table.exit_code, "this is a figure" in table.stderr) == (2, True)


def test_evaluate_refuses_what_is_wrong(runner: CliRunner, tmp_path: Path) -> None:
    done = runner.invoke(app, ["evaluate", "-"], input=LOOK)
    assert done.exit_code == 2
    assert "exactly one of points and grid" in done.stderr
    text = LOOK + "grid: {axes: [{linspace: [-1, 1, 3]}]}\n"
    assert runner.invoke(app, ["evaluate", "-", "-o", str(tmp_path / "x.gif")], input=text).exit_code == 2
