"""Log lines of a worker and of its children: Celery sets nothing up, each process does it for itself."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from celery.signals import setup_logging

from initshape import logs
from initshape.logs.configure import SETTING
from initshape.store import StoreSettings
from workers.settings import redacted

LEVEL: Final = "INITSHAPE_WORKER_LOG_LEVEL"
"""From the parent to its children, through the environment."""

logger = logging.getLogger(__name__)


def install() -> None:
    """Once a process, before Celery logs. A format that is not known counts as `auto`."""
    setup_logging.connect(_configure)
    _configure()


def tell_settings(queue: str, name: str, store: StoreSettings) -> None:
    """The first line of a worker."""
    logger.info("settings", extra={"settings": redacted(queue, name, store)})


def _configure(**_: Any) -> None:
    given = os.environ.get(SETTING, "auto")
    form: logs.Format = given if given in logs.FORMATS else "auto"
    logging.captureWarnings(True)
    logs.configure(os.environ.get(LEVEL, "INFO"), form)
