"""Defaults that depend on another field. They are filled in before validation, so that the resolved spec shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from initshape.spec.dataset import UploadedDataset
from initshape.spec.init import UploadedInit

RELATIVE_RESIDUAL = 1e-10
LOG_TRAIN_LOSS = -230.25850929940457
"""ln 1e-100: far enough along the margin path for its direction to settle, and a fraction of a second away."""
_WHOLE = (UploadedDataset, UploadedInit)
"""They have no defaults, and carry what no document says: the upload itself."""
_MAY_BE_NULL = ("relative_residual", "log_train_loss", "max_steps")
FLOW_STEPS = 200_000
DESCENT_STEPS = 20_000_000


READ_FROM = {"stop": ("loss", "flow"), "init": ("model",)}
"""Other sections on which the defaults of a section depend."""


def fill(document: Any) -> Any:
    """The experiment document with its conditional defaults. What is malformed is left for validation to explain."""
    if not isinstance(document, dict):
        return document
    # Parts that are models already (an Experiment written in Python) are opened, so that they get defaults too.
    filled = {
        name: part.model_dump(exclude_none=True)
        if isinstance(part, BaseModel) and not isinstance(part, _WHOLE)
        else part
        for name, part in document.items()
    }
    if isinstance(filled.get("flow"), dict):
        filled["flow"] = {"kind": "gradient_flow", **filled["flow"]}
    if isinstance(filled.get("loss"), dict):
        filled["loss"] = {"kind": "square", **filled["loss"]}
    filled["stop"] = _stop(filled)
    _fill_init(filled)
    _fill_descent(filled)
    return filled


def _stop(document: dict[str, Any]) -> Any:
    stop = document.get("stop", {})
    if not isinstance(stop, dict):
        return stop
    classification = _kind(document, "loss") in ("exponential", "logistic")
    target = {"log_train_loss": LOG_TRAIN_LOSS} if classification else {"relative_residual": RELATIVE_RESIDUAL}
    steps = DESCENT_STEPS if _kind(document, "flow") == "gradient_descent" else FLOW_STEPS
    given = {name: value for name, value in stop.items() if value is not None or name not in _MAY_BE_NULL}
    return {**target, "max_steps": steps, **given}


def _fill_init(document: dict[str, Any]) -> None:
    model, init = document.get("model"), document.get("init")
    if not isinstance(model, dict) or not isinstance(init, dict) or init.get("kind") != "scale_shape":
        return
    kind = model.get("kind")
    defaults: dict[str, Any] = {}
    if kind == "single_neuron" and init.get("direction") is None:
        defaults["seed"] = 0
    if kind == "fully_connected":
        defaults["seed"] = 0
        if not init.get("balanced"):
            defaults["signs"] = "random"
    document["init"] = {**defaults, **{name: value for name, value in init.items() if value is not None}}


def _fill_descent(document: dict[str, Any]) -> None:
    flow = document.get("flow")
    if isinstance(flow, dict) and flow.get("kind") == "gradient_descent" and flow.get("batch_size") is not None:
        document["flow"] = {"seed": 0, **{name: value for name, value in flow.items() if value is not None}}


def _kind(document: dict[str, Any], part: str) -> Any:
    value = document.get(part)
    return value.get("kind") if isinstance(value, dict) else None
