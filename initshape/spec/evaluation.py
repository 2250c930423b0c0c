"""A request to look at a regularizer: which Q, what of it, at which points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from initshape.spec.base import Integer, Matrix, PositiveRealOrVector, Real, Spec, Vector
from initshape.spec.check_init import check_init
from initshape.spec.dataset import Dimension
from initshape.spec.expand import axis_values
from initshape.spec.init import InitSpec, UploadedInit
from initshape.spec.model import FullyConnected, ModelSpec
from initshape.spec.options import RegularizerName
from initshape.spec.problem import CrossFieldError, ProblemError, problem
from initshape.spec.sweep import LARGEST_SWEEP, Axis, Grid

MOST_NUMBERS = 1_000_000
"""Points times their dimension: the size of the largest array of an answer."""
MOST_PARAMETERS = 1_000_000
WIDEST = 1024
"""Hidden units: at each point a system of that size may have to be solved."""

What = Literal["value", "gradient", "inverse", "profile"]
Dial = Annotated[tuple[What, ...], Field(min_length=1, max_length=4)]


class GridAxis(Spec):
    """Values of one coordinate of w; for the profile of a function of the norm, values of ||w||."""

    coordinate: Annotated[Integer, Field(ge=0, description="Which entry of w, from 0.")] = 0
    values: Annotated[Vector | None, Field(min_length=1, max_length=LARGEST_SWEEP)] = None
    logspace: Grid | None = None
    linspace: Grid | None = None

    @model_validator(mode="after")
    def _one_source(self) -> GridAxis:
        self._axis()
        return self

    def _axis(self) -> Axis:
        return Axis(path="w", values=self.values, logspace=self.logspace, linspace=self.linspace)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values of the coordinate."""
        return tuple(map(float, axis_values(self._axis())))

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values) if self.values is not None else int((self.linspace or self.logspace or (0, 0, 0))[2])


class PointGrid(Spec):
    """The product of one or two axes; the other coordinates of w stay at `base`."""

    axes: Annotated[tuple[GridAxis, ...], Field(min_length=1, max_length=2)]
    base: Annotated[Vector | None, Field(min_length=1, description="w off the axes; default 0.")] = None


class TwoLayerFormula(Spec):
    """q_k of the two-layer diagonal network at w(0) = 0. Source: Woodworth et al. 2020; Azulay et al. 2021."""

    kind: Literal["two_layer_diagonal"]
    sqrt_k: Annotated[PositiveRealOrVector, Field(description="sqrt(k) = 4 alpha (1 + s^2)/(1 - s^2), one or each.")]


class NeuronFormula(Spec):
    """qhat_delta(||w||) - (3/2) sign w0.w of a single neuron. Source: Azulay et al. 2021, section 6."""

    kind: Literal["single_neuron"]
    delta: Annotated[Real, Field(description="delta = a^2 - ||w0||^2 = 4 alpha s/(1 - s^2).")]
    w0: Annotated[Vector | None, Field(min_length=1, description="The neuron's own first weights; default 0.")] = None
    sign: Annotated[Literal[-1, 1], Field(description="Sign of a at the end.")] = 1


class BalancedFormula(Spec):
    """||w||^((L + 1)/L) and a linear term, of a strictly balanced network. Source: Azulay et al. 2021."""

    kind: Literal["balanced_network"]
    depth: Annotated[Integer, Field(ge=2, le=100, description="Number of layers L.")]
    w0: Annotated[Vector | None, Field(min_length=1, description="The first predictor; default 0.")] = None


Parameters = Annotated[TwoLayerFormula | NeuronFormula | BalancedFormula, Field(discriminator="kind")]


class _Look(Spec):
    what: Annotated[
        Dial,
        Field(
            description="value Q(w), gradient, inverse (w whose gradient the point is), and profile: q of one "
            "coordinate, or qhat of the norm, with its slope; along a grid of one axis."
        ),
    ] = ("value",)
    points: Annotated[Matrix | None, Field(min_length=1, description="Points w, one a row.")] = None
    grid: Annotated[PointGrid | None, Field(description="A grid of points instead of a list.")] = None

    def _width(self) -> int:
        """The dimension that the points ask for at least."""
        if self.points is not None:
            return len(self.points[0])
        if self.grid is None:
            return 1
        return len(self.grid.base or ()) or 1 + max(axis.coordinate for axis in self.grid.axes)


class InitEvaluation(_Look):
    """Q of a model and its initialization."""

    regularizer: Annotated[RegularizerName, Field(description="Which Q, by its name in the catalog.")] = "implicit"
    model: ModelSpec
    init: InitSpec
    dimension: Annotated[Dimension | None, Field(description="Number of features; default that of the points.")] = None

    @property
    def size(self) -> int:
        """d."""
        return self.dimension or self._width()

    @model_validator(mode="after")
    def _consistent(self) -> InitEvaluation:
        _refuse(_check_points(self, self.size, fixed=self.dimension is not None))
        if isinstance(self.init, UploadedInit):
            hint = "a look is computed from its document alone: give the arrays with kind: explicit"
            _refuse([problem("/init/kind", "uploaded", "scale_shape, explicit", hint)])
        _refuse(check_init(self.model, self.init, self.size))
        _refuse(_check_model(self.model, self.size))
        return self


class FormulaEvaluation(_Look):
    """Q from the parameters of its formula."""

    parameters: Parameters

    @property
    def size(self) -> int:
        """d."""
        return _length(self.parameters) or self._width()

    @model_validator(mode="after")
    def _consistent(self) -> FormulaEvaluation:
        _refuse(_check_points(self, self.size, fixed=_length(self.parameters) is not None))
        given = self.parameters
        if (
            isinstance(given, NeuronFormula)
            and given.w0 is not None
            and given.delta + sum(v * v for v in given.w0) < 0.0
        ):
            hint = "delta = a^2 - ||w0||^2 with a real: it is at least -||w0||^2"
            _refuse([problem("/parameters/delta", given.delta, "at least -||w0||^2", hint)])
        return self


Evaluation = InitEvaluation | FormulaEvaluation


def _length(parameters: TwoLayerFormula | NeuronFormula | BalancedFormula) -> int | None:
    """The dimension that the parameters fix."""
    given = parameters.sqrt_k if isinstance(parameters, TwoLayerFormula) else parameters.w0
    return len(given) if isinstance(given, tuple) else None


def _refuse(problems: Iterator[ProblemError] | list[ProblemError]) -> None:
    if found := tuple(problems):
        raise CrossFieldError(found[:20])


def _check_model(model: ModelSpec, size: int) -> Iterator[ProblemError]:
    if not isinstance(model, FullyConnected):
        return
    parameters = model.width * (size + (model.depth - 2) * model.width + 1)
    if model.width > WIDEST or parameters > MOST_PARAMETERS:
        yield problem("/model/width", model.width, f"at most {WIDEST}, and {MOST_PARAMETERS} parameters",
                      f"{parameters} parameters are too many to look at here: take a narrower network")  # fmt: skip


def _check_points(look: InitEvaluation | FormulaEvaluation, size: int, *, fixed: bool) -> Iterator[ProblemError]:
    if (look.points is None) == (look.grid is None):
        yield problem("", None, "points or grid", "give exactly one of points and grid")
        return
    if size == 0:
        yield problem("/points/0", 0, "at least one number", "a point of no features is no point")
        return
    where = f"as long as w: {size} numbers" if fixed else f"all as long as the first: {size} numbers"
    for k, row in enumerate(look.points or ()):
        if len(row) != size:
            yield problem(f"/points/{k}", len(row), f"{size} numbers", f"the points must be {where}")
            return
    if look.points is not None and "profile" in look.what:
        yield problem("/what", "profile", "value, gradient, inverse", "a profile needs a grid of one axis")
    count = len(look.points or ())
    if look.grid is not None:
        yield from _check_grid(look.grid, size, look.what)
        count = 1
        for axis in look.grid.axes:
            count *= axis.count
    if count * max(size, 1) > MOST_NUMBERS:
        yield problem("/points" if look.grid is None else "/grid", count * size, f"at most {MOST_NUMBERS} numbers",
                      f"{count} points of {size} numbers are too many: take fewer")  # fmt: skip


def _check_grid(grid: PointGrid, size: int, what: tuple[What, ...]) -> Iterator[ProblemError]:
    if grid.base is not None and len(grid.base) != size:
        yield problem("/grid/base", len(grid.base), f"{size} numbers", "base must be as long as w")
    for k, axis in enumerate(grid.axes):
        if axis.coordinate >= size:
            yield problem(f"/grid/axes/{k}/coordinate", axis.coordinate, f"below {size}",
                          "coordinates are counted from 0 and lie below the dimension")  # fmt: skip
    if len(grid.axes) == 2 and grid.axes[0].coordinate == grid.axes[1].coordinate:
        yield problem("/grid/axes/1/coordinate", grid.axes[1].coordinate, "another coordinate",
                      "the two axes must vary different coordinates")  # fmt: skip
    if len(grid.axes) == 2 and "profile" in what:
        yield problem("/what", "profile", "value, gradient, inverse", "a profile needs a grid of one axis")
