"""What a compiled program depends on, as one key: what may be different of two programs, or of where they run."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Callable, Hashable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import initshape
from initshape.spec.version import NUMERICS_VERSION

_PACKAGES = ("jax", "jaxlib", "numpy", "scipy")
"""Those whose numbers or code are in a program: tables of coefficients are computed with NumPy and SciPy."""
_OF_A_PROCESSOR = ("vendor_id", "cpu family", "model", "model name", "flags", "Features")
_SOURCES = ("flows", "models", "training")


def program_key(
    function: Callable[..., Any],
    static: tuple[Hashable, ...],
    structure: Any,
    shapes: tuple[Any, ...],
    options: Mapping[str, Any],
) -> str | None:
    """The key of `function(*static, ...)` for arguments of this structure; None where it cannot be told from others.

    Function, static arguments, shapes and compiler options; sources of this package; versions of what it is made with;
    settings of JAX and XLA; the processor and what it can do.
    """
    described = json.dumps(
        [
            f"{function.__module__}.{function.__qualname__}",
            [f"{type(each).__module__} {each!r}" for each in static],
            str(structure),
            shapes,
            sorted((name, str(value)) for name, value in options.items()),
            _settings(),
            _machine(),
        ]
    )
    sources = _sources()
    if sources is None or " at 0x" in described:  # an address says nothing in another process
        return None
    return hashlib.sha256(f"{sources} {described}".encode()).hexdigest()


def _settings() -> list[Any]:
    """Settings of JAX and XLA in this process, but for where and what they keep."""
    values: Mapping[str, Any] = getattr(jax.config, "values", {})
    kept = sorted((name, str(value)) for name, value in values.items() if "cache" not in name)
    return [kept, bool(jax.config.jax_enable_x64), os.environ.get("XLA_FLAGS", "")]  # type: ignore[attr-defined]


@functools.cache
def _machine() -> list[Any]:
    versions = [(name, metadata.version(name)) for name in _PACKAGES]
    device = jax.devices()[0]
    return [
        NUMERICS_VERSION,
        platform.python_version(),
        versions,
        platform.machine(),
        [device.platform, device.device_kind, str(device.client.platform_version)],
        _processor(),
    ]


def _processor() -> list[str]:
    """Name and abilities of the first core, where the system tells: programs are made for all that it can do."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = []
            for line in file:
                if not line.strip():
                    break
                if line.split(":")[0].strip() in (
                    "vendor_id",
                    "cpu family",
                    "model",
                    "model name",
                    "flags",
                    "Features",
                ):
                    lines.append(" ".join(line.split()))
            return lines
    except OSError:
        return [platform.processor(), platform.platform()]


@functools.cache
def _sources() -> str | None:
    """Digest of the sources that programs are traced from; None where there are none to be read."""
    digest, package = hashlib.sha256(), Path(initshape.__file__).parent
    try:
        files = sorted(path for folder in _SOURCES for path in (package / folder).rglob("*.py"))
        for path in files:
            digest.update(f"{path.relative_to(package)} ".encode() + path.read_bytes())
    except OSError:
        return None
    return digest.hexdigest() if files else None
