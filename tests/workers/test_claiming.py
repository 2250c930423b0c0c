"""A claim that Redis carries out after its worker has stopped waiting for the answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

from initshape.spec.status import Status
from initshape.store import Store, jobs, leases
from initshape.store.jobs import Submitter
from initshape.store.server import RedisServer
from tests.workers.factory import experiment, until
from workers.loop import work_while_there_is_any

WORKER = "w@here:1/2"


def test_a_claim_without_an_answer_is_given_back_and_claimed_again(own_server: RedisServer) -> None:
    """The job of that claim is run at once, without being lost; the same worker holds nothing that it does not know."""
    store = Store(replace(own_server.settings, command_seconds=0.4))
    try:
        request = experiment(seed=77)
        store.run(leases.claim(WORKER, "cpu"))  # the script is known
        store.run(jobs.submit(request, Submitter("ann")))
        os.kill(own_server.pid, signal.SIGSTOP)
        thread = threading.Thread(target=work_while_there_is_any, args=(store, WORKER, "cpu", 20.0))
        try:
            thread.start()
            time.sleep(0.8)
        finally:
            os.kill(own_server.pid, signal.SIGCONT)
        thawed = time.monotonic()
        thread.join(20.0)
        record = store.run(jobs.read(request.id))
        assert record is not None
        assert record.status is Status.succeeded
        assert [attempt.how for attempt in record.attempts] == ["handed_over", "finished"]
        assert time.monotonic() - thawed < leases.LEASE_SECONDS  # it did not wait for the lease to expire
    finally:
        store.close()


def test_a_redis_that_is_away_is_no_reason_to_leave(own_server: RedisServer) -> None:
    """The loop goes on when it is back, and says that it need not be rung for where it never came back."""
    store = Store(replace(own_server.settings, command_seconds=0.4))
    try:
        os.kill(own_server.pid, signal.SIGSTOP)
        try:
            assert work_while_there_is_any(store, WORKER, "cpu", 0.2) is False
        finally:
            os.kill(own_server.pid, signal.SIGCONT)
        request = experiment(seed=78)
        until(lambda: own_server.alive(), 5.0)
        store.run(jobs.submit(request, Submitter("ann")))
        assert work_while_there_is_any(store, WORKER, "cpu") is False
        record = store.run(jobs.read(request.id))
        assert record is not None
        assert record.status is Status.succeeded
    finally:
        store.close()
