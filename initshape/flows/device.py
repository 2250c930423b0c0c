"""The device that JAX computes on."""

from __future__ import annotations

import os

import jax


def device_name() -> str:
    """`cpu`, or the platform and kind of the accelerator, e.g. `gpu: NVIDIA H200`."""
    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else f"{device.platform}: {device.device_kind}"


def lanes_wanted(device: str | None = None) -> bool:
    """Whether many flows of one shape should go through `integrate_many` on `device` (as `device_name` says it).

    On an accelerator yes: a step of one small flow leaves it idle. On a CPU no: cells go over processes, one core each.
    INITSHAPE_LANES=always wants them everywhere, INITSHAPE_LANES=never nowhere.
    """
    wish = os.environ.get("INITSHAPE_LANES", "auto")
    if wish not in ("auto", "always", "never"):
        raise ValueError(f"INITSHAPE_LANES is auto, always or never, not {wish!r}")
    accelerated = (device or device_name()).partition(":")[0] != "cpu"
    return accelerated if wish == "auto" else wish == "always"
