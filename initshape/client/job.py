"""Answers of a server as they came, plain dicts of JSON that know a little more: their models, and a display.

A notebook shows them as a table and a drawing, made of what is in them: looking fetches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from initshape.client import display
from initshape.spec.result import Result
from initshape.spec.status import TERMINAL, Status


def is_over(state: Mapping[str, Any]) -> bool:
    """Whether a state of an experiment or a sweep is the last one."""
    return Status(state["status"]) in TERMINAL


class Job(dict[str, Any]):
    """State of an experiment or a sweep, and the handle to it: every method of a client takes its `id`."""

    @property
    def id(self) -> str:
        """x-... or s-..."""
        return str(self["id"])

    @property
    def status(self) -> Status:
        """As of when it was asked for."""
        return Status(self["status"])

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return is_over(self)

    def _repr_html_(self) -> str:
        return display.job(self)


class ResultDocument(dict[str, Any]):
    """The result document of an experiment. `typed` is the same as the model that the server wrote it from."""

    @cached_property
    def typed(self) -> Result:
        """Errors: pydantic.ValidationError where the server is of another release."""
        return Result.model_validate(self)

    def _repr_html_(self) -> str:
        return display.result(self)
