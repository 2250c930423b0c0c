"""One experiment: data set, model, initialization, loss, flow, and what to compare it with."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from initshape.spec.base import Integer, Spec
from initshape.spec.checks import check_experiment
from initshape.spec.dataset import DatasetSpec
from initshape.spec.defaults import fill
from initshape.spec.flow import FlowSpec, GradientFlow
from initshape.spec.init import InitSpec
from initshape.spec.loss import LossSpec, Square
from initshape.spec.model import ModelSpec
from initshape.spec.options import DEFAULT_REGULARIZERS, REGULARIZER_ORDER, RegularizerName, Resources, Trajectory
from initshape.spec.problem import CrossFieldError
from initshape.spec.stop import Stop
from initshape.spec.webhook import Webhook


def _in_canonical_order(names: tuple[RegularizerName, ...]) -> tuple[RegularizerName, ...]:
    """Order and repetition carry no meaning, so neither may change the identity."""
    return tuple(name for name in REGULARIZER_ORDER if name in names)


class Experiment(Spec):
    """The computation that is asked for; everything here but resources and stop.max_seconds makes its identity."""

    dataset: DatasetSpec
    model: ModelSpec
    init: InitSpec
    loss: LossSpec = Square()
    flow: FlowSpec = GradientFlow()
    stop: Stop = Stop()
    regularizers: Annotated[
        tuple[RegularizerName, ...],
        Field(min_length=1, description="Theories to fit; the order does not matter."),
        AfterValidator(_in_canonical_order),
    ] = DEFAULT_REGULARIZERS
    trajectory: Trajectory = Trajectory()
    resources: Resources = Resources()

    @model_validator(mode="before")
    @classmethod
    def _fill_conditional_defaults(cls, document: Any) -> Any:
        return fill(document)

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        problems = tuple(itertools.islice(check_experiment(self), 20))
        if problems:
            raise CrossFieldError(problems)
        return self


Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s,]+$")]


def _each_once(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Tags = Annotated[tuple[Tag, ...], Field(max_length=20), AfterValidator(_each_once)]
"""In the order given; what is said twice is said once."""


class Submission(Spec):
    """The whole document that is sent for one experiment."""

    schema_version: Literal[1] = 1
    name: Annotated[str | None, Field(max_length=200, description="Shown in lists; not part of the identity.")] = None
    tags: Annotated[Tags, Field(description="For filters; not part of the identity.")] = ()
    notes: Annotated[str | None, Field(max_length=10_000)] = None
    priority: Annotated[Integer, Field(ge=-10, le=10, description="Higher runs first among waiting jobs.")] = 0
    webhook: Annotated[Webhook | None, Field(description="Where to tell that it has ended.")] = None
    experiment: Experiment
