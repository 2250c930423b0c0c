"""Where a number was computed: library versions, host, device, commit."""

from __future__ import annotations

import functools
import os
import platform
import socket
from importlib import metadata
from pathlib import Path

from initshape.spec.result import Provenance, Resumed
from initshape.spec.version import NUMERICS_VERSION

_PACKAGES = ("initshape", "jax", "jaxlib", "numpy", "scipy")


def provenance(device: str, resumed: Resumed | None = None) -> Provenance:
    """The provenance of a computation on `device` in this process."""
    return Provenance(
        numerics_version=NUMERICS_VERSION,
        versions={"python": platform.python_version(), **_versions()},
        device=device,
        dtype="float64",
        host=socket.gethostname(),
        commit=_commit(),
        resumed=resumed,
    )


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _commit() -> str | None:
    """INITSHAPE_COMMIT (set by the images that we build), else the checkout that this file runs from."""
    if stated := os.environ.get("INITSHAPE_COMMIT"):
        return stated
    git = Path(__file__).parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).exists():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(" " + name)), None)
    except OSError:
        return None
