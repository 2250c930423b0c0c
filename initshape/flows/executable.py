"""Machine code of a compiled program as bytes, and back: what JAX's own cache stores, without tracing to find it.

JAX's way to store an executable by hand pickles the structure of its results; here that is described in JSON and
rebuilt from the named tuples of this package. Everything that leans on inner names of jaxlib is in this file.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import numpy as np

logger = logging.getLogger(__name__)

_LIBRARIES: Final = ("lapack_", "blas_")
"""Calls out of the program that `_ready` makes good for; a program with others is not stored."""
_PACKAGES: Final = ("initshape.flows.", "initshape.training.")
_LEAF: Final = "*"
_SIZES: Final = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")


class Executable:
    """A program that was compiled by another process, called as `jax.stages.Compiled` is.

    Code that lacks something shows it when it first runs: `anew` then gives the program that takes its place.

    **Errors**: TypeError for arguments of another structure, shape or type than it was compiled for.
    """

    def __init__(
        self,
        loaded: Any,
        results: Any,
        arguments: tuple[Any, ...],
        memory: Mapping[str, int],
        anew: Callable[[], Callable[..., Any]],
    ) -> None:
        self._loaded, self._results, self._memory, self._anew = loaded, results, memory, anew
        self._expected = signature(arguments)
        self._device = jax.devices()[0]
        self._proven = False

    def __call__(self, *arguments: Any) -> Any:
        if self._loaded is None:
            return self._anew()(*arguments)
        leaves, structure = jax.tree.flatten(arguments)
        if (structure, shapes(leaves)) != self._expected:
            raise TypeError("the arguments are not those that the program was compiled for")
        arrays = [leaf if isinstance(leaf, jax.Array) else jax.device_put(leaf, self._device) for leaf in leaves]
        if self._proven:
            return jax.tree.unflatten(self._results, self._loaded.execute(arrays))
        try:
            found: Any = jax.block_until_ready(self._loaded.execute(arrays))  # type: ignore[no-untyped-call]
        except jax.errors.JaxRuntimeError as error:
            logger.warning("a kept program does not run, it is compiled again: %s", error)
            run = self._anew()
            self._loaded, self._anew = None, lambda: run
            return run(*arguments)
        self._proven = True
        return jax.tree.unflatten(self._results, found)

    def memory_analysis(self) -> Any:
        """Sizes in bytes under the names that XLA gives them."""
        return _Sizes(self._memory)


class _Sizes:
    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.__dict__.update(sizes)


def signature(arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Structure, and shapes and types of the leaves."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, shapes(leaves)


def shapes(leaves: list[Any]) -> tuple[Any, ...]:
    """Shape and type of each, plain numbers by their Python type."""
    return tuple((np.shape(leaf), np.dtype(getattr(leaf, "dtype", type(leaf))).str) for leaf in leaves)


def dumped(compiled: Any, results: Any, arguments: int) -> tuple[dict[str, Any], bytes] | None:
    """Header and code of a program with so many arguments, whose results have this structure; None: not storable."""
    loaded = compiled.runtime_executable()
    if len(loaded.get_parameter_layouts()) != arguments:
        return None  # constants became arguments of their own
    called = re.findall(r'custom_call_target="([^"]+)"', loaded.get_hlo_text())
    described = _described(results)
    if described is None or not all(name.startswith(_LIBRARIES) for name in called):
        return None
    sizes = compiled.memory_analysis()
    memory = {name: int(getattr(sizes, name, 0)) for name in _SIZES}
    return {"results": described, "memory": memory}, jax.devices()[0].client.serialize_executable(loaded)


def loaded(
    header: dict[str, Any], code: bytes, arguments: tuple[Any, ...], anew: Callable[[], Callable[..., Any]]
) -> Executable:
    """The program of `dumped`, or that of `anew` where it turns out not to run.

    **Errors**: any, where the file is of another making than the key says.
    """
    from jaxlib import _jax

    _ready()
    devices = jax.devices()[:1]
    found = devices[0].client.deserialize_executable(code, _jax.DeviceList(tuple(devices)))
    return Executable(found, jax.tree.structure(_rebuilt(header["results"])), arguments, header["memory"], anew)


def _ready() -> None:
    """JAX looks up LAPACK's functions when it lowers a program that needs them; here none is lowered."""
    lapack: Any = importlib.import_module("jaxlib.lapack")
    lapack.prepare_lapack_call("potrf_ffi", np.dtype(np.float64))


def _described(structure: Any) -> Any:
    """A structure of tuples and of named tuples of this package, for JSON; None where it holds anything else."""
    node = structure.node_data()
    if node is None:
        return _LEAF if structure.num_leaves == 1 else None
    kind, parts = node[0], [_described(child) for child in structure.children()]
    if any(part is None for part in parts):
        return None
    if kind is tuple:
        return ["", parts]
    name = f"{kind.__module__}:{kind.__qualname__}"
    return [name, parts] if name.startswith(_PACKAGES) and hasattr(kind, "_fields") else None


def _rebuilt(described: Any) -> Any:
    """An object of that structure. **Errors**: ValueError for a name that is no named tuple of this package."""
    if described == _LEAF:
        return 0
    name, parts = described
    children = [_rebuilt(part) for part in parts]
    if name == "":
        return tuple(children)
    module, _, kind = name.partition(":")
    found = getattr(importlib.import_module(module), kind, None) if name.startswith(_PACKAGES) else None
    if not (isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")):
        raise ValueError(f"{name} is no result of a compiled program")
    return found(*children)
