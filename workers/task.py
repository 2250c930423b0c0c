"""The task: a ring means that there may be work, and the loop finds out. A spawned child imports this module first."""

from __future__ import annotations

import os
from typing import Any

from celery import Task, shared_task
from celery.signals import worker_process_init

from initshape.store import TASK, Queue
from workers import logs
from workers.backstop import child_name

logs.install()  # this module comes first in a spawned child, too


@shared_task(name=TASK, bind=True, max_retries=0, Strategy="workers.strategy:careful")  # type: ignore[untyped-decorator]
def work(self: Task, queue: str) -> None:
    """Runs what waits in the queue; where the time is over before the work, rings for the rest."""
    from workers import child, loop

    name = child_name(worker_name(self.request.hostname, os.getppid()), os.getpid())
    if loop.work_while_there_is_any(child.store(), name, queue):
        self.app.send_task(TASK, args=[queue], queue=Queue(queue).celery)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def prepare(**_: Any) -> None:
    """Before the first task of a child."""
    from workers import child

    child.prepare()


def worker_name(node: str, parent: int) -> str:
    """Name of a worker process; its number tells two of one node name apart."""
    return f"{node}:{parent}"
