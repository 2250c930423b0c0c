"""Queue and task names, shared by whoever rings and whoever works. Routing is by resource only: claim chooses the job.

Ring:  app.send_task(TASK, args=[Queue.cpu.value], queue=Queue.cpu.celery)
The message means "there may be work"; it carries no job, so a lost, doubled or late one is harmless.
"""

from __future__ import annotations

from enum import StrEnum

TASK = "initshape.work"


class Queue(StrEnum):
    """Resource classes. One worker process serves one of them."""

    cpu = "cpu"  # one core a process
    gpu = "gpu"  # one device a process, several jobs of one shape at once

    @property
    def celery(self) -> str:
        """Name of the Celery queue, which is also the name of the broker's Redis list."""
        return f"initshape-{self.value}"


def queue_for(device: str) -> Queue:
    """`resources.device` (auto, cpu, gpu) to a queue."""
    return Queue.gpu if device == "gpu" else Queue.cpu


BROKER_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
}
"""kombu's transport options, for whoever rings or works: without time-outs a frozen Redis holds a publisher for ever.

A message that a dead worker held comes back after the visibility timeout and then finds nothing to claim.
"""
