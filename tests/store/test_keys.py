"""keys.py declares what is in the database, and nothing else is."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest

from initshape.store import (
    Queue,
    admission,
    audit,
    checkpoints,
    idempotency,
    jobs,
    keys,
    labels,
    leases,
    presence,
    results,
    sweeps,
    tokens,
    uploads,
    webhooks,
)
from initshape.store import format as store_format
from initshape.store.admission import Allowance
from initshape.store.checkpoints import Checkpoint
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.leases import Finish
from initshape.store.operation import source
from initshape.store.records import Hook
from initshape.uploads import dataset_upload
from tests.store.desk import Desk

DECLARED = {
    line.split()[0].split(":")[0].rstrip(","): line.split()[1] if "," not in line.split()[0] else "zset"
    for line in (keys.__doc__ or "").split("-----\n", 1)[1].split("\n\n")[0].splitlines()
}


def test_every_family_is_in_the_table() -> None:
    table = set(DECLARED) | {"tag"}  # shares its line with owner
    assert table == {*keys.FAMILIES, *keys.SINGLES}


def test_an_undeclared_family_is_refused() -> None:
    with pytest.raises(KeyError):
        keys.key("jbo", "x-1")


def test_the_database_holds_only_declared_keys_of_the_declared_type(desk: Desk) -> None:
    store = desk.store
    large = {"dataset": {"X": [0.5] * 20_000}}
    given = dataset_upload({"X": np.eye(2), "y": np.ones(2)})
    store.run(uploads.keep(given, "ann"))
    store.run(jobs.submit(JobRequest("x-5", {"dataset": {"dataset_id": given.id}}), Submitter("ann")))
    store.run(jobs.cancel("x-5", "ann"))
    requests = [JobRequest(f"x-{k}", large) for k in range(4)]
    store.run(sweeps.submit("s-1", {}, requests, Submitter("ann", tags=("t",))))
    store.run(labels.edit_sweep("s-1", "ann", {"kept": True}))
    hooked = Submitter("ann", hook=Hook("user:ann", "https://a.org"))
    store.run(sweeps.submit("s-2", {}, [JobRequest("x-8", {})], hooked))
    for k in (6, 7):
        store.run(jobs.submit(JobRequest(f"x-{k}", {}), hooked))
        store.run(jobs.cancel(f"x-{k}", "ann"))
    (first,) = store.run(webhooks.take(1))
    store.run(webhooks.report(first, target="https://a.org", now=1, answer=200, error=None, over=True))
    claim = desk.claim_one()
    desk.renew(claim, {"fraction": 0.1})
    store.run(results.upload(claim.id, claim.fence, b"{}", {"X": np.ones(2), "w": np.ones(2)}))
    store.run(leases.finish(claim.id, claim.fence, "converged"))
    claim = desk.claim_one()
    store.run(results.upload(claim.id, claim.fence, b"{}", {"w": np.ones(2)}))
    assert store.run(checkpoints.save(claim.id, claim.fence, Checkpoint(b"state", {}, 1))) is Finish.accepted
    store.client.hset(keys.key("saving", claim.id, 7), "digest", "a worker that died while it saved")
    store.run(leases.rings_due(Queue.cpu, 1.0))
    store.run(presence.announce("w", Queue.cpu, 1, {}))
    admin = store.run(tokens.create_admin())
    assert admin is not None
    store.run(admission.admit(admin, "read", Allowance(reads=1.0, admins_exempt=False)))
    store.run(admission.usage("ann"))
    store.run(audit.record(audit.actor(9, "ann", "t", "r"), "cancel", "x-1", "stopped", once="ann:forbidden"))
    store.run(idempotency.remember("ann", "k", b"", "x-1"))
    store.run(store_format.opening())
    seen = set()
    for raw in store.client.keys("*"):
        name = raw.decode()
        assert name.startswith(keys.ROOT)
        family = name.removeprefix(keys.ROOT).split(":")[0]
        assert store.client.type(raw).decode() == DECLARED.get(family, "zset")
        seen.add(family)
    assert seen == {*keys.FAMILIES, *keys.SINGLES} - {"events"}


def test_scripts_spell_no_key_out() -> None:
    folder = files("initshape.store") / "scripts"
    for name in sorted(path.name.removesuffix(".lua") for path in folder.iterdir()):
        body = source(name).removeprefix(keys.lua_table())
        assert "{initshape}" not in body
        for key in re.findall(r"call\('(?!TIME|PUBLISH)[A-Z]+', ?'", body):
            pytest.fail(f"{name}.lua: {key}")


def test_jobs_read_back_is_the_only_truth(desk: Desk) -> None:
    """A record that has vanished is no job, whatever the queue says."""
    desk.submit("x-1")
    desk.submit("x-2")
    desk.store.client.delete(keys.key("job", "x-1"))
    assert desk.claim_one().id == "x-2"
    assert desk.claim() == []
    assert desk.store.run(jobs.read("x-1")) is None
