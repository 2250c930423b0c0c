"""Thread and compiler settings of a process that computes; to be called before JAX, NumPy or SciPy are imported.

Nothing here imports JAX, so that a supervisor can prepare the environment of its workers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from initshape.private import private_directory

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
"""One BLAS thread, and (NPROC) one XLA thread: a second one made a step several times slower."""

XLA_FLAGS = ("--xla_cpu_enable_concurrency_optimized_scheduler=false",)
"""Without it XLA on CPU can deadlock when a loop body holds several LAPACK calls."""


def one_core(environment: MutableMapping[str, str] | None = None, *, compilation_cache: Path | None = None) -> None:
    """Sets one thread a library and the XLA flags in `environment` (default: this process's).

    Variables that are set already win; flags are added to XLA_FLAGS. `compilation_cache` is where compiled programs
    are kept between processes: a directory private to one user, since whoever can write to it can run code here.

    **Errors**: RuntimeError when this process has imported JAX already, too late for the settings to act;
    PermissionError for a cache that others may write to.
    """
    if environment is None and "jax" in sys.modules:
        raise RuntimeError("one_core() must be called before jax is imported")
    target = os.environ if environment is None else environment
    for name in THREADS:
        target.setdefault(name, "1")
    flags = target.get("XLA_FLAGS", "").split()
    missing = [flag for flag in XLA_FLAGS if not any(given.split("=")[0] == flag.split("=")[0] for given in flags)]
    target["XLA_FLAGS"] = " ".join(flags + missing)
    if compilation_cache is not None:
        private_directory(compilation_cache)
        target.setdefault("JAX_COMPILATION_CACHE_DIR", str(compilation_cache))
        target.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
