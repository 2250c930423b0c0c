"""One log record as one line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from initshape.logs.context import request_id

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""Attributes that every record has; all others were given as `extra`."""
_encode: Final = json.JSONEncoder(default=str, separators=(",", ":")).encode


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was said beside the message, and the request that it was said in."""
    found = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if not found.get("request"):
        found.pop("request", None)
        if request := request_id():
            found["request"] = request
    return found


def moment(record: logging.LogRecord) -> datetime:
    """When it was said."""
    return datetime.fromtimestamp(record.created, UTC)


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "message", "pid", ...}`; a traceback is the text `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class Readable(logging.Formatter):
    """`12:00:00 info service.access: GET /v1/experiments (status 200, ms 3.1)`."""

    def format(self, record: logging.LogRecord) -> str:
        told = ", ".join(f"{name} {value}" for name, value in fields_of(record).items())
        text = f"{moment(record).astimezone():%H:%M:%S} {record.levelname.lower()} {record.name}: {record.getMessage()}"
        if told:
            text += f" ({told})"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
