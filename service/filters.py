"""Filters of lists by fields of the experiment: what a request gives, and their documentation."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from initshape.spec.filters import Filters, fields, parse_filter, schema_of
from initshape.spec.problem import SpecError
from service.errors import InvalidParameterError
from service.parameters import once


def given(request: Request, *others: str) -> Filters:
    """The filters of a request by path; `others` are its parameters that are none.

    Errors: 422 for an unknown field, for a value that no experiment can have there, and for what is given twice.
    """
    once(request)
    found = {}
    for name, text in request.query_params.items():
        if name in others:
            continue
        try:
            found[name] = parse_filter(name, text, others)
        except SpecError as error:
            raise InvalidParameterError(error.detail, errors=error.errors) from None
    return found


def documented() -> list[dict[str, Any]]:
    """Query parameters for the OpenAPI document."""
    about = "Only experiments with this value of the field."
    return [
        {"name": name, "in": "query", "required": False, "schema": schema_of(name), "description": about}
        for name in fields()
    ]
