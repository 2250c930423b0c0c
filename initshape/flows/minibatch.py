"""Which samples a step of gradient descent sees."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import numpy.typing as npt

from initshape.models import AbstractModel, Array
from initshape.training.checkpoint import Arrays, SnapshotError, part, scalar


class Batches(ABC):
    """A stream of batches: drawn on the host, selected inside the compiled loop."""

    @abstractmethod
    def take(self, count: int, room: int) -> Any:
        """What the next `count` steps need, in arrays whose shape depends on `room` alone."""

    @abstractmethod
    def snapshot(self) -> Arrays:
        """Where the stream stands."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Goes on from there. **Errors**: SnapshotError."""

    @staticmethod
    @abstractmethod
    def slope(
        model: AbstractModel, theta: Array, X: Array, y: Array, residual: Array, batch: Any, step: Array
    ) -> Array:
        """-grad L on the samples of step number `step` of what was taken; `residual` is that of all samples."""


@final
class FullBatch(Batches):
    """Every step sees every sample."""

    def take(self, count: int, room: int) -> tuple[()]:
        """Nothing is drawn."""
        return ()

    def snapshot(self) -> Arrays:
        """Nothing changes."""
        return {}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Nothing has changed."""

    @staticmethod
    def slope(
        model: AbstractModel, theta: Array, X: Array, y: Array, residual: Array, batch: Any, step: Array
    ) -> Array:
        """J^T r / N; the residual is at hand."""
        return model.vjp(theta, X, residual) / X.shape[0]


@final
class MiniBatches(Batches):
    """Epochs without replacement: a fresh permutation each epoch, cut into batches; a last short one is dropped."""

    def __init__(self, samples: int, size: int, seed: int) -> None:
        words = np.frombuffer(hashlib.sha256(b"batches").digest(), dtype=">u4").tolist()
        # The legacy generator's stream is frozen for ever (NEP 19), as for the data sets.
        self._random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, *words])))
        self._samples, self._size = samples, size
        self._waiting: npt.NDArray[np.int64] = np.empty((0, size), dtype=np.int64)

    def take(self, count: int, room: int) -> npt.NDArray[np.int64]:
        """Indices (room, batch size), the first `count` rows filled."""
        while len(self._waiting) < count:
            epoch = self._random.permutation(self._samples).astype(np.int64)
            whole = self._samples // self._size * self._size
            self._waiting = np.concatenate([self._waiting, epoch[:whole].reshape(-1, self._size)])
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return np.pad(taken, ((0, room - count), (0, 0)))

    def snapshot(self) -> Arrays:
        """The generator, and what it has drawn in advance."""
        state: Any = self._random.get_state()
        return {"random_words": state[1], "random_position": np.asarray(state[2]), "random_waiting": self._waiting}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """The same. **Errors**: SnapshotError."""
        words, waiting = part(arrays, "random_words", np.empty(624, np.uint32)), part(arrays, "random_waiting")
        if waiting.dtype != np.int64 or waiting.ndim != 2 or waiting.shape[1] != self._size:
            raise SnapshotError("the batches that were drawn are not of this size")
        self._random.set_state(("MT19937", words, scalar(arrays, "random_position"), 0, 0.0))
        self._waiting = waiting

    @staticmethod
    def slope(
        model: AbstractModel, theta: Array, X: Array, y: Array, residual: Array, batch: Any, step: Array
    ) -> Array:
        """J^T r / B of the drawn rows alone: their residuals are formed anew, at the cost of B rows, not N."""
        rows, labels = X[batch[step]], y[batch[step]]
        return model.vjp(theta, rows, labels - model.outputs(theta, rows)) / rows.shape[0]
