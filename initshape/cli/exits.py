"""Exit codes, and how an exception becomes one: a sentence on stderr with pointers and hints, never a traceback."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from initshape.spec.problem import InitshapeError, ProblemError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Exit(IntEnum):
    """What a script may rely on."""

    done = 0
    job_failed = 1
    bad_input = 2
    unreachable = 3
    not_converged = 4
    detached = 130


class Group(TyperGroup):
    """Commands whose errors leave as an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except InitshapeError as error:
            tell(error)
            ctx.exit(int(code_of(error)))
        except BrokenPipeError:  # the reader of our output has gone: `initshape list | head`
            # What is still buffered must have somewhere to go, or the interpreter complains of it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(int(Exit.done))


def code_of(error: InitshapeError) -> Exit:
    """The exit code for an error."""
    if isinstance(error, SpecError):
        return Exit.bad_input
    from initshape.client import errors

    if isinstance(error, (errors.UnreachableError, errors.ServerError)):
        return Exit.unreachable
    if isinstance(error, (errors.NoResultError, errors.ExpiredError, errors.WaitTimeoutError)):
        return Exit.job_failed
    return Exit.bad_input


def tell(error: InitshapeError) -> None:
    """The error on stderr."""
    from initshape.client import errors

    if isinstance(error, SpecError):
        complain(error.detail, error.errors)
    elif isinstance(error, errors.ApiError):
        complain(error.problem.detail, error.errors)
        if isinstance(error, errors.NotPermittedError):
            complain("Set INITSHAPE_TOKEN, or --data-dir to that of a server on this machine.")
    elif isinstance(error, errors.UnreachableError):
        complain(f"{error} Start one with `initshape serve`, or name another with --url or INITSHAPE_URL.")
    else:
        complain(str(error))


def complain(detail: str, problems: Sequence[ProblemError] = ()) -> None:
    """A sentence, then a line for each thing that is wrong."""
    print(f"initshape: {detail}", file=sys.stderr)
    for problem in problems:
        value = "" if problem.value is None else f" = {problem.value!r}"
        print(f"  {problem.pointer or '(the whole document)'}{value}: {problem.hint}", file=sys.stderr)
        if problem.allowed is not None and str(problem.allowed) not in problem.hint:
            allowed = ", ".join(map(str, problem.allowed)) if isinstance(problem.allowed, list) else problem.allowed
            print(f"      allowed: {allowed}", file=sys.stderr)
