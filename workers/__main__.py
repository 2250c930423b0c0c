"""`python -m workers --queue cpu --name cpu1`: one worker process with one child.

The environment is settled before Celery, numpy or jax is loaded, because all of them read it once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from initshape.numerics_environment import one_core
from workers import cpu, gpu
from workers.settings import QUEUE_VARIABLE, compilation_cache


def main(arguments: list[str] | None = None) -> None:
    """Runs until SIGTERM or SIGINT; running jobs are then handed over, within seconds."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--queue", choices=["cpu", "gpu"], default="cpu", help="resource class that it serves")
    parser.add_argument("--name", default=f"worker-{os.getpid()}", help="node name, one a worker on this machine")
    parser.add_argument("--loglevel", default="INFO")
    given = parser.parse_args(arguments)

    # SIGTERM must not wait for an hour-long job to end: it becomes Celery's cold shutdown.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    os.environ[QUEUE_VARIABLE] = given.queue
    try:
        one_core(compilation_cache=compilation_cache())
    except PermissionError as error:
        parser.error(str(error))
    (gpu if given.queue == "gpu" else cpu).prepare_environment(os.environ)

    from initshape.store import Queue, StoreSettings
    from initshape.store.tls import PLAINTEXT, plaintext_remark
    from workers import logs
    from workers.app import create_app
    from workers.warming import start_warming

    try:
        settings = StoreSettings.from_environment()
    except (ValueError, OSError) as error:
        parser.error(str(error))
    os.environ[logs.LEVEL] = given.loglevel.upper()
    logs.install()
    logs.tell_settings(given.queue, given.name, settings)
    if given.queue == Queue.cpu:
        start_warming()
    if remark := plaintext_remark(settings.url, os.environ.get(PLAINTEXT) or "warn"):
        logging.getLogger("workers").warning("%s", remark)
    app = create_app(settings)
    app.worker_main([
        "--quiet", "worker", "--without-mingle", "--without-gossip", "--concurrency", "1", "--pool", "prefork",
        "--hostname", f"{given.name}@%h", "--queues", Queue(given.queue).celery,
        "--loglevel", "WARNING",  # of a spawned child, until workers/logs.py takes over
    ])  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
