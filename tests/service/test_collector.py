"""The garbage collector rests for one at a time, and works again afterwards."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from service.collector import resting


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="wrong"), resting():
        raise ValueError("wrong")
    assert gc.isenabled()


def test_who_has_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with resting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_rests_for_the_first_alone() -> None:
    inside, leave = Event(), Event()

    def second() -> None:
        with resting():
            inside.set()
            leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        with resting():
            later = pool.submit(second)
            assert inside.wait(10)
            assert not gc.isenabled()
        try:
            assert gc.isenabled()  # although the second one is at it still
        finally:
            leave.set()
        later.result()
    assert gc.isenabled()


def test_many_threads_leave_it_at_work() -> None:
    def often(_: int) -> None:
        for _ in range(500):
            with resting():
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(often, range(8)))
    assert gc.isenabled()
