"""Figures of one experiment, from its result document and its arrays.

`distance`      ||w(t) - w_Q|| / ||w_Q|| against the flow's time, with the accuracy of w_Q drawn as a line
`loss`          training loss against time
`coordinates`   a few entries of w(t), the true support highlighted where the truth is known
`margins`       classification: the least margin of w/||w|| along training, with the largest that any w has

Classification is drawn against gamma = -ln L, which says how far training has come; distances are those of directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from initshape.figures.data import LARGEST, Axis, FigureData, FigureError, Level, Series, number
from initshape.figures.words import REGULARIZERS, exactness, outcome

Arrays = Mapping[str, NDArray[Any]]
Result = Mapping[str, Any]

_FLOW_TIME = "time of the gradient flow, $t$"
_DESCENT_TIME = r"time of gradient descent, step size $\times$ steps"
_TAU = r"time along the margin path, $\tau$"
GAMMA = r"$\gamma = -\ln\, \mathrm{loss}$"
DISTANCE = r"relative distance, $\|w(t)-w_Q\| \,/\, \|w_Q\|$"
DIRECTIONS = r"distance of directions, $\| w/\|w\| - w_Q/\|w_Q\| \|$"
MARGIN = r"least margin, $\min_n y_n x_n^\top w \,/\, \|w\|$"
FLOOR = "floor of the solver (residual of the fit)"
_PREFIX = "distance_"
_MOST_CONTEXT = 24
_DEEPEST = 6  # decades below the lowest point at which a level is still drawn


def distance(result: Result, arrays: Arrays, *, title: str = "") -> FigureData:
    """Relative distance of w(t) from each regularizer's minimiser; every distance that was recorded is a line.

    The level is the floor of the fit's solver (the larger of its relative and KKT residual): below it a distance says
    nothing about the theory. Errors: FigureError when no distance was recorded.
    """
    names = sorted(
        (name.removeprefix(_PREFIX) for name in arrays if name.startswith(_PREFIX)),
        key=lambda name: (name != "implicit", list(REGULARIZERS).index(name) if name in REGULARIZERS else 99, name),
    )
    if not names:
        raise FigureError("No distance was recorded along this flow.", tuple(experiment_kinds(arrays)))
    clock = _clock(result, arrays)
    series = tuple(
        _against(clock, arrays[_PREFIX + name], "to " + REGULARIZERS.get(name, name.replace("_", " ")))
        for name in names
    )
    classifies = _classifies(arrays)
    levels, below = floor_of(series, None if classifies else _fit_accuracy(result, names[0]))
    return FigureData(
        kind="distance",
        title=title or "Distance of the flow from theory's answer",
        caption=" ".join(
            filter(None, [_flow_words(result), _distance_words(result, names[0]), below, _exactness(result)])
        ),
        x=Axis(clock.label, "log"),
        y=Axis(DIRECTIONS if classifies else DISTANCE, "log"),
        series=series,
        levels=levels,
    )


def floor_of(series: Sequence[Series], floor: float | None) -> tuple[tuple[Level, ...], str]:
    """The floor of the solvers as a level; as words where it lies so deep that the lines would have little room."""
    lowest = min((min(line.y) for line in series if line.y), default=None)
    if floor is None or lowest is None:
        return (), ""
    if floor < lowest * 10.0**-_DEEPEST:
        return (), f"Far below: the {FLOOR}, {floor:.1e}."
    return (Level(FLOOR, floor),), ""


def loss(result: Result, arrays: Arrays, *, title: str = "") -> FigureData:
    """Training loss L = ||y - X w||^2 / (2N) against time; in classification gamma = -ln L, which does not underflow.

    Errors: FigureError when there was no flow.
    """
    if "train_loss" not in arrays or "time" not in arrays:
        raise FigureError(
            "No training loss was recorded: the experiment has no flow, or its limit only.",
            tuple(experiment_kinds(arrays)),
        )
    classifies = _classifies(arrays)
    clock = _Clock(_TAU, np.asarray(arrays["time"], dtype=float)) if classifies else _clock(result, arrays)
    return FigureData(
        kind="loss",
        title=title or "Training loss along the flow",
        caption=_flow_words(result),
        x=Axis(clock.label, "log"),
        y=Axis(GAMMA if classifies else r"training loss, $\|y-Xw\|^2/(2N)$", "log"),
        series=(_against(clock, arrays["gamma" if classifies else "train_loss"], "training loss"),),
    )


def margins(result: Result, arrays: Arrays, *, title: str = "") -> FigureData:
    """min_n y_n x_n.w / ||w|| along training; the level is that of the l2 max-margin predictor, the largest there is.

    Errors: FigureError when the experiment is no classification.
    """
    if "margin" not in arrays or "gamma" not in arrays:
        raise FigureError("Margins are recorded in classification only.", tuple(experiment_kinds(arrays)))
    widest = arrays.get("w_l2")
    size = 0.0 if widest is None else float(np.linalg.norm(widest))
    levels = (Level(r"largest margin, $1/\|w_{\ell_2}\|$", 1.0 / size),) if size > 0.0 else ()
    words = "" if levels else "Ask for the regularizer l2 to see the largest margin."
    return FigureData(
        kind="margins",
        title=title or "Margin along training",
        caption=" ".join(filter(None, [_flow_words(result), words])),
        x=Axis(GAMMA, "log"),
        y=Axis(MARGIN, "linear"),
        series=(_against(_clock(result, arrays), arrays["margin"], "least margin", positive=False),),
        levels=levels,
    )


def coordinates(result: Result, arrays: Arrays, *, title: str = "") -> FigureData:
    """Recorded coordinates of w(t); those on the support of w_true stand out, the others are thin.

    Errors: FigureError when no coordinate was recorded.
    """
    if "w_trajectory" not in arrays or arrays["w_trajectory"].size == 0:
        raise FigureError("No coordinates were recorded: set trajectory.coordinates.", tuple(experiment_kinds(arrays)))
    clock, classifies = _clock(result, arrays), _classifies(arrays)
    path = np.asarray(arrays["w_trajectory"], dtype=float)
    if classifies:  # w grows without end, like gamma
        path = path / np.where(clock.values > 0.0, clock.values, np.nan)[:, None]
    index = np.asarray(arrays.get("coordinate_index", np.arange(path.shape[1])), dtype=int)
    truth = arrays.get("w_true")
    support = np.zeros(index.size, dtype=bool) if truth is None else np.asarray(truth)[index] != 0
    if truth is None:  # without a truth the entries that ended largest stand out
        support[np.argsort(-np.abs(path[-1]), kind="stable")[:5]] = True
    shown = [k for k in range(index.size) if support[k]] + [k for k in range(index.size) if not support[k]][
        :_MOST_CONTEXT
    ]
    series = []
    for k in shown:
        if support[k]:
            series.append(_against(clock, path[:, k], f"$w_{{{index[k]}}}$", positive=False))
        else:
            label = "off the support" if truth is not None else "the others"
            series.append(_against(clock, path[:, k], label, positive=False, role="context"))
    theory = arrays.get("w_implicit")
    if theory is not None and np.all(np.isfinite(theory)):
        ends = np.asarray(theory)[index[support]].tolist()
        at = (float(clock.values[-1]),) * len(ends)
        series.append(Series("theory, $w_Q$", at, tuple(ends), marked=True, joined=False))
    words = "Coloured: the support of the truth." if truth is not None else "Coloured: the largest entries at the end."
    hidden = int(path.shape[1]) - len(shown)
    return FigureData(
        kind="coordinates",
        title=title or "Coordinates of the predictor along the flow",
        caption=" ".join(filter(None, [words, f"{hidden} more were recorded." if hidden else "", _flow_words(result)])),
        x=Axis(clock.label, "log"),
        y=Axis(r"coordinate over $\gamma$, $w_i / \gamma$" if classifies else "coordinate $w_i(t)$", "linear"),
        series=tuple(series),
    )


def experiment_kinds(arrays: Arrays) -> tuple[str, ...]:
    """Kinds that these arrays can be drawn as, the default first."""
    available = {
        "distance": any(name.startswith(_PREFIX) for name in arrays),
        "loss": "train_loss" in arrays and "time" in arrays,
        "coordinates": "w_trajectory" in arrays and arrays["w_trajectory"].size > 0,
        "margins": "margin" in arrays and "gamma" in arrays,
    }
    return tuple(kind for kind, present in available.items() if present)


@dataclass(frozen=True, eq=False)
class _Clock:
    """What says how far training has come. **Shape**: values (points,)."""

    label: str
    values: NDArray[np.float64]


def _classifies(arrays: Arrays) -> bool:
    return "gamma" in arrays


def _clock(result: Result, arrays: Arrays) -> _Clock:
    name = "gamma" if _classifies(arrays) else "time"
    descends = (result.get("flow") or {}).get("integrator") == "gradient_descent"
    label = GAMMA if name == "gamma" else _DESCENT_TIME if descends else _FLOW_TIME
    return _Clock(label, np.asarray(arrays[name], dtype=float))


def _against(
    clock: _Clock,
    values: NDArray[Any],
    label: str,
    *,
    positive: bool = True,
    role: Literal["main", "context"] = "main",
) -> Series:
    x, y = finite(clock.values, np.asarray(values, dtype=float), positive=positive)
    return Series(label, x, y, role=role)


def finite(
    time: NDArray[np.float64], values: NDArray[np.float64], *, positive: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Points that a logarithmic time axis can show; t = 0 and values that are not finite (or not positive) drop out."""
    keep = np.isfinite(time) & (time > 1 / LARGEST) & (np.abs(values) <= LARGEST)
    if positive:
        keep &= values > 1 / LARGEST
    return tuple(time[keep].tolist()), tuple(values[keep].tolist())


def _fit_accuracy(result: Result, regularizer: str) -> float | None:
    for fit in result.get("fits") or ():
        if fit.get("regularizer") == regularizer:
            found = [number(fit.get(key)) for key in ("relative_residual", "kkt_residual")]
            return max((value for value in found if value), default=None)
    return None


def _flow_words(result: Result) -> str:
    flow = result.get("flow")
    if not flow:
        return ""
    if flow.get("stopped_by") == "closed_form":
        return "The limit of the flow in closed form: nothing was integrated."
    name = str(flow.get("outcome"))
    ending = "The flow converged" if name == "converged" else f"The flow {outcome(name)}"
    time = number(flow.get("time"))
    at = f" at t = {time:.4g}" if time is not None else ""
    stopped = f" (stopped by {flow['stopped_by']})" if flow.get("stopped_by") else ""
    completion = flow.get("completion")
    method = "dual Newton" if flow.get("integrator") == "dual" else "Gauss-Newton"
    last = f", then {completion['iterations']} {method} steps (not drawn)" if completion else ""
    return f"{ending}{at}{stopped}{last}."


def _distance_words(result: Result, regularizer: str) -> str:
    for comparison in result.get("comparisons") or ():
        value = number(comparison.get("relative_distance"))
        if comparison.get("regularizer") == regularizer and value is not None:
            return f"Distance at the end: {value:.1e}."
    return ""


def _exactness(result: Result) -> str:
    for fit in result.get("fits") or ():
        if fit.get("regularizer") == "implicit" and fit.get("exactness"):
            theorem = f": {fit['theorem']}" if fit.get("theorem") else ""
            return f"Theory is {exactness(fit['exactness'])} here{theorem}."
    return ""
