"""The judgement of a soak tells a leak from noise, from caches that fill, and from steps up and down."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.soak.report import table, trends
from tests.soak.sample import processes, series
from tests.soak.slope import trend

SECONDS = np.arange(0.0, 3600.0, 5.0)
RNG = np.random.default_rng(5)


def points(values: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(SECONDS.tolist(), values.tolist(), strict=True))


def noise(size: float) -> np.ndarray:
    return RNG.normal(scale=size, size=SECONDS.size)


def test_noise_is_flat() -> None:
    found = trend("api MiB", points(200.0 + noise(4.0)))
    assert found.grows is False
    assert found.low <= 0.0 <= found.high


@pytest.mark.parametrize("share", [0.08, 0.2, 1.0])
def test_a_leak_is_found(share: float) -> None:
    found = trend("api MiB", points(200.0 * (1 + share * SECONDS / 3600.0) + noise(2.0)))
    assert found.grows is True
    assert found.slope == pytest.approx(200.0 * share, rel=0.15)


def test_a_warm_up_is_no_leak() -> None:
    assert trend("w1 child MiB", points(300.0 + 80.0 * (1 - np.exp(-SECONDS / 150.0)) + noise(1.0))).grows is False


def test_what_comes_and_goes_is_no_leak() -> None:
    assert trend("api files", points(30.0 + 4.0 * (np.floor(SECONDS / 90.0) % 2))).grows is False


def test_leaking_files_are_found_though_they_are_few() -> None:
    assert trend("api files", points(20.0 + np.floor(SECONDS / 300.0))).grows is True


def test_a_short_noisy_run_says_that_it_cannot_tell() -> None:
    short = [(second, value) for second, value in points(200.0 + noise(6.0)) if second < 120.0]
    assert trend("api MiB", short).grows is None


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="12 are needed"):
        trend("api MiB", [(float(k), 1.0) for k in range(12)])


def test_a_real_process_is_sampled() -> None:
    sample = processes({"this": os.getpid(), "nobody": 2**22 + 1})
    assert sample.keys() == {"this MiB", "this files"}
    assert 10.0 < sample["this MiB"] < 10_000.0
    assert sample["this files"] >= 3


def test_the_report_leaves_out_what_did_not_last() -> None:
    samples = [{"seconds": float(k), "api MiB": 100.0, **({"w1 child MiB": 50.0} if k < 20 else {})} for k in range(60)]
    assert len(series(samples)["w1 child MiB"]) == 20
    found = trends(samples)
    assert [one.name for one in found] == ["api MiB"]
    assert "| api MiB | 100 | 100 | +0.0 (+0.0 to +0.0) | 5.0 | flat |" in table(found)
