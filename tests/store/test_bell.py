"""The bell: workers that have just run out of work hear of the next job without a message through Celery."""

from __future__ import annotations

import threading

from initshape.store import Store, StoreSettings, jobs, leases
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.keys import key
from tests.store.desk import Desk

ANN = Submitter("ann")
SHORT = 0.05


def hear(desk: Desk, seconds: float = SHORT) -> bool:
    return desk.store.run(leases.hear("cpu", seconds))


def test_it_rings_for_what_is_queued_and_not_otherwise(desk: Desk) -> None:
    assert not hear(desk)
    desk.store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    assert hear(desk)
    assert not hear(desk), "one worker a job"
    desk.store.run(leases.claim("w", "cpu"))
    desk.store.run(leases.hand_over("x-1", 1))
    assert hear(desk)
    assert not desk.store.run(leases.hear("gpu", SHORT))


def test_it_is_silent_where_nothing_waits(desk: Desk) -> None:
    desk.store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    desk.store.run(jobs.submit(JobRequest("x-2", {}), ANN))
    desk.store.run(leases.claim("w", "cpu"))
    desk.store.run(leases.claim("w", "cpu"))
    assert not hear(desk)
    desk.store.run(jobs.submit(JobRequest("x-3", {}), ANN))
    desk.store.run(jobs.cancel("x-3", "ann"))
    assert not desk.store.client.exists(key("bell", "cpu"))


def test_a_sweep_does_not_fill_it(desk: Desk) -> None:
    desk.store.run(jobs.submit_many([JobRequest(f"x-{k}", {}) for k in range(500)], ANN))
    assert 1 <= desk.store.client.llen(key("bell", "cpu")) <= 64


def test_whoever_listens_wakes_one_after_the_other(settings: StoreSettings) -> None:
    store = Store(settings)
    heard: list[int] = []

    def listen(number: int) -> None:
        if store.run(leases.hear("cpu", 1.5)):
            heard.append(number)

    listeners = [threading.Thread(target=listen, args=(k,)) for k in range(3)]
    for listener in listeners:
        listener.start()
    for k in range(2):
        store.run(jobs.submit(JobRequest(f"x-{k}", {}), ANN))
    for listener in listeners:
        listener.join()
    store.close()
    assert len(heard) == 2
