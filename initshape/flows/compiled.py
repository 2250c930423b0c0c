"""Compiled blocks, one for each set of shapes, compiled ahead of the run so that the compile time is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from initshape.flows.block import BlockResult, advance
from initshape.flows.executable import signature
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.kept import compile_or_load
from initshape.flows.loss import AbstractLoss
from initshape.models import AbstractModel

Block = Callable[..., BlockResult]

OPTIONS: dict[str, bool | str] = {
    # XLA on CPU can deadlock with it when a loop body holds several LAPACK calls.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
    # The older emitters compile this program in less than half the time, and it runs no slower.
    "xla_cpu_use_fusion_emitters": False,
    # A quarter to a third less time in the compiler than at the default level, for code of the same speed.
    "xla_backend_optimization_level": "1",
    # By default the code is split into 32 modules, for as many cores to compile: one core takes a fifth longer so.
    "xla_cpu_parallel_codegen_split_count": "1",
}
"""Compiler options for CPU; those that a version of XLA does not know are left out."""


class Program(NamedTuple):
    """A compiled block, and the seconds that getting it took in this call (0.0 when it was at hand).

    It is compiled or read from disk (`flows.kept`); `cost` is what compiling took when it was compiled.
    """

    run: Block
    compile_seconds: float
    cost: float

    @property
    def bytes(self) -> int:
        """Device memory that a call needs: arguments, results and what lies between; 0 where XLA does not say."""
        sizes = getattr(self.run, "memory_analysis", lambda: None)()
        names = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
        return sum(int(getattr(sizes, name, 0)) for name in names)


_programs: dict[Any, Program] = {}
_lock = threading.Lock()


def program(
    model: AbstractModel, loss: AbstractLoss, integrator: AbstractIntegrator, rows: int, arguments: tuple[Any, ...]
) -> Program:
    """The block for this model and these argument shapes; compiled at most once a process."""
    return compiled(advance, (model, loss, integrator, rows), arguments)


def compiled(function: Block, static: tuple[Hashable, ...], arguments: tuple[Any, ...]) -> Program:
    """`function(*static, *arguments)` for these argument shapes; compiled at most once a process."""
    structure, shapes = signature(arguments)
    key = (function, static, structure, shapes, jax.default_backend())
    with _lock:
        if key in _programs:
            return _programs[key]._replace(compile_seconds=0.0)
        _programs[key] = Program(*compile_or_load(function, static, arguments, OPTIONS, _known_options))
        return _programs[key]


@cache
def _known_options() -> dict[str, str | bool]:
    """Those of OPTIONS that apply, tried on a program that adds two numbers.

    All at once, since every trial delays the first compilation of a process; one by one only where that fails.
    """
    if jax.default_backend() != "cpu":
        return {}
    trial = jax.jit(jnp.add).lower(1.0, 1.0)
    if _compiles(trial, OPTIONS):
        return dict(OPTIONS)
    return {name: value for name, value in OPTIONS.items() if _compiles(trial, {name: value})}


def _compiles(trial: jax.stages.Lowered, options: dict[str, str | bool]) -> bool:
    try:
        trial.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:
        return False
    return True
