"""The result document. Arrays live outside it; a number that is not finite is null."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue

from initshape.spec.outcome import Exactness, Outcome


def _finite(value: object) -> object:
    """NaN and infinity never reach JSON: they become null and the outcome says why."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


Number = Annotated[float | None, BeforeValidator(_finite)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Part):
    """One condition of a theorem and the value that was checked."""

    name: str
    holds: bool
    value: JsonValue = None


class Completion(_Part):
    """Gauss-Newton steps after the integration: the relative residual they started from, and how many."""

    from_residual: Number
    iterations: int


class _Weights(_Part):
    """What can be said of any weights w against the truth.

    `population_risk` = E (x.w - y)^2 = population_error + noise variance; the excess risk is the population error.
    `support_recovered` is the fraction of the truth's support among as many largest |w_i|, null for a dense truth.
    """

    population_error: Number = None
    population_risk: Number = None
    test_error: Number = None
    l1_norm: Number = None
    l2_norm: Number = None
    support_recovered: Number = None


class FlowReport(_Weights):
    """What the simulation did. `time` is the flow time of the last integrated state; `seconds` excludes compilation.

    `independent` is false where theory was used (integrators dual and limit): agreement with it is then no evidence.
    `time`, `steps`, `invariant_drift` and `completion` are null for a limit in closed form.

    Classification: `gamma` = -ln L = -`log_train_loss`, `margin` = min_n y_n f(x_n) over the norm of w, and `time` is
    tau with d tau = L dt, in which the flow is that of gamma. `ntk_change` = ||K(end) - K(0)||_F / ||K(0)||_F of the
    tangent kernel on the training inputs. `sign_flips` counts output weights with another sign at the end than at the
    start (neurons, two layers), `kinks` how often a unit of a ReLU network crossed its kink, was held there or let go.
    """

    outcome: Outcome
    stopped_by: str
    independent: bool
    integrator: str
    time: Number
    steps: int | None
    completion: Completion | None = None
    train_loss: Number = None
    relative_residual: Number = None
    invariant_drift: Number = None
    ntk_change: Number = None
    sign_flips: int | None = None
    kinks: int | None = None
    gamma: Number = None
    margin: Number = None
    log_train_loss: Number = None
    seconds: Number = None
    compile_seconds: Number = None


class FitReport(_Weights):
    """What one regularizer predicts, how well it was minimised, and how far it may be trusted."""

    regularizer: str
    outcome: Outcome
    exactness: Exactness
    theorem: str | None = None
    conditions: tuple[Condition, ...] = ()
    reason: str | None = None
    relative_residual: Number = None
    kkt_residual: Number = None
    value: Number = None
    iterations: int | None = None
    seconds: Number = None


class ComparisonReport(_Part):
    """The end of the flow against one regularizer's answer.

    `of` says what is compared: `weights` (w_flow and w_fit), `directions` (classification: both scaled to unit norm;
    `kkt_residual` and `excess_value` for w_flow scaled to least margin 1), or `predictions` (networks that are not
    linear in x: outputs on the test inputs).
    """

    regularizer: str
    of: str = "weights"
    angle: Number = None
    relative_distance: Number
    cosine_distance: Number
    kkt_residual: Number
    excess_value: Number


class Regime(_Part):
    """Nearest limit of the implicit bias, with the relative distances that justify the label."""

    label: str
    distance_to_l1: Number
    distance_to_l2: Number
    distance_to_kernel: Number
    of: str
    ties: tuple[str, ...] = ()


class Resumed(_Part):
    """An interrupted computation went on from a checkpoint: of which attempt, and at which step of the flow."""

    attempt: int | None
    step: int


class Provenance(_Part):
    """Where the numbers come from."""

    numerics_version: str
    versions: dict[str, str]
    device: str
    dtype: str
    host: str
    commit: str | None = None
    attempt: int | None = None
    resumed: Resumed | None = None


class ArrayInfo(_Part):
    """Shape and dtype of one stored array."""

    shape: tuple[int, ...]
    dtype: str


class Result(_Part):
    """A finished computation. `notes` are caveats in sentences, for people."""

    id: str
    outcome: Outcome
    advice: str | None
    flow: FlowReport | None
    fits: tuple[FitReport, ...]
    comparisons: tuple[ComparisonReport, ...]
    regime: Regime | None
    notes: tuple[str, ...] = ()
    citations: tuple[str, ...]
    provenance: Provenance
    arrays: dict[str, ArrayInfo]
