"""Leaves nothing behind when the supervisor dies without a word (SIGKILL, out of memory).

A shell reads, from a pipe whose other end only the supervisor holds, which processes there are. When the pipe closes it
gives workers, which have had SIGTERM from the system by then, a moment to hand their jobs over, stops the embedded
Redis, and at last ends whoever is still there.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable

_SCRIPT = """
while read -r line; do last=$line; done
set -- $last
sleep 3; [ "$1" != 0 ] && kill -s TERM "$1"
shift; sleep 7
for group in "$@"; do kill -s KILL -- "-$group"; done
"""


class Guardian:
    """Watches over the children of this process."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, redis: int | None, groups: Iterable[int]) -> None:
        """From now on: the embedded Redis, if there is one, and the process groups of the other children."""
        if self._shell.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._shell.stdin.write((" ".join(map(str, [redis or 0, *groups])) + "\n").encode())
                self._shell.stdin.flush()

    def dismiss(self) -> None:
        """All children were stopped in order, so nobody needs to watch them."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._shell.stdin.close()
