"""The device that JAX computes on."""

from __future__ import annotations

import jax


def device_name() -> str:
    """`cpu`, or the platform and kind of the accelerator, e.g. `gpu: NVIDIA H200`."""
    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else f"{device.platform}: {device.device_kind}"
