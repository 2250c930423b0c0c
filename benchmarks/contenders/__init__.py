"""Who races. Adding one is a file here that ends in its `FLOWS`, `FITS` or `SWEEPS`, and its name in `MODULES`."""

from __future__ import annotations

import importlib
from types import ModuleType

from benchmarks.contender import Contender
from benchmarks.sweep_contender import SweepContender

MODULES = (
    "gradient_descent",
    "diffrax_flows",
    "scipy_flows",
    "slsqp",
    "initshape_flow",
    "initshape_dual",
    "initshape_fit",
    "initshape_sweep",
)


def flows() -> list[Contender]:
    """Those that follow the flow of one network to its limit."""
    return [entry for module in _modules() for entry in getattr(module, "FLOWS", ())]


def fits() -> list[Contender]:
    """Those that minimise Q subject to X w = y."""
    return [entry for module in _modules() for entry in getattr(module, "FITS", ())]


def sweeps() -> list[SweepContender]:
    """Those that take a list of networks."""
    return [entry for module in _modules() for entry in getattr(module, "SWEEPS", ())]


def named(name: str) -> Contender:
    """The flow or fit of this name. **Errors**: KeyError."""
    return {entry.name: entry for entry in (*flows(), *fits())}[name]


def sweep_named(name: str) -> SweepContender:
    """The sweep of this name. **Errors**: KeyError."""
    return {entry.name: entry for entry in sweeps()}[name]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"benchmarks.contenders.{name}") for name in MODULES]
