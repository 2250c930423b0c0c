"""What one core of this machine does with a matrix: BLAS and LAPACK times at the sizes of a step, and bandwidth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

AIM = 0.2
"""Seconds spent on each measurement."""
LEAST = 5
"""Calls at least: the first touches memory that has no pages yet."""


@dataclass(frozen=True)
class Rates:
    """Seconds of one call at N samples and d features.

    `kernel`: the symmetric half of (X m) X^T, dsyrk (N^2 d flops). `cholesky`, `lu`: dpotrf, and zgetrf of a complex
    N x N. `stages`: three vectors times X or X^T, dgemm. `vector`: one vector times X, dgemv. `bandwidth`: bytes a
    second of a copy larger than the caches, reads and writes counted; `gemm_flops` of a large product.
    """

    kernel: float
    cholesky: float
    lu: float
    stages: float
    vector: float
    bandwidth: float
    gemm_flops: float


def measure(dimension: int, samples: int) -> Rates:
    """In this process, on whatever core it is pinned to."""
    from scipy.linalg.blas import dgemm, dgemv, dsyrk
    from scipy.linalg.lapack import dpotrf, zgetrf

    random = np.random.default_rng(0)
    X = np.asfortranarray(random.standard_normal((dimension, samples)))
    K = np.asfortranarray(X.T @ X / dimension + np.eye(samples))
    C = np.asfortranarray(K + 1j * np.eye(samples))
    W = np.asfortranarray(random.standard_normal((dimension, 3)))
    big = np.asfortranarray(random.standard_normal((1000, 1000)))
    source = np.ones(2**24)
    target = np.empty_like(source)
    return Rates(
        kernel=best(lambda: dsyrk(1.0, X, trans=1)),
        cholesky=best(lambda: dpotrf(K)),
        lu=best(lambda: zgetrf(C)),
        stages=best(lambda: dgemm(1.0, X, W, trans_a=1)),
        vector=best(lambda: dgemv(1.0, X, W[:, 0], trans=1)),
        bandwidth=2 * source.nbytes / best(lambda: np.copyto(target, source)),
        gemm_flops=2 * 1000**3 / best(lambda: dgemm(1.0, big, big)),
    )


def best(call: Callable[[], Any]) -> float:
    """The shortest of many calls: what the machine can do when nothing else disturbs it."""
    shortest, begun, calls = np.inf, time.perf_counter(), 0
    while calls < LEAST or time.perf_counter() - begun < AIM:
        start = time.perf_counter()
        call()
        shortest, calls = min(shortest, time.perf_counter() - start), calls + 1
    return float(shortest)
