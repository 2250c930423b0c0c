"""Path and query parameters that several routes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Path, Query, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor, register_url_convertor

from initshape.spec.explain import nearest
from initshape.spec.problem import ProblemError
from service.errors import InvalidParameterError
from service.schemas import DATASET_PATTERN, EXPERIMENT_PATTERN, INIT_PATTERN, SWEEP_PATTERN

FigureFormat = Literal["png", "svg", "pdf"]
Limit = Annotated[int, Query(ge=1, le=200, description="Entries of a page.")]
Cursor = Annotated[str | None, Query(pattern="^c[0-9a-f]{1,14}$", description="`next` of the page before.")]

Owner = Annotated[str | None, Query(min_length=1, max_length=200)]
Tag = Annotated[str | None, Query(min_length=1, max_length=64)]
Name = Annotated[str | None, Query(min_length=1, max_length=200, description="Exactly as a submitter has given it.")]

_ID = "content id, `{}` and 26 characters"


# An id that cannot exist matches no route: 404 like any unknown one, and it never comes near a Redis key.
# Routes write {experiment_id:experiment}, {sweep_id:sweep}, {dataset_id:dataset} and {init_id:init}.
class _Experiment(StringConvertor):
    regex = EXPERIMENT_PATTERN.strip("^$")


class _Sweep(StringConvertor):
    regex = SWEEP_PATTERN.strip("^$")


class _Dataset(StringConvertor):
    regex = DATASET_PATTERN.strip("^$")


class _Init(StringConvertor):
    regex = INIT_PATTERN.strip("^$")


register_url_convertor("dataset", _Dataset())
register_url_convertor("init", _Init())
register_url_convertor("experiment", _Experiment())
register_url_convertor("sweep", _Sweep())

ExperimentPath = Annotated[str, Path(description=_ID.format("x-"), json_schema_extra={"pattern": EXPERIMENT_PATTERN})]
SweepPath = Annotated[str, Path(description=_ID.format("s-"), json_schema_extra={"pattern": SWEEP_PATTERN})]

DatasetPath = Annotated[str, Path(description=_ID.format("d-"), json_schema_extra={"pattern": DATASET_PATTERN})]
InitPath = Annotated[str, Path(description=_ID.format("i-"), json_schema_extra={"pattern": INIT_PATTERN})]


def cursor_number(cursor: str | None) -> int | None:
    """Where a page starts."""
    return None if cursor is None else int(cursor[1:], 16)


def cursor_after(number: int | None) -> str | None:
    """The cursor that goes on below `number`."""
    return None if number is None else f"c{number:x}"


def once(request: Request) -> None:
    """Refuses a query parameter that is given twice: one of its values would be dropped without a word."""
    seen = set()
    for name, text in request.query_params.multi_items():
        if name in seen:
            problem = query_problem(name, text, None, "give it once")
            raise InvalidParameterError(f"{name[:100]} is given twice.", errors=(problem,))
        seen.add(name)


def only(request: Request, *allowed: str) -> None:
    """Refuses query parameters that do nothing here: a filter that is ignored would show the wrong list."""
    once(request)
    for name in request.query_params:
        if name not in allowed:
            close = nearest(name, allowed)
            hint = f"did you mean {close!r}?" if close else "remove it"
            problem = query_problem(name, request.query_params[name], sorted(allowed), hint)
            raise InvalidParameterError(f"There is no parameter {name[:100]!r}.", errors=(problem,))


def only_declared(request: Request) -> None:
    """`only`, with the query parameters that the route declares. Errors: 422."""
    route: APIRoute = request.scope["route"]
    fields = get_flat_params(route.dependant)
    only(request, *(field.alias for field in fields if isinstance(field.field_info, params.Query)))


def query_problem(name: str, value: str, allowed: Sequence[str] | None, hint: str) -> ProblemError:
    """A problem of one query parameter."""
    return ProblemError(
        pointer=f"/query/{name[:100]}", value=value[:200], allowed=list(allowed) if allowed else None, hint=hint
    )
