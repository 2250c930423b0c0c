"""The environment of a process that computes: set before JAX, without JAX."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from initshape.numerics_environment import XLA_FLAGS, one_core


def test_one_thread_everywhere_and_the_flag_against_the_deadlock() -> None:
    environment: dict[str, str] = {}
    one_core(environment)
    assert {environment[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")} == {"1"}
    assert environment["XLA_FLAGS"].split() == list(XLA_FLAGS)


def test_what_is_set_already_wins_and_calling_twice_adds_nothing() -> None:
    environment = {"OMP_NUM_THREADS": "4", "XLA_FLAGS": f"--xla_dump_to=here {XLA_FLAGS[0].split('=')[0]}=true"}
    one_core(environment)
    once = dict(environment)
    one_core(environment)
    assert environment == once
    assert environment["OMP_NUM_THREADS"] == "4"
    assert environment["XLA_FLAGS"].split() == ["--xla_dump_to=here", f"{XLA_FLAGS[0].split('=')[0]}=true"]


def test_the_compilation_cache_is_private(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    one_core(environment, compilation_cache=tmp_path / "cache")
    assert environment["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "cache")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_import_loads_no_jax_and_a_call_after_jax_is_refused() -> None:
    code = (
        "import sys; from initshape.numerics_environment import one_core; assert 'jax' not in sys.modules; one_core()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    import jax  # noqa: F401

    with pytest.raises(RuntimeError, match="before jax"):
        one_core()
