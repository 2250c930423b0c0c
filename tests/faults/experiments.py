"""The experiments of a chaos run, by number: the same number is the same document, in this run and in the quiet one."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

STEPS = {"middle": 1_500_000, "long": 2_500_000}


def document(number: int, kind: str) -> Document:
    """`fit`: milliseconds, no compiler. `flow`: a tiny one, tens of milliseconds.

    `middle` and `long`: a second and some seconds, in short blocks.
    """
    flow: Document = {
        "fit": {"kind": "none"},
        "flow": {"kind": "gradient_flow"},
    }.get(kind, {"kind": "gradient_descent", "step_size": 1e-6})
    experiment = {
        "dataset": {
            "kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10,
            "seed": number,
        },
        "model": {"kind": "diagonal", "depth": 2},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        "flow": flow,
        "regularizers": ["implicit", "l2"],
        "trajectory": {"points": 20, "coordinates": 4},
    }  # fmt: skip
    if kind in STEPS:
        experiment["stop"] = {"relative_residual": 1e-12, "max_steps": STEPS[kind]}
    return {"name": f"{kind} {number}", "experiment": experiment}
