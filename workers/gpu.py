"""A GPU child owns one device, chosen for it by CUDA_VISIBLE_DEVICES; it takes memory as it needs it."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping

logger = logging.getLogger(__name__)


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """Must come before jax is loaded. What is already set stays."""
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def devices() -> list[str]:
    """The accelerators that jax sees; raises RuntimeError where it sees none, for then the queue cannot be served."""
    import jax

    found = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if not found:
        raise RuntimeError("No accelerator: this worker serves the gpu queue, but jax sees only the CPU.")
    return found
