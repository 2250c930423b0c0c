"""Path and query parameters that several routes share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request

from initshape.spec.explain import nearest
from initshape.spec.problem import ProblemError
from service.errors import InvalidParameterError, NotFoundError
from service.schemas import EXPERIMENT_PATTERN, SWEEP_PATTERN

FigureFormat = Literal["png", "svg", "pdf"]
Limit = Annotated[int, Query(ge=1, le=200, description="Entries of a page.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next` of the page before.")]

_CURSOR = r"c[0-9a-f]{1,14}"
_ID = "content id, `{}` and 26 characters"


# An id that cannot exist was never known: 404 like any other unknown one, and it never comes near a Redis key.
def _experiment_id(
    experiment_id: Annotated[
        str,
        Path(description=_ID.format("x-"), json_schema_extra={"pattern": EXPERIMENT_PATTERN}),
    ],
) -> str:
    if not re.fullmatch(EXPERIMENT_PATTERN, experiment_id):
        raise NotFoundError("No experiment has this id: ids are `x-` and 26 characters a-z, 2-7.")
    return experiment_id


def _sweep_id(
    sweep_id: Annotated[str, Path(description=_ID.format("s-"), json_schema_extra={"pattern": SWEEP_PATTERN})],
) -> str:
    if not re.fullmatch(SWEEP_PATTERN, sweep_id):
        raise NotFoundError("No sweep has this id: ids are `s-` and 26 characters a-z, 2-7.")
    return sweep_id


ExperimentPath = Annotated[str, Depends(_experiment_id)]
SweepPath = Annotated[str, Depends(_sweep_id)]


def cursor_number(cursor: str | None) -> int | None:
    """Where a page starts. Errors: InvalidParameterError."""
    if cursor is None:
        return None
    if not re.fullmatch(_CURSOR, cursor):
        hint = "take it from `next` of the page before, or leave it out"
        raise InvalidParameterError("The cursor is not valid.", errors=(query_problem("cursor", cursor, None, hint),))
    return int(cursor[1:], 16)


def cursor_after(number: int | None) -> str | None:
    """The cursor that goes on below `number`."""
    return None if number is None else f"c{number:x}"


def only(request: Request, *allowed: str) -> None:
    """Refuses query parameters that do nothing here: a filter that is ignored would show the wrong list."""
    for name in request.query_params:
        if name not in allowed:
            close = nearest(name, allowed)
            hint = f"did you mean {close!r}?" if close else "remove it"
            problem = query_problem(name, request.query_params[name], sorted(allowed), hint)
            raise InvalidParameterError(f"There is no parameter {name[:100]!r}.", errors=(problem,))


def query_problem(name: str, value: str, allowed: Sequence[str] | None, hint: str) -> ProblemError:
    """A problem of one query parameter."""
    return ProblemError(
        pointer=f"/query/{name[:100]}", value=value[:200], allowed=list(allowed) if allowed else None, hint=hint
    )
