"""How swept fields and stages are called in figures: the papers' symbols beside the spec's names."""

from __future__ import annotations

from collections.abc import Sequence

from initshape.figures.data import short

SYMBOLS = {
    "scale": r"$\alpha$",
    "shape": "$s$",
    "depth": "$L$",
    "dimension": "$d$",
    "samples": "$N$",
    "sparsity": "sparsity",
    "noise_variance": r"$\sigma^2$",
    "seed": "seed",
    "delta": r"$\delta$",
    "sqrt_k": r"$\sqrt{k}$",
    "step_size": r"$\eta$",
}

_SPELT_OUT = ("delta", "sqrt_k")  # names that only say their symbol

AXIS_LABELS = {
    "scale": r"scale of the initialization, $\alpha$",
    "shape": "shape of the initialization, $s$",
    "depth": "depth, $L$",
    "dimension": "dimension, $d$",
    "samples": "samples, $N$",
    "noise_variance": r"noise variance, $\sigma^2$",
    "step_size": r"step size of gradient descent, $\eta$",
}

REGULARIZERS = {
    "implicit": "$w_Q$ (implicit)",
    "summed_neurons": "$w_Q$ (summed neurons)",
    "summed_neurons_weighted": "$w_Q$ (summed neurons, weighted)",
    "l1": r"$w_{\ell_1}$",
    "l2": r"$w_{\ell_2}$",
    "kernel": r"$w_{\mathrm{kernel}}$",
}

EXACTNESS = {
    "limit": "exact in a limit",
    "baseline": "a baseline",
    "none": "not known",
    "None": "not asked for",
}

OUTCOMES = {
    "reached_max_time": "ran out of flow time",
    "reached_max_steps": "ran out of steps",
    "out_of_time": "ran out of wall-clock time",
    "diverged": "diverged",
    "nonfinite": "lost finite numbers",
    "infeasible": "had nothing to fit",
    "stalled": "stalled",
    "saddle": "rested at a saddle",
    "none_known": "had no known theory",
}

_BASE = "as in base"


def last(path: str) -> str:
    """Last segment of a swept path: `init.scale` -> `scale`."""
    return path.rsplit(".", 1)[-1]


def symbol(path: str) -> str:
    """What a legend calls a swept field."""
    return SYMBOLS.get(last(path), last(path).replace("_", " "))


def legend_title(path: str) -> str:
    """What stands above a legend whose lines differ in one swept field: its name and symbol."""
    name, sign = last(path).replace("_", " "), symbol(path)
    if last(path) in _SPELT_OUT:
        return sign
    return name if sign == name else f"{name} {sign}"


def axis_label(path: str) -> str:
    """What an axis calls a swept field."""
    return AXIS_LABELS.get(last(path), last(path).replace("_", " "))


def combination(values: Sequence[tuple[str, object]]) -> str:
    """What a legend calls one combination of swept values: 1e-05 alone under its title, else s = 0, alpha = 1e-05.

    A listed cell leaves what it does not name to the base of the sweep.
    """
    if len(values) == 1:
        return _BASE if values[0][1] is None else short(values[0][1])
    return ", ".join(f"{symbol(path)} = {short(value)}" for path, value in values if value is not None) or _BASE


def exactness(name: object) -> str:
    """How far theory may be trusted, as the end of "theory is ... here"."""
    return EXACTNESS.get(str(name), str(name))


def outcome(name: str) -> str:
    """What became of a cell, in words."""
    return OUTCOMES.get(name, name.replace("_", " "))
