"""The published figures: every file can be sent, and what it says it shows can be drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from initshape.client import Local
from initshape.figures import EXPERIMENT_KINDS, SWEEP_KINDS
from initshape.presets import Preset, examples, presets
from initshape.spec.evaluation_figure import parse_looks
from initshape.spec.expand import expand
from initshape.spec.parse import parse_submission, parse_sweep

ROOT = Path(__file__).parents[1]
PUBLISHED = {
    "shape_and_scale": 100, "distance": 1, "distance_diagonal": 6, "distance_neuron": 6, "margins": 5,
    "coordinates": 1, "step_size": 13, "regularizer_profile": 4, "regularizer_contours": 6,
}  # fmt: skip
"""Presets with their number of cells, or of lines or panels."""


def kinds(preset: Preset) -> list[str]:
    """The kinds of figure that the comment names."""
    return re.findall(r"kind=(\w+)", preset.shows)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_is_valid_and_says_what_it_shows(preset: Preset) -> None:
    if preset.kind == "regularizers":
        count = len(parse_looks(preset.document)[1])
    elif preset.kind == "sweep":
        count = len(expand(parse_sweep(preset.document).sweep))
        assert kinds(preset)
        assert set(kinds(preset)) <= set(SWEEP_KINDS)
    else:
        parse_submission(preset.document)
        count = 1
        assert kinds(preset)
        assert set(kinds(preset)) <= set(EXPERIMENT_KINDS)
    assert count == PUBLISHED[preset.name]
    assert preset.title[0].isupper()


def test_all_of_them_are_there_and_explained() -> None:
    assert {preset.name for preset in presets()} == set(PUBLISHED)
    assert examples() == ROOT / "examples"
    readme = (ROOT / "examples" / "README.md").read_text()
    for file in (*examples().glob("*.yaml"), *examples().glob("regularizers/*.yaml")):
        assert f"`{file.relative_to(examples())}`" in readme


def test_six_pairs_of_the_paper() -> None:
    """alpha in {0.01, 0.1} and s in {0, 0.5, 0.95}, d = 1000, N = 100, for both networks."""
    for name in ("distance_diagonal", "distance_neuron"):
        (preset,) = (preset for preset in presets() if preset.name == name)
        cells = expand(parse_sweep(preset.document).sweep)
        assert {(cell.values["init.scale"], cell.values["init.shape"]) for cell in cells} == {
            (alpha, s) for alpha in (0.01, 0.1) for s in (0, 0.5, 0.95)
        }
        assert {(c.experiment.dataset.dimension, c.experiment.dataset.samples) for c in cells} == {(1000, 100)}


@pytest.mark.long
@pytest.mark.parametrize("preset", [p for p in presets() if p.kind != "regularizers"], ids=lambda preset: preset.name)
def test_every_published_figure_is_drawn(preset: Preset) -> None:
    client = Local()
    send = client.submit_sweep if preset.kind == "sweep" else client.submit
    identity = send(preset.document)["id"]
    for kind in kinds(preset):
        assert client.figure(identity, kind).startswith(b"\x89PNG")
    if preset.name.startswith("distance_"):
        assert all(row["relative_distance"] <= 1e-8 for row in client.table(identity).rows)
