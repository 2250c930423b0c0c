"""How long anything may take before somebody steps in, and what is said where it took too long. Seconds everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from initshape.spec.problem import JobError
from initshape.store import leases


@dataclass(frozen=True)
class Patience:
    """
    beat      between two renewals
    stop      from the wish to stop to the kill of a computation that has not noticed
    parent    the same for the parent process, which acts where the child's own thread cannot
    turn      of one job, before those that wait for theirs behind it are given back
    life      without progress and without work for the processor: the computation hangs
    farewell  from the word that a worker must go to the hand-over of what has not been handed over by then
    deadline  beyond 1.2 max_seconds: the fits and the compiler are not in max_seconds
    """

    beat: float = leases.HEARTBEAT_SECONDS
    stop: float = 0.8
    parent: float = 1.3
    turn: float = 2.0
    life: float = 120.0
    farewell: float = 4.0
    deadline: float = 30.0

    def until(self, max_seconds: float) -> float:
        """After so many seconds a job fails with `deadline`."""
        return 1.2 * max_seconds + self.deadline


def late(ran: float, max_seconds: float) -> JobError:
    """The error object of a job that ran for too long."""
    return JobError(
        code="deadline",
        detail=f"The job ran for {ran:.0f} s; max_seconds is {max_seconds:g}.",
        advice="Raise stop.max_seconds, or ask for less: fewer samples, a coarser relative_residual.",
    )
