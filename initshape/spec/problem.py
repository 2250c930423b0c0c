"""The one error object (RFC 9457 problem details) and the exception that carries it.

InitshapeError
├── SpecError        the document is wrong: 400 unparsable, 413 too large, 422 invalid
└── (stores and clients derive their own)
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue


class ProblemError(BaseModel):
    """One thing that is wrong: where (pointer as the user wrote it), what was given, what is allowed, what to do."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    value: JsonValue = None
    allowed: JsonValue = None
    hint: str


class Problem(BaseModel):
    """An `application/problem+json` body."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[ProblemError, ...] = ()


class JobError(BaseModel):
    """Why the machinery could not compute a job. `code`: lost, out_of_memory, deadline, upload_gone or internal."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    advice: str | None = None


class InitshapeError(Exception):
    """Base of every error that this package raises on purpose."""


class SpecError(InitshapeError):
    """A document that cannot be accepted. `status` is the HTTP status that fits."""

    def __init__(self, detail: str, errors: tuple[ProblemError, ...] = (), status: int = 422) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.status = status

    def __str__(self) -> str:
        return "\n".join([self.detail, *(f"  {e.pointer}: {e.hint}" for e in self.errors)])


class CrossFieldError(ValueError):
    """Problems that a model finds across its fields, on their way through pydantic; pointers are relative to it."""

    def __init__(self, problems: tuple[ProblemError, ...]) -> None:
        super().__init__("; ".join(p.hint for p in problems))
        self.problems = problems


def problem(pointer: str, value: object, allowed: str, hint: str) -> ProblemError:
    """A ProblemError whose value is made fit to be shown."""
    return ProblemError(pointer=pointer, value=shown(value), allowed=allowed, hint=hint)


_SHOWN_CHARACTERS = 200


def shown(value: Any) -> JsonValue:
    """A JSON-safe, short echo of what the user gave: numbers and short strings as they are, the rest abbreviated."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, dict):
        return f"an object with {len(value)} keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
