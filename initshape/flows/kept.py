"""Compiled programs that outlive their process: from disk in a fraction of the time that tracing them takes.

Only on the CPU, and only where JAX has a cache of its own (JAX_COMPILATION_CACHE_DIR): programs lie in a folder inside.
That cache still spares a new process the compiler, not the tracing and lowering that its key is made from.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax

from initshape.flows.cache_hits import cache_hits
from initshape.flows.executable import dumped, loaded, signature
from initshape.flows.program_files import ProgramFiles
from initshape.flows.program_key import program_key

logger = logging.getLogger(__name__)

FOLDER = "programs"


def compile_or_load(
    function: Callable[..., Any],
    static: tuple[Hashable, ...],
    arguments: tuple[Any, ...],
    wanted: Mapping[str, bool | str] = MappingProxyType({}),
    known: Callable[[], Mapping[str, bool | str]] = dict,
) -> tuple[Any, float, float]:
    """`function(*static, *arguments)` for these shapes: the program, the seconds that it took now, and ever took.

    `wanted` are compiler options as the key names them, and `known()` those of them that this version of XLA knows.
    """
    start = time.perf_counter()
    files, key = _files(), None
    structure, shapes = signature(arguments)
    if files is not None:
        key = program_key(function, static, structure, shapes, wanted)
    if files is None or key is None:
        run, _ = _compiled(function, static, arguments, known())
        seconds = time.perf_counter() - start
        return run, seconds, seconds

    def anew() -> tuple[Any, float]:
        begun = time.perf_counter()
        run, results = _compiled(function, static, arguments, known(), key)
        seconds = time.perf_counter() - begun
        if results is not None:
            _keep(files, key, run, results, len(shapes), seconds)
        return run, seconds

    found = _load(files, key, arguments, lambda: anew()[0])
    run, cost = found or anew()
    return run, time.perf_counter() - start, cost


def _compiled(
    function: Callable[..., Any],
    static: tuple[Hashable, ...],
    arguments: tuple[Any, ...],
    options: Mapping[str, bool | str],
    key: str = "",
) -> tuple[Any, Any]:
    """The program and the structure of its results; None for that where JAX found the program in its own cache.

    What comes out of that cache cannot be stored again: its code would lack functions, which shows when it runs. The
    key is part of the program's name, hence of JAX's key, so that this happens only where a file was lost.
    """

    def named(*values: Any) -> Any:
        return function(*static, *values)

    named.__name__ = f"{function.__name__}_{key[:12]}" if key else function.__name__
    lowered = jax.jit(named, keep_unused=True).lower(*arguments)
    with cache_hits() as hits:
        run = lowered.compile(compiler_options=dict(options))
    return run, None if hits else lowered.out_tree


def _files() -> ProgramFiles | None:
    """Where programs are kept; None where they are not."""
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    wanted = bool(folder) and jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    return ProgramFiles(Path(folder) / FOLDER) if wanted and jax.default_backend() == "cpu" else None


def _load(
    files: ProgramFiles, key: str, arguments: tuple[Any, ...], anew: Callable[[], Any]
) -> tuple[Any, float] | None:
    read = files.read(key)
    if read is None:
        return None
    header, code = read
    try:
        return loaded(header, code, arguments, anew), float(header["seconds"])
    except Exception as error:  # noqa: BLE001 - inner names of jaxlib change: the program is compiled, then
        logger.warning("a kept program could not be used, it is compiled again: %s", error)
        return None


def _keep(files: ProgramFiles, key: str, run: Any, results: Any, arguments: int, seconds: float) -> None:
    try:
        found = dumped(run, results, arguments)
    except Exception as error:  # noqa: BLE001 - as above
        logger.info("a program cannot be kept: %s", error)
        return
    if found is not None:
        header, code = found
        files.write(key, {**header, "seconds": seconds}, code)
