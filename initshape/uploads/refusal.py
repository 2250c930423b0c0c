"""How an upload is refused: one SpecError with one problem, whose pointer names the array, the column or the file."""

from __future__ import annotations

from typing import Final

from initshape.spec.problem import SpecError, problem

LARGEST_BYTES: Final = 32 * 2**20
"""Of one upload as float64, unless the server's setting says otherwise; a result of 64 MiB has to hold X and more."""


def refused(pointer: str, value: object, allowed: str, hint: str) -> SpecError:
    """422: the content is wrong."""
    return SpecError("The upload cannot be used.", (problem(pointer, value, allowed, hint),))


def too_large(pointer: str, size: int, limit: int) -> SpecError:
    """413: it would take more than `limit` bytes as float64."""
    found = problem(pointer, size, f"at most {limit} bytes", "send less: fewer samples or features")
    return SpecError(f"The upload has more than {limit} bytes of numbers.", (found,), status=413)
