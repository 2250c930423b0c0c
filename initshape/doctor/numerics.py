"""Python, JAX and the linear algebra, looked at in a process that is set up as a worker is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from initshape.doctor.finding import Finding, fail, ok, warn
from initshape.numerics_environment import one_core

_SECONDS: Final = 120.0
_OLDEST_PYTHON: Final = (3, 11)
_LOOK: Final = """
import json, os
import numpy as np
a = np.ones((300, 300)); a @ a
threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
import jax, scipy
import initshape.flows
x = jax.numpy.ones(3) / 3
print(json.dumps({"dtype": str(x.dtype), "threads": threads, "devices": sorted({d.platform for d in jax.devices()}),
                  "versions": {m.__name__: m.__version__ for m in (jax, np, scipy)}}))
"""


def check(environment: Mapping[str, str]) -> list[Finding]:
    """Versions, float64, and threads of a worker."""
    python = ".".join(map(str, sys.version_info[:3]))
    found = [
        ok("python", python)
        if sys.version_info >= _OLDEST_PYTHON
        else fail("python", python, "Install Python 3.11 or newer, and initshape in it.")
    ]
    as_worker = {**environment}
    one_core(as_worker)
    as_worker.setdefault("JAX_PLATFORMS", "cpu")
    command = [sys.executable, "-c", _LOOK]
    try:
        answer = subprocess.run(  # noqa: S603
            command, env=as_worker, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        seen = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        words = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        mend = "Install initshape again in a fresh environment, with --constraint constraints.txt."
        return [*found, fail("numerics", f"jax does not run: {' '.join(words)[:300]}", mend)]
    versions = ", ".join(f"{name} {number}" for name, number in seen["versions"].items())
    found.append(ok("jax", f"{versions}; devices: {', '.join(seen['devices'])}"))
    if seen["dtype"] == "float64":
        found.append(ok("float64", "computations are in double precision"))
    else:
        mend = "Unset JAX_ENABLE_X64 in the environment of the workers."
        found.append(fail("float64", f"jax computes in {seen['dtype']}", mend))
    found.append(_threads(seen["threads"], environment))
    return found


def _threads(seen: int | None, environment: Mapping[str, str]) -> Finding:
    variables = {name: environment[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
                 if environment.get(name, "1") != "1"}  # fmt: skip
    if variables or (seen is not None and seen > 1):
        told = ", ".join(f"{name}={value}" for name, value in variables.items()) or f"{seen} threads"
        mend = "Unset these variables: a worker owns one core, and a second thread makes small matrices slower."
        return warn("blas threads", f"a worker would use more than one thread ({told})", mend)
    return ok("blas threads", "one a worker")


def environment() -> dict[str, str]:
    """That of this process."""
    return dict(os.environ)
