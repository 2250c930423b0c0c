"""Sweeps: many experiments from one base. Paths are dotted and relative to the base (`init.scale`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, Strict, model_validator

from initshape.spec.base import Integer, Spec, integral
from initshape.spec.experiment import Tags
from initshape.spec.problem import CrossFieldError, ProblemError, shown
from initshape.spec.webhook import Webhook

LARGEST_SWEEP = 10_000
_LARGEST_EXPONENT = 100

Path = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)]
Values = Annotated[tuple[JsonValue, ...], Field(min_length=1, max_length=LARGEST_SWEEP)]
Bound = Annotated[float, Field(strict=True, ge=-1e100, le=1e100)]
Count = Annotated[int, Strict(), Field(ge=1, le=LARGEST_SWEEP), BeforeValidator(integral)]
Grid = tuple[Bound, Bound, Count]


class Axis(Spec):
    """One swept path with its values, or a grid [first, last, count]; logspace takes exponents of ten."""

    path: Path
    values: Values | None = None
    logspace: Grid | None = None
    linspace: Grid | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Axis:
        given = [name for name in ("values", "logspace", "linspace") if getattr(self, name) is not None]
        if len(given) != 1:
            raise CrossFieldError(
                (ProblemError(pointer="", value=shown(given), allowed="values, logspace, linspace",
                              hint="give exactly one of values, logspace and linspace"),)
            )  # fmt: skip
        if self.logspace is not None and max(abs(self.logspace[0]), abs(self.logspace[1])) > _LARGEST_EXPONENT:
            raise CrossFieldError(
                (ProblemError(pointer="/logspace", value=shown(self.logspace), allowed="exponents in [-100, 100]",
                              hint="logspace takes exponents of ten: [-5, -1, 5] is 1e-5 .. 1e-1"),)
            )  # fmt: skip
        return self


class Zip(Spec):
    """Several paths that move together: row k of values sets them all."""

    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    values: Annotated[tuple[tuple[JsonValue, ...], ...], Field(min_length=1, max_length=LARGEST_SWEEP)]

    @model_validator(mode="after")
    def _rows_fit(self) -> Zip:
        bad = next((k for k, row in enumerate(self.values) if len(row) != len(self.paths)), None)
        if bad is not None:
            raise CrossFieldError(
                (ProblemError(pointer=f"/values/{bad}", value=len(self.values[bad]),
                              allowed=f"{len(self.paths)} values", hint="every row has one value a path"),)
            )  # fmt: skip
        return self


class Replicate(Spec):
    """An axis to average over, usually a seed."""

    path: Path
    values: Values


class Sweep(Spec):
    """At most 10,000 cells: the product of axes, zips and replicates, first axis slowest, then `list`."""

    base: Annotated[dict[str, Any], Field(description="An experiment object; swept fields may be left out.")]
    axes: Annotated[tuple[Axis, ...], Field(max_length=20)] = ()
    zip: Annotated[tuple[Zip, ...], Field(max_length=20)] = ()
    list: Annotated[tuple[dict[Path, JsonValue], ...], Field(max_length=LARGEST_SWEEP)] = ()
    replicate: Replicate | None = None

    @model_validator(mode="after")
    def _sweeps_something(self) -> Sweep:
        if not (self.axes or self.zip or self.list or self.replicate):
            raise CrossFieldError(
                (
                    ProblemError(
                        pointer="", allowed="axes, zip, list, replicate", hint="a sweep needs something to vary"
                    ),
                )
            )
        paths = [axis.path for axis in self.axes] + [path for zipped in self.zip for path in zipped.paths]
        paths += [self.replicate.path] if self.replicate else []
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise CrossFieldError(
                (ProblemError(pointer="", value=twice, allowed="each path once",
                              hint=f"{twice} is swept twice: zip the values, or remove one"),)
            )  # fmt: skip
        return self


class SweepSubmission(Spec):
    """The whole document that is sent for a sweep."""

    schema_version: Literal[1] = 1
    name: Annotated[str | None, Field(max_length=200, description="Shown in lists; not part of the identity.")] = None
    tags: Tags = ()
    notes: Annotated[str | None, Field(max_length=10_000)] = None
    priority: Annotated[Integer, Field(ge=-10, le=10)] = 0
    webhook: Annotated[Webhook | None, Field(description="Where to tell that its last cell has ended.")] = None
    sweep: Sweep
