"""A function call in a fresh process on one core: what it returns, as JSON."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any

TIMEOUT = 400.0


def call(function: str, *arguments: Any, environment: dict[str, str] | None = None, timeout: float = TIMEOUT) -> Any:
    """`function` is module:name; arguments and result are JSON.

    **Errors**: RuntimeError with the last line of what it said, or that it took longer than `timeout` seconds.
    """
    command = [sys.executable, "-m", "benchmarks.isolated", function, json.dumps(arguments)]
    env = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{function} took longer than {timeout:g} s") from error
    if done.returncode:
        raise RuntimeError(f"{function} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def _main(function: str, document: str) -> None:
    from benchmarks.cores import pin
    from initshape.numerics_environment import one_core

    one_core()
    pin()
    module, name = function.split(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(document))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
