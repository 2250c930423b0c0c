"""Logs of the service's processes: one JSON object a line for machines, one readable line for people.

Python's own logging with a formatter, because a structlog pipeline would be a second way to log beside the one that
uvicorn, Celery and redis-py use already, and costs more than it gives on the path of a submission.

    logs.configure("info", "auto")
    logger.info("finished", extra={"job": claim.id, "attempt": claim.attempt, "request": claim.request})
"""

from initshape.logs.configure import FORMATS, Format, configure
from initshape.logs.context import Trace, current, note, request_id

__all__ = ["FORMATS", "Format", "Trace", "configure", "current", "note", "request_id"]
