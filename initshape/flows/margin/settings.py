"""What a caller gives to a classification flow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MarginSettings:
    """Tolerances and stop rules.

    `log_train_loss` is the natural logarithm of the loss to reach, -gamma. `max_time` counts the rescaled time tau,
    d tau = L dt, `max_seconds` wall-clock time without compilation. `atol` is one absolute tolerance for all
    parameters; by default each has rtol times its own magnitude, or times what a change of gamma by 1 takes, if that
    is less. `points` is the number of saved states.
    """

    log_train_loss: float
    rtol: float = 1e-8
    atol: float | None = None
    max_time: float = 1e9
    max_steps: int = 200_000
    max_seconds: float = 3600.0
    points: int = 200

    def __post_init__(self) -> None:
        positive = (self.rtol, self.max_time, self.max_seconds, self.atol or 1.0)
        if not all(value > 0.0 for value in positive) or self.max_steps < 1 or self.points < 2:
            raise ValueError("tolerances and limits must be positive, and at least two states are saved")
