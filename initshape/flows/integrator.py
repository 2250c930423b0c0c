"""The interface of a flow integrator: one attempted step, and the state anywhere inside the last accepted one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from initshape.flows.loss import AbstractLoss
from initshape.flows.state import Attempt, Controls, FlowState, Problem
from initshape.models import AbstractModel, Array


class AbstractIntegrator(ABC):
    """A method for theta' = J^T r / N; frozen and hashable, static under `jit`.

    It knows the model only through outputs and Jacobian products, and no mirror map.
    """

    name: str

    @abstractmethod
    def memory(self, theta: Array, samples: int) -> Any:
        """What the method carries from step to step, before the first one; NumPy arrays of fixed shape."""

    @abstractmethod
    def attempt(
        self, model: AbstractModel, loss: AbstractLoss, problem: Problem, controls: Controls, state: FlowState
    ) -> Attempt:
        """Tries one step of size `state.step`, clipped so that max_time is hit exactly."""

    @abstractmethod
    def rest(self, state: FlowState) -> FlowState:
        """A state whose attempt costs least, for a lane that has ended while others go on: the attempt is discarded."""

    @abstractmethod
    def interpolate(self, state: FlowState, time: Array) -> Array:
        """theta(time) by the dense output of the last accepted step, which ends at `state.time`. **Shape**: (P,)."""
