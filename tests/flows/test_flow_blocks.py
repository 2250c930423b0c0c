"""Compiled blocks: padding, cuts between blocks, progress, and what compiles anew."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from flow_oracles import biased
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.flows import FlowProgress, FlowSettings, driver, integrate, start
from initshape.flows.control import rounded_down
from initshape.flows.shapes import ALONE, bucket, feature_bucket, saved_rows

SETTINGS = FlowSettings(points=30)


@settings(deadline=None)
@given(size=st.integers(0, 10**7))
def test_buckets_hold_their_size_waste_little_and_are_few(size: int) -> None:
    padded = bucket(size)
    assert padded >= size
    assert bucket(padded) == padded
    assert bucket(size + 1) >= padded
    assert padded <= 1.125 * size + 1 or size <= 64
    assert padded <= max(8, 2 * size)


@settings(deadline=None)
@given(size=st.integers(0, 10**7))
def test_feature_buckets_are_coarser_while_features_are_cheap(size: int) -> None:
    padded = feature_bucket(size)
    assert padded >= bucket(size)
    assert feature_bucket(padded) == padded
    assert feature_bucket(size + 1) >= padded
    assert padded <= 1.125 * size + 1 or size <= 1024
    assert padded <= max(8, 2 * size)
    assert len({feature_bucket(d) for d in range(1025)}) == 8


def test_buckets_of_the_published_sizes() -> None:
    assert [bucket(n) for n in (0, 1, 8, 9, 64, 65, 100, 1000, 1024, 1025)] == [
        8,
        8,
        8,
        16,
        64,
        72,
        104,
        1024,
        1024,
        1152,
    ]
    with pytest.raises(ValueError, match="negative"):
        bucket(-1)


def test_saved_rows_keep_large_states_small() -> None:
    assert [saved_rows(size) for size in (1, 4000, 10**6, 10**9)] == [32, 32, 4, 4]
    assert [saved_rows(size, ALONE) for size in (1, 4000, 4 * 10**5, 10**9)] == [32, 32, 20, 4]


@settings(deadline=None)
@given(step=st.floats(1e-300, 1e300))
def test_steps_lie_on_a_grid_just_below_what_was_asked_for(step: float) -> None:
    kept = float(rounded_down(step))
    assert kept <= step <= kept * (1 + 2.0**-5)
    assert kept * 2.0**6 / 2.0 ** np.floor(np.log2(kept)) % 1.0 == 0.0
    assert float(rounded_down(kept)) == kept


def test_padded_and_unpadded_runs_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to rounding: step sizes follow an error estimate that is known to eps/rtol only, states to eps."""
    case = biased(4, dimension=9, samples=3)
    finite = replace(SETTINGS, max_time=2.0)
    padded, padded_limit = (
        integrate(*case, s, observers={"a": np.ones(9)}, coordinates=[8]) for s in (finite, SETTINGS)
    )
    monkeypatch.setattr(start, "bucket", lambda size: size)
    monkeypatch.setattr(start, "feature_bucket", lambda size: size)
    plain, plain_limit = (integrate(*case, s, observers={"a": np.ones(9)}, coordinates=[8]) for s in (finite, SETTINGS))
    assert plain.steps == padded.steps
    assert plain.effort["newton_iterations"] == padded.effort["newton_iterations"]
    scale = np.abs(plain.theta).max()
    np.testing.assert_allclose(plain.theta, padded.theta, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(plain_limit.theta, padded_limit.theta, rtol=0, atol=1e-12 * scale)
    assert plain_limit.time == pytest.approx(padded_limit.time, rel=1e-14)
    for name in ("time", "train_loss", "relative_residual", "w_trajectory", "distance_a"):
        np.testing.assert_allclose(plain.trajectory[name], padded.trajectory[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("points", "scale"), [(30, 0.3), (5, 1e-4)])
def test_cuts_between_blocks_change_no_bit(points: int, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where so few points are wanted that rows are thinned again and again on the way."""
    case = biased(4, scale=scale)
    settings = replace(SETTINGS, points=points)
    whole = integrate(*case, settings)
    monkeypatch.setattr(driver, "FIRST_BLOCK", 1)
    monkeypatch.setattr(driver, "LARGEST_BLOCK", 3)
    pieces = integrate(*case, settings)
    assert pieces.effort["blocks"] > 2 * whole.effort["blocks"]
    np.testing.assert_array_equal(pieces.theta, whole.theta)
    for name, array in whole.trajectory.items():
        np.testing.assert_array_equal(pieces.trajectory[name], array)


def test_the_same_run_twice_is_the_same_to_the_last_bit_and_compiles_once() -> None:
    case = biased(4)
    integrate(*case, SETTINGS)
    first, second = integrate(*case, SETTINGS), integrate(*case, SETTINGS)
    np.testing.assert_array_equal(first.theta, second.theta)
    assert (first.compile_seconds, second.compile_seconds) == (0.0, 0.0)
    assert second.seconds > 0.0


def test_tolerances_limits_and_sizes_within_a_bucket_compile_nothing() -> None:
    integrate(*biased(4), SETTINGS)
    others = replace(SETTINGS, rtol=1e-5, atol=1e-9, max_time=3.0, max_steps=50, points=7, relative_residual=1e-5)
    assert integrate(*biased(4), others).compile_seconds == 0.0
    for dimension, samples in ((5, 2), (6, 1), (8, 7)):
        assert integrate(*biased(4, dimension, samples), SETTINGS).compile_seconds == 0.0
    watched = {name: np.ones(8) for name in "abc"}
    assert integrate(*biased(4), SETTINGS, observers=watched, coordinates=range(8)).compile_seconds == 0.0


def test_progress_moves_forward_and_ends_near_one() -> None:
    seen: list[FlowProgress] = []
    found = integrate(*biased(4), SETTINGS, on_progress=seen.append)
    assert 1 < len(seen) <= found.effort["blocks"]
    assert all(a.time <= b.time and a.steps <= b.steps for a, b in itertools.pairwise(seen))
    assert all(0.0 <= progress.fraction <= 1.0 for progress in seen)
    assert (seen[-1].time, seen[-1].steps, seen[-1].fraction) == (found.time, found.steps, 1.0)


def test_what_progress_raises_ends_the_run() -> None:
    class CancelledError(Exception):
        pass

    def cancel(progress: FlowProgress) -> None:
        if progress.steps > 10:
            raise CancelledError

    with pytest.raises(CancelledError):
        integrate(*biased(4), SETTINGS, on_progress=cancel)
