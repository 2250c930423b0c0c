"""Checkpoints in the store: fenced, whole or not there, and gone with the job."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from initshape.store import checkpoints, leases
from initshape.store.arrays import CHUNK_BYTES
from initshape.store.checkpoints import Checkpoint
from initshape.store.keys import SAVING_SECONDS, key
from initshape.store.leases import Finish
from tests.store.desk import Desk

IDENTITY = {"experiment": "x-1", "numerics_version": "1", "versions": {"jax": "0.1"}}


def test_the_next_attempt_reads_what_the_last_one_saved(desk: Desk) -> None:
    """In chunks, the last one replacing the ones before it."""
    desk.submit("x-1")
    claim = desk.claim_one()
    data = np.random.default_rng(1).bytes(2 * CHUNK_BYTES + 17)
    for sent in (data, b"short", data):
        kept = Checkpoint(sent, IDENTITY, claim.attempt)
        assert desk.store.run(checkpoints.save("x-1", claim.fence, kept)) is Finish.accepted
        assert desk.store.run(checkpoints.read("x-1", IDENTITY)) == kept
    assert desk.wait_and_reap(7.0) == 1
    again = desk.claim_one()
    assert again.attempt == 2
    found = desk.store.run(checkpoints.read("x-1", IDENTITY))
    assert found is not None
    assert (found.data, found.attempt) == (data, 1)
    assert not desk.store.client.keys("*saving*")


def test_a_worker_without_the_lease_overwrites_nothing(desk: Desk) -> None:
    desk.submit("x-1")
    zombie = desk.claim_one()
    desk.save(zombie, b"old")
    desk.wait_and_reap(7.0)
    assert desk.save(zombie, b"from the grave") is Finish.stale  # nobody has it
    claim = desk.claim_one()
    desk.save(claim, b"new")
    assert desk.save(zombie, b"from the grave") is Finish.stale
    found = desk.saved("x-1")
    assert found is not None
    assert found.data == b"new"
    assert not desk.store.client.keys("*saving*")


@pytest.mark.parametrize("end", ["finish", "fail", "cancel", "delete", "poison"])
def test_it_goes_with_the_job(desk: Desk, end: str) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.save(claim)
    if end == "finish":
        desk.finish(claim)
    elif end == "fail":
        desk.fail(claim)
    elif end == "poison":
        for _ in range(2):
            desk.wait_and_reap(7.0)
            desk.save(desk.claim_one())
        desk.wait_and_reap(7.0)
    else:
        (desk.cancel if end == "cancel" else desk.delete)("x-1")
        assert desk.saved("x-1") is not None  # until its worker has stopped
        desk.wait_and_reap(7.0)
    assert desk.store.client.exists(key("checkpoint", "x-1")) == 0
    if end != "delete":
        desk.rerun("x-1")
        assert desk.saved("x-1") is None


def test_a_job_that_was_handed_over_and_waits_keeps_it(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.save(claim)
    desk.store.run(leases.hand_over(claim.id, claim.fence))
    assert desk.store.client.ttl(key("checkpoint", "x-1")) == -1
    desk.cancel("x-1")
    assert desk.saved("x-1") is None


def test_another_program_starts_anew(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.store.run(checkpoints.save("x-1", claim.fence, Checkpoint(b"state", IDENTITY, 1)))
    with caplog.at_level(logging.INFO):
        assert desk.store.run(checkpoints.read("x-1", {**IDENTITY, "numerics_version": "2"})) is None
    assert "numerics_version" in caplog.text
    assert desk.store.run(checkpoints.read("x-1", IDENTITY)) is not None


@pytest.mark.parametrize("harm", ["other bytes", "a chunk is missing", "no number", "no identity"])
def test_a_damaged_one_is_ignored_and_says_so(desk: Desk, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.store.run(checkpoints.save("x-1", claim.fence, Checkpoint(bytes(CHUNK_BYTES + 5), IDENTITY, 1)))
    place, client = key("checkpoint", "x-1"), desk.store.client
    if harm == "other bytes":
        client.hset(place, "c:0", b"\1" * CHUNK_BYTES)
    elif harm == "a chunk is missing":
        client.hdel(place, "c:1")
    elif harm == "no number":
        client.hset(place, "chunks", "many")
    else:
        client.hset(place, "identity", "{")
    with caplog.at_level(logging.WARNING):
        assert desk.store.run(checkpoints.read("x-1", IDENTITY)) is None
    assert "ignored" in caplog.text


def test_what_was_never_swapped_in_expires(desk: Desk) -> None:
    """A worker that dies while it saves leaves nothing behind for long."""
    desk.submit("x-1")
    claim = desk.claim_one()
    saving = checkpoints.save("x-1", claim.fence, Checkpoint(b"state", IDENTITY, 1))
    for command in next(saving):
        desk.store.client.execute_command(*command)
    assert 0 < desk.store.client.ttl(key("saving", "x-1", claim.fence)) <= SAVING_SECONDS
    assert desk.saved("x-1") is None
