"""The Celery application. Celery is the doorbell and the process manager; Redis, through initshape.store, is the truth.

Nothing heavy is imported here: the parent process never loads numpy or jax, and a child loads them when it starts.
"""

from __future__ import annotations

from celery import Celery

from initshape.store import Queue, StoreSettings
from initshape.store.queues import BROKER_OPTIONS
from workers.housekeeping import Housekeeping

CHILD_MEMORY_KIB = 4_000_000
"""A child above this is replaced after its task: compiled programs add up over days."""


def create_app(settings: StoreSettings) -> Celery:
    """The application of one worker process, or of whoever wants to inspect it."""
    app = Celery("initshape", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        # A message may come late, twice or never without harm. Reserve nothing behind an hour-long job.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # The reaper reruns the job of a dead child; its message may go.
        task_reject_on_worker_lost=False,
        # The store holds results; a Celery backend would add a subscription per message.
        task_ignore_result=True,
        result_backend=None,
        # An entry of the list that is no message ends no worker.
        broker_transport="workers.broker:Transport",
        # Nothing that comes from the broker is ever unpickled, whatever it says of itself.
        task_serializer="json",
        event_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # JAX that was used before a fork hangs in the child.
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=120,
        worker_concurrency=1,
        worker_max_memory_per_child=CHILD_MEMORY_KIB,
        # With Redis this kills running jobs at every short loss of the connection, and never runs them again.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=dict(BROKER_OPTIONS),
        broker_use_ssl=settings.tls_arguments or None,
        task_default_queue=Queue.cpu.celery,
        include=["workers.task"],
    )
    app.steps["worker"].add(Housekeeping)
    return app
