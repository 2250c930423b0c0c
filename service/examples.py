"""Documents that the HTTP reference shows; the tests send every one of them."""

from __future__ import annotations

import json
from typing import Any

_OWN_DATA: dict[str, Any] = {
    "dataset": {"kind": "explicit", "X": [[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]], "y": [1.0, 2.0]},
    "model": {"kind": "diagonal"},
    "flow": {"kind": "none"},
}


def _scaled(scale: float) -> dict[str, Any]:
    return {"kind": "scale_shape", "scale": scale, "shape": 0.0}


EXPERIMENTS: dict[str, Any] = {
    "scale_and_shape": {
        "summary": "Scale and shape of the initialization, every other value a default",
        "value": {
            "schema_version": 1,
            "name": "scale and shape",
            "tags": ["azulay-2021"],
            "experiment": {
                "dataset": {"kind": "sparse_regression", "dimension": 1000, "samples": 100, "seed": 1993},
                "model": {"kind": "diagonal", "depth": 2},
                "init": {"kind": "scale_shape", "scale": 1e-3, "shape": 0.5},
            },
        },
    },
    "own_data": {
        "summary": "Your own data: two samples of three features; the theory's answer alone, nothing simulated",
        "value": {
            "experiment": {
                "dataset": {"kind": "explicit", "X": [[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]], "y": [1.0, 2.0]},
                "model": {"kind": "diagonal"},
                "init": {"kind": "scale_shape", "scale": [0.01, 0.01, 0.1], "shape": 0.0},
                "flow": {"kind": "none"},
                "regularizers": ["implicit", "l1"],
            },
        },
    },
}

EDITS: dict[str, Any] = {
    "labels": {
        "summary": "Another name and other tags",
        "value": {"name": "figure 2", "tags": ["azulay-2021", "draft"]},
    },
    "pin": {"summary": "Keep the result for ever", "value": {"pinned": True}},
}

SWEEP_EDITS: dict[str, Any] = {
    "keep": {"summary": "Keep the sweep and its results for ever", "value": {"kept": True, "notes": "As published."}},
}

BATCHES: dict[str, Any] = {
    "own_data": {
        "summary": "The same data under two initializations, one document a line",
        "value": "".join(
            json.dumps({"name": f"scale {scale}", "experiment": {**_OWN_DATA, "init": _scaled(scale)}}) + "\n"
            for scale in (0.01, 0.1)
        ),
    },
}

SWEEPS: dict[str, Any] = {
    "scale_and_shape": {
        "summary": "The published figure: population error against scale, one line a shape",
        "value": {
            "schema_version": 1,
            "name": "shape and scale",
            "sweep": {
                "base": {
                    "dataset": {
                        "kind": "sparse_regression", "dimension": 1000, "samples": 100, "sparsity": 5,
                        "noise_variance": 0.01,
                    },
                    "model": {"kind": "diagonal"},
                    "init": {"kind": "scale_shape"},
                },
                "axes": [
                    {"path": "init.scale", "logspace": [-5, -0.6, 20]},
                    {"path": "init.shape", "values": [0, 0.5, 0.7, 0.9, 0.99]},
                ],
            },
        },
    },
    "seeds": {
        "summary": "Three scales, each over four seeds that the figure averages",
        "value": {
            "sweep": {
                "base": {
                    "dataset": {"kind": "sparse_regression", "dimension": 40, "samples": 10},
                    "model": {"kind": "diagonal"},
                    "init": {"kind": "scale_shape", "shape": 0.5},
                    "flow": {"kind": "none"},
                },
                "axes": [{"path": "init.scale", "values": [0.001, 0.01, 0.1]}],
                "replicate": {"path": "dataset.seed", "values": [1, 2, 3, 4]},
            },
        },
    },
}  # fmt: skip

EVALUATIONS: dict[str, Any] = {
    "initialization": {
        "summary": "Value and gradient of a diagonal network's Q at two points",
        "value": {
            "model": {"kind": "diagonal", "depth": 2},
            "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
            "what": ["value", "gradient"],
            "points": [[1.0, 0.0], [0.5, -0.5]],
        },
    },
    "profile": {
        "summary": "The profile of the single neuron's Q from its formula",
        "value": {
            "parameters": {"kind": "single_neuron", "delta": 2.0},
            "what": ["profile"],
            "grid": {"axes": [{"linspace": [0, 10, 21]}]},
        },
    },
}

REGULARIZER_FIGURES: dict[str, Any] = {
    "profiles": {
        "summary": "The published figure: profiles of the single neuron for four delta",
        "value": {
            "name": "Profile of the single neuron",
            "sweep": {
                "base": {
                    "parameters": {"kind": "single_neuron"},
                    "what": ["profile"],
                    "grid": {"axes": [{"linspace": [0, 10, 101]}]},
                },
                "axes": [{"path": "parameters.delta", "values": [0, 1, 2, 5]}],
            },
        },
    },
    "contours": {
        "summary": "Contours of one Q",
        "value": {
            "model": {"kind": "single_neuron"},
            "init": {"kind": "scale_shape", "scale": 2, "shape": 0.2, "direction": [0.6, 0.8]},
            "grid": {
                "axes": [
                    {"coordinate": 0, "linspace": [-10, 10, 41]},
                    {"coordinate": 1, "linspace": [-10, 10, 41]},
                ],
            },
        },
    },
}
