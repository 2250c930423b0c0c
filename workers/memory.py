"""The memory of a job: a hard limit by the operating system, and what is said of a job that has reached it.

estimated beyond it          422 before anything is stored (`initshape.spec.estimate`)
asks for more than it        RLIMIT_DATA of a CPU child: numpy and XLA fail cleanly, the job fails, the child lives
holds more than it           the parent sees it (resident and swapped pages) and ends the child; this is what bounds GPU
                             workers, whose drivers map more than they use
the machine has no more      the kernel kills the child, and its count of such kills tells this from any other end
                             (`oom_kills`)

All four say `out_of_memory`. Other jobs of the child go back to the queue.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from initshape.spec.estimate import Limits
from initshape.spec.problem import JobError

logger = logging.getLogger(__name__)

HEADROOM: Final = 512 * 2**20
"""For libraries, compiled programs and XLA's threads, beside what a job may take."""
SLACK: Final = 512 * 2**20
"""So much later than the system's limit the parent acts: resident pages include the libraries' files."""


def limit_bytes() -> int:
    """INITSHAPE_MAX_JOB_MEMORY, which is also what the API lets in."""
    return int(os.environ.get("INITSHAPE_MAX_JOB_MEMORY", Limits.memory))


def bind() -> int | None:
    """Limits this process; answers the bound in bytes, None where the system does not tell or refuses."""
    taken = _status(os.getpid(), "VmData")
    if not taken:
        return None
    bound = taken + HEADROOM + limit_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    except (OSError, ValueError) as error:
        logger.warning("no memory limit: %s", error)
        return None
    return bound


def held_bytes(pid: int) -> int:
    """Resident and swapped pages of a process; 0 where there is none, or it has ended."""
    return _status(pid, "VmRSS") + _status(pid, "VmSwap")


def ran_out(why: str, document: Mapping[str, Any] | None) -> JobError:
    """The error object of a job that needs more memory than there is, with its sizes."""
    dataset, model = ((document or {}).get(name) or {} for name in ("dataset", "model"))
    sizes = [f"{name} {part[name]}" for part in (dataset, model) for name in _SIZES if name in part]
    about = f" Sizes: {', '.join(sizes)}." if sizes else ""
    return JobError(
        code="out_of_memory",
        detail=f"The job needs more memory than this worker has: {why}. A job may take {_gib(limit_bytes())}.{about}",
        advice="Ask for a smaller dimension or fewer samples.",
    )


def too_much(held: int) -> str:
    """Why a child was ended by its parent."""
    return f"it had taken {_gib(held)}"


_SIZES: Final = ("dimension", "samples", "test_samples", "width", "depth")


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


def _status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = next((line for line in lines if line.startswith(f"{name}:")), None)
    return 0 if found is None else int(found.split()[1]) * 1024
