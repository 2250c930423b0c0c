"""Rings Celery from a thread of its own, so that neither a slow nor a frozen broker ever holds up a request.

A ring says only "there may be work". A lost one is rung again by the reaper, so nothing here is retried or waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any, Self

from initshape.store import TASK, Queue, Store, StoreSettings, leases

PAUSE_SECONDS = 0.005
"""Between two rounds: the first ring of many goes out at once, the others together."""

log = logging.getLogger(__name__)


class Doorbell:
    """Collects wishes and sends the messages that are due. `ring` returns at once, from any thread or event loop."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._wanted: set[Queue] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=5.0)

    def ring(self, queue: Queue) -> None:
        """There is work for this queue."""
        with self._changed:
            self._wanted.add(queue)
            self._changed.notify()

    def _work(self) -> None:
        store = Store(self._settings)
        app: Any = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._wanted)
                wanted, self._wanted = self._wanted, set()
            if not wanted:
                break
            try:
                app = app or sender(self._settings)
                for queue in wanted:
                    for _ in range(store.run(leases.rings_due(queue))):
                        app.send_task(TASK, args=[queue.value], queue=queue.celery)
            except Exception as error:  # noqa: BLE001 - whatever the broker does, the thread lives and the reaper rings
                log.warning("could not ring: %s", error)
            time.sleep(PAUSE_SECONDS)
        store.close()
        if app is not None:
            app.close()


def sender(settings: StoreSettings) -> Any:
    """A Celery app that can only send. Celery is imported here: the API starts without it."""
    from celery import Celery

    app = Celery("initshape", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_publish_retry=False,
        broker_use_ssl=settings.tls_arguments or None,
        broker_pool_limit=1,
        broker_connection_timeout=2,
        broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 2},
    )
    return app
