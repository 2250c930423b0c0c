"""Flows that are interrupted go on from a snapshot: to the bit what they would have been, wherever they were cut."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flow_oracles import biased
from kink_oracles import random_case

from initshape.dual import integrate_dual
from initshape.dual import run as dual_run
from initshape.flows import (
    FlowSettings,
    FlowSolution,
    MarginSettings,
    driver,
    gradient_descent,
    integrate,
    integrate_margin,
)
from initshape.flows.gradient_descent import DescentSettings, descend
from initshape.flows.margin import driver as margin_driver
from initshape.models import Diagonal
from initshape.training.checkpoint import NOWHERE, Checkpoints, Snapshot, SnapshotError
from initshape.training.snapshot_file import from_bytes, to_bytes

Flow = Callable[[Checkpoints], FlowSolution]
CASE = biased(4)
WATCHED: dict[str, Any] = {"observers": {"a": np.arange(1.0, 9.0)}, "coordinates": [0, 3, 7]}
SETTINGS = FlowSettings(points=12)
D, N = 8, 5


def classification(loss: str) -> Flow:
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((N, D)), rng.choice([-1.0, 1.0], N)
    theta = np.full(4 * D, 0.1**0.5)
    settings = MarginSettings(log_train_loss=-300.0, points=15)
    return lambda at: integrate_margin(Diagonal(2, D), theta, X, y, settings, loss=loss, **WATCHED, checkpoints=at)


def descent(**settings: Any) -> Flow:
    chosen = DescentSettings(**({"step_size": 0.02, "points": 12, "relative_residual": 1e-8} | settings))
    return lambda at: descend(*CASE, chosen, **WATCHED, checkpoints=at)


def flow(**settings: Any) -> Flow:
    return lambda at: integrate(*CASE, dataclasses.replace(SETTINGS, **settings), **WATCHED, checkpoints=at)


def dual(depth: int, **settings: Any) -> Flow:
    case, chosen = biased(4, depth=depth), dataclasses.replace(SETTINGS, **settings)
    return lambda at: integrate_dual(*case, chosen, **WATCHED, checkpoints=at)


def rectified(seed: int, depth: int) -> Flow:
    case = random_case(seed, depth, "relu")
    settings = FlowSettings(rtol=1e-6, points=12, max_time=30.0, completion=False)
    return lambda at: integrate(*case, settings, checkpoints=at)


FLOWS: dict[str, Flow] = {
    "radau": flow(),
    "radau, thinned rows": flow(points=4),
    "radau, lowered thresholds": flow(completion=False, relative_residual=1e-12),
    "tsit5": flow(integrator="tsit5", rtol=1e-5, relative_residual=1e-4),
    "gradient descent": descent(),
    "momentum and mini-batches": descent(momentum=0.5, batch_size=2, seed=3),
    "dual": dual(2),
    "dual, deep": dual(3, points=5),
    "margin, logistic": classification("logistic"),
    "kinks": rectified(2, 2),
}


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many cuts in little time."""
    for module in (driver, margin_driver):
        monkeypatch.setattr(module, "FIRST_BLOCK", 2)
        monkeypatch.setattr(module, "LARGEST_BLOCK", 6)
    monkeypatch.setattr(gradient_descent, "LARGEST_BLOCK", 64)
    monkeypatch.setattr(dual_run, "PROGRESS_SECONDS", 0.0)


class KilledError(Exception):
    """The process has come to an end."""


class Shelf:
    """Keeps the snapshot after so many blocks, as bytes, and ends the run there."""

    def __init__(self, blocks: int) -> None:
        self.left, self.kept = blocks, b""

    def save(self, take: Callable[[], Snapshot]) -> None:
        self.left -= 1
        if self.left == 0:
            self.kept = to_bytes(take())
            raise KilledError


def blocks_of(run: Flow) -> int:
    """How many snapshots a quiet run offers."""
    count = 0

    def save(_: Callable[[], Snapshot]) -> None:
        nonlocal count
        count += 1

    run(Checkpoints(save=save))
    return count


def interrupted(run: Flow, blocks: int, resume: Snapshot | None = None) -> Snapshot:
    shelf = Shelf(blocks)
    with pytest.raises(KilledError):
        run(Checkpoints(resume, shelf.save))
    return from_bytes(shelf.kept)


def assert_same(found: FlowSolution, want: FlowSolution) -> None:
    """Every field but the seconds, to the bit."""
    for field in dataclasses.fields(FlowSolution):
        if field.name in ("seconds", "compile_seconds", "resumed_from", "trajectory", "effort"):
            continue
        np.testing.assert_array_equal(getattr(found, field.name), getattr(want, field.name), err_msg=field.name)
    assert found.trajectory.keys() == want.trajectory.keys()
    for name, array in want.trajectory.items():
        np.testing.assert_array_equal(found.trajectory[name], array, err_msg=name)
    assert {**found.effort, "blocks": 0} == {**want.effort, "blocks": 0}


@pytest.mark.parametrize("name", FLOWS)
def test_wherever_it_is_cut_no_bit_changes(name: str) -> None:
    cut_everywhere(FLOWS[name])


@pytest.mark.long
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", [2, 4, 7, 10])
def test_kinks_of_many_networks(seed: int, depth: int) -> None:
    cut_everywhere(rectified(seed, depth))


def cut_everywhere(run: Flow) -> None:
    quiet, count = run(NOWHERE), blocks_of(run)
    assert count >= 4
    for blocks in sorted({1, 2, *range(3, count, max(1, count // 5)), count}):
        snapshot = interrupted(run, blocks)
        assert snapshot.step > 0
        resumed = run(Checkpoints(resume=snapshot))
        assert resumed.resumed_from == snapshot.step
        assert_same(resumed, quiet)


@pytest.mark.parametrize("name", ["radau", "momentum and mini-batches", "dual, deep", "margin, logistic", "kinks"])
def test_many_interruptions_change_no_bit(name: str) -> None:
    """One block a life."""
    run, snapshot, lives = FLOWS[name], None, 0
    quiet = run(NOWHERE)
    while lives < 40:
        try:
            snapshot = interrupted(run, 1, snapshot)
        except pytest.fail.Exception:  # this life came to the end
            break
        lives += 1
    assert lives > 3
    assert_same(run(Checkpoints(resume=snapshot)), quiet)


def test_the_kinks_that_are_followed_are_there_to_be_cut() -> None:
    assert FLOWS["kinks"](NOWHERE).effort["kinks"] > 5


def test_time_before_the_interruption_counts() -> None:
    snapshot = interrupted(FLOWS["radau"], 3)
    arrays = {**snapshot.arrays, "seconds": np.asarray(50.0)}
    earlier = dataclasses.replace(snapshot, arrays=arrays)
    assert 50.0 < FLOWS["radau"](Checkpoints(resume=earlier)).seconds < 100.0
    assert flow(max_seconds=40.0)(Checkpoints(resume=earlier)).stopped_by == "max_seconds"


def test_progress_goes_on_where_it_stood() -> None:
    snapshot = interrupted(FLOWS["radau"], 5)
    seen: list[Any] = []
    integrate(*CASE, SETTINGS, **WATCHED, on_progress=seen.append, checkpoints=Checkpoints(resume=snapshot))
    assert (seen[0].steps, seen[0].fraction) == (snapshot.step, snapshot.fraction)


@pytest.mark.parametrize("name", ["radau", "gradient descent", "dual, deep", "margin, logistic", "kinks"])
def test_what_does_not_fit_is_ignored(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A snapshot of another method, of another size, and one with a part missing: the flow starts anew and says so."""
    run = FLOWS[name]
    quiet, good = run(NOWHERE), interrupted(run, 3)
    other = interrupted(FLOWS["tsit5"], 3)
    strange = [other, dataclasses.replace(other, route=good.route)]
    for part in good.arrays:
        less = {key: array for key, array in good.arrays.items() if key != part}
        strange.append(dataclasses.replace(good, arrays=less))
    for snapshot in strange[:2] + strange[2 :: 1 + len(strange) // 12]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = run(Checkpoints(resume=snapshot))
        assert found.resumed_from is None
        assert "ignored" in caplog.text
        assert_same(found, quiet)


def test_bytes_that_are_no_snapshot() -> None:
    good = to_bytes(interrupted(FLOWS["radau"], 2))
    for bad in (b"", b"PK", good[:-100], good[: len(good) // 2], to_bytes(Snapshot("x", 1, 0.5, {}))[:40]):
        with pytest.raises(SnapshotError):
            from_bytes(bad)
    with pytest.raises(ValueError, match="objects"):
        to_bytes(Snapshot("x", 1, 0.5, {"a": np.array([object()])}))
