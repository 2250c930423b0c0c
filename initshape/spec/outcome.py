"""How a stage ended. Numerical trouble is a value with advice, never an exception."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of one stage (flow or fit). `message` says what happened, `advice` what to try next."""

    converged = "converged"
    reached_max_time = "reached_max_time"
    reached_max_steps = "reached_max_steps"
    out_of_time = "out_of_time"
    diverged = "diverged"
    nonfinite = "nonfinite"
    infeasible = "infeasible"
    stalled = "stalled"
    saddle = "saddle"
    none_known = "none_known"

    @property
    def message(self) -> str:
        """What happened, in one sentence; empty on success."""
        return _WORDS[self][0]

    @property
    def advice(self) -> str | None:
        """What to try next, or None where nothing is wrong."""
        return _WORDS[self][1] or None


_WORDS: dict[Outcome, tuple[str, str]] = {
    Outcome.converged: ("", ""),
    Outcome.reached_max_time: (
        "The flow reached stop.max_time before the requested residual.",
        "Raise stop.max_time (in classification it limits tau, d tau = L dt); small scales leave the origin slowly.",
    ),
    Outcome.reached_max_steps: (
        "The integrator used stop.max_steps before the requested residual.",
        "Raise stop.max_steps, or loosen flow.rtol. flow.integrator: tsit5 crawls where a flow is stiff: use radau.",
    ),
    Outcome.out_of_time: ("The run used stop.max_seconds of wall-clock time.", "Raise stop.max_seconds and run again."),
    Outcome.diverged: ("The iterates left every bounded region.", "Lower flow.step_size, or use kind: gradient_flow."),
    Outcome.nonfinite: (
        "A number overflowed or was not a number.",
        "Bring init and data nearer to unit scale; the last finite state is reported.",
    ),
    Outcome.infeasible: (
        "No parameters that this initialization can reach fit the data.",
        "Check the signs that frozen or one-signed coordinates allow, and that y lies in the range of X.",
    ),
    Outcome.stalled: (
        "Rounding, or a step that cannot be shortened further, ended the run before the requested residual or loss.",
        "Raise stop.relative_residual or set flow.completion: auto; in classification raise stop.log_train_loss.",
    ),
    Outcome.saddle: (
        "The flow rests at a stationary point that does not fit the data.",
        "Move the initialization off the saddle: some layer products that the data need are exactly zero.",
    ),
    Outcome.none_known: ("No closed-form regularizer is known here.", ""),
}


class Exactness(StrEnum):
    """How far a regularizer may be trusted: a property of the theorem and its conditions, not of the run."""

    exact = "exact"
    limit = "limit"
    approximate = "approximate"
    baseline = "baseline"
    none = "none"
