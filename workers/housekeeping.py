"""The parent process of a worker: says that it is alive, reaps, rings, and hands its jobs over when it must go."""

from __future__ import annotations

import logging
import os
import platform
import time
from typing import Any

from billiard.process import active_children
from celery import bootsteps

from initshape.store import TASK, Queue, Store, StoreError, StoreSettings, condition, leases, presence
from initshape.store import format as store_format
from initshape.store.reaper import ReaperThread
from workers.backstop import Backstop
from workers.departure import announce
from workers.patience import Patience
from workers.task import worker_name

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1


class Housekeeping(bootsteps.StartStopStep):  # type: ignore[misc]
    """A thread of its own: the consumer's event loop stands still while the broker is away."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._store = Store(StoreSettings.from_environment())
        self._opened = False
        self._app = worker.app
        self._name = worker_name(worker.hostname, os.getpid())
        self._slots = worker.concurrency or 1
        served = {name.decode() if isinstance(name, bytes) else name for name in worker.app.amqp.queues.consume_from}
        self._queues = [queue for queue in Queue if queue.celery in served]
        self._backstop = Backstop(self._store, self._name)
        self._thread = ReaperThread(self._store, self._ring, self._present)
        # Celery's own soft shutdown sleeps for all of its time, whether or not anything still runs.
        worker.wait_for_soft_shutdown = self._bid_farewell

    def start(self, worker: Any) -> None:
        """With the worker."""
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """Warm shutdown: running jobs go on to their end."""
        self._leave()

    def terminate(self, worker: Any) -> None:
        """Cold shutdown: what still runs is about to be killed."""
        self._hand_over()
        self._leave()

    def _bid_farewell(self) -> None:
        """A cold shutdown begins. The jobs return to the queue, to be run elsewhere.

        Children do so themselves at their next blocks, with a checkpoint of each flow; what has no block in time is
        handed over from here. Celery would kill them first thing.
        """
        announce(child.pid for child in active_children() if child.pid is not None)
        end = time.monotonic() + Patience().farewell
        try:
            while time.monotonic() < end and self._store.run(leases.held_by(self._name)):
                time.sleep(_LOOK_SECONDS)
        except StoreError as error:
            logger.warning("no time for checkpoints: %s", error)
        self._hand_over()

    def _hand_over(self) -> None:
        try:
            count = self._store.run(leases.hand_over_all(self._name))
            if count:
                logger.info("handed %d running jobs over", count)
            for queue in self._queues:
                for _ in range(self._store.run(leases.rings_due(queue))):
                    self._ring(queue)
        except (StoreError, OSError) as error:
            logger.warning("the jobs could not be handed over, their leases will expire: %s", error)

    def _leave(self) -> None:
        self._thread.stop()
        try:
            for queue in self._queues:
                self._store.run(presence.withdraw(self._name, queue, self._slots))
        except StoreError:
            logger.info("Redis is away; the presence will expire")
        self._store.close()

    def _ring(self, queue: Queue) -> None:
        self._app.send_task(TASK, args=[queue.value], queue=queue.celery)

    def _present(self) -> None:
        if not self._opened:  # Redis may come up later than the worker, and from a newer release
            found = self._store.run(store_format.opening())
            logger.info("the store is open", extra={"format": found, **self._store.run(condition.read()).told()})
            self._opened = True
        info = {"host": platform.node(), "pid": str(os.getpid())}
        for queue in self._queues:
            self._store.run(presence.announce(self._name, queue, self._slots, info))
        self._backstop.tick()
