"""What may be changed after a submission: labels, and whether results are kept for ever."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, model_validator

from initshape.spec.base import Spec
from initshape.spec.experiment import Tags
from initshape.spec.problem import CrossFieldError, problem

_ONE: dict[str, Any] = {"minProperties": 1}


class _Edit(Spec):
    """What is left out stays as it is; null empties a name or notes."""

    name: Annotated[str | None, Field(max_length=200, description="Null takes it away.")] = None
    tags: Annotated[Tags, Field(description="All of them: they replace the old ones.")] = ()
    notes: Annotated[str | None, Field(max_length=10_000, description="Null takes them away.")] = None

    @model_validator(mode="after")
    def _changes_something(self) -> _Edit:
        if not self.model_fields_set:
            names = ", ".join(type(self).model_fields)
            raise CrossFieldError((problem("", {}, f"at least one of {names}", "say what to change"),))
        return self

    def changes(self) -> dict[str, Any]:
        """What was given, and nothing else."""
        return self.model_dump(mode="json", exclude_unset=True)


class ExperimentEdit(_Edit):
    """Changes to the caller's own submission of an experiment; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_ONE)

    pinned: Annotated[
        bool, Strict(), Field(description="Keeps the result for ever; it is kept while anybody pins it.")
    ] = False


class SweepEdit(_Edit):
    """Changes to a sweep by its owner; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_ONE)

    kept: Annotated[bool, Strict(), Field(description="Keeps the sweep and the results of its cells for ever.")] = False
