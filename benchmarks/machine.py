"""What a table was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.cores import available
from initshape.provenance import provenance

EXTRA = ("diffrax", "matplotlib")


def machine() -> dict[str, Any]:
    """CPU, cores, memory, versions, commit, date and load average now, for JSON."""
    here = provenance("cpu")
    versions = {**here.versions, **{name: version for name in EXTRA if (version := _version(name))}}
    return {
        "cpu": _cpu(),
        "cores": len(available()),
        "memory_gib": round(_memory() / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": versions,
        "commit": (here.commit or _commit())[:12],
    }


def sentence(about: dict[str, Any]) -> str:
    """The same in one paragraph of Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"Measured {about['date']} by `{about['command']}` on {about['cpu']}, {about['cores']} cores, "
        f"{about['memory_gib']} GiB; load average at the start {about['load_average']}; commit {about['commit']}; "
        f"{versions}."
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    """What git says, where the checkout is not a plain one."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return asked.stdout.strip() or "unknown"


def _cpu() -> str:
    """The model by name; of a virtual machine that hides it, family and model number."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]))
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
