"""What a worker starts beside itself: a process that compiles likely programs while nobody else wants the core.

A process of its own, so that no job waits behind a compilation: `initshape.warm` has the lowest priority and ends soon.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from initshape.supervisor.child import end_with_parent


def start_warming() -> None:
    """Not with INITSHAPE_WARM=0. To be called while this process has one thread."""
    if os.environ.get("INITSHAPE_WARM") == "0":
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "initshape.warm"], stdin=subprocess.DEVNULL, preexec_fn=end_with_parent(os.getpid())
    )
    threading.Thread(target=process.wait, name="warming", daemon=True).start()
