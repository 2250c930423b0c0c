"""Where log lines go, and in which form."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal, TextIO

from initshape.logs.lines import JsonLines, Readable

Format = Literal["auto", "json", "text"]
FORMATS: Final[tuple[Format, ...]] = ("auto", "json", "text")
SETTING: Final = "INITSHAPE_LOG_FORMAT"

_CHATTY: Final = (
    "celery.app.trace",
    "celery.worker.strategy",
    "celery.redirected",
    "kombu",
    "httpx2",
    "jax",
)
"""They tell of every message, and a message says nothing: what becomes of jobs is told by `workers`."""


def configure(level: str, form: Format = "auto", stream: TextIO | None = None) -> None:
    """All log lines of this process go to `stream` (standard error). `auto`: text on a terminal, else JSON."""
    # Python's own advice for logs that tell neither the caller's file nor its thread: looking them up costs more than
    # the rest of a line. https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    readable = form == "text" or (form == "auto" and target.isatty())
    handler.setFormatter(Readable() if readable else JsonLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    if root.level >= logging.INFO:
        for name in _CHATTY:
            logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
