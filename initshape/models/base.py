"""The interface of a model: how parameters make outputs, and the products with its Jacobian that a flow needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

Array = Any
"""A NumPy or JAX array, float64. Models use only what both offer, so the same code runs in a service without JAX."""


class NotLinearError(ValueError):
    """The predictor was asked of a network that is not linear in its input."""


class AbstractModel(ABC):
    """A pure function f(theta, X) of one flat parameter vector, with closed-form Jacobian products.

    Instances are small, frozen and hashable: under `jit` they are static. Every function of arrays broadcasts over
    leading dimensions of theta, v and z, so that several stages or states go through one matrix product.

    **Shape**: theta (..., P), X (N, d), w (..., d), outputs (..., N).
    """

    dimension: int
    """d, the number of features."""

    @property
    @abstractmethod
    def size(self) -> int:
        """P, the number of parameters."""

    @property
    @abstractmethod
    def degree(self) -> int:
        """L with f(c theta, x) = c^L f(theta, x) for c > 0: a relative error of theta is one of L times that in f."""

    @property
    def linear(self) -> bool:
        """Whether f(theta, x) = w.x for some predictor w; only then is there a `predictor`."""
        return True

    @abstractmethod
    def predictor(self, theta: Array) -> Array:
        """The linear predictor w = F(theta). **Shape**: (..., d). **Errors**: NotLinearError where there is none."""

    @abstractmethod
    def outputs(self, theta: Array, X: Array) -> Array:
        """f(theta, x_n) for every sample, X w. **Shape**: (..., N)."""

    @abstractmethod
    def jvp(self, theta: Array, X: Array, v: Array) -> Array:
        """J v with J = d outputs / d theta at theta. **Shape**: v (..., P) -> (..., N)."""

    @abstractmethod
    def vjp(self, theta: Array, X: Array, z: Array) -> Array:
        """J^T z. **Shape**: z (..., N) -> (..., P)."""

    @abstractmethod
    def kernel(self, theta: Array, X: Array) -> Array:
        """The tangent kernel J J^T, without the factor 1/N. **Shape**: theta (P,) -> (N, N)."""

    def kernel_trace(self, theta: Array, X: Array) -> Array:
        """tr J J^T; models whose kernel is dear to build give it without one. **Shape**: theta (P,) -> ()."""
        return theta.__array_namespace__().linalg.trace(self.kernel(theta, X))

    @abstractmethod
    def invariants(self, theta: Array) -> Array:
        """Quantities that every gradient flow of this model conserves, whatever the data. **Shape**: (..., I)."""

    @abstractmethod
    def invariant_scale(self, theta: Array) -> Array:
        """Size of the terms that each invariant is a difference or product of; a relative drift divides by it."""

    @abstractmethod
    def magnitude(self, theta: Array) -> Array:
        """Smallest change of each parameter that matters, of order |theta_i| but never zero; sets the default atol.

        NumPy only: called once, on the host. **Shape**: (P,).
        """

    @abstractmethod
    def pad(self, theta: Array, X: Array, y: Array, dimension: int, samples: int) -> tuple[Any, Array, Array, Array]:
        """The same problem with `dimension` features and `samples` samples: (model, theta, X, y), padded with zeros.

        Padding is exact: a padded sample has output, label and gradient zero, a padded coordinate never moves.
        NumPy only. **Errors**: ValueError when asked for fewer than there are.
        """

    @abstractmethod
    def unpad(self, theta: Array) -> Array:
        """The parameters of this model inside those of a padded one. **Shape**: (..., P_padded) -> (..., P)."""
