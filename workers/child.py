"""What a child process sets up before its first job, and keeps."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import time
from typing import Final

from initshape.store import Queue, Store, StoreSettings
from workers import cpu, gpu, memory
from workers.departure import departure
from workers.settings import QUEUE_VARIABLE

logger = logging.getLogger(__name__)

_UNFIT_SECONDS: Final = 10.0


@functools.cache
def store() -> Store:
    """The store's driver of this process."""
    return Store(StoreSettings.from_environment())


def prepare() -> None:
    """Takes its core or device, and imports what a job needs, so that the first job does not pay for it."""
    departure.listen()
    if os.environ.get(QUEUE_VARIABLE, Queue.cpu) == Queue.gpu:
        try:
            logger.info("devices: %s", gpu.devices())
        except RuntimeError as error:
            logger.error("%s", error)
            time.sleep(_UNFIT_SECONDS)  # the parent starts another child at once
            os._exit(1)
    else:
        logger.info("core: %s", cpu.own_a_core())
    for module in ("initshape.run", "initshape.flows"):
        importlib.import_module(module)
    if os.environ.get(QUEUE_VARIABLE, Queue.cpu) != Queue.gpu:
        logger.info("memory: at most %s bytes", memory.bind())
