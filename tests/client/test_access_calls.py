"""Tokens, the audit, the caller's own limits and the resolved data: against a real server, and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from initshape.client import Arrays, Client, Local, NotPermittedError, RejectedError, UnknownIdError, connect_async

UNKNOWN = "x-" + "a" * 26
EXPERIMENT: dict[str, Any] = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 3},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.02, "shape": 0.5},
        "flow": {"kind": "none"},
    }
}


def test_tokens_from_one_client_for_another(client: Client) -> None:
    made = client.create_token("ada", label="night", expires_seconds=3600)
    assert (made["user"], made["role"], made["label"]) == ("ada", "member", "night")
    with Client(client.url, made["token"]) as other:
        assert other.me()["user"] == "ada"
        for refused in (other.tokens, lambda: list(other.audit()), lambda: other.create_token("bob")):
            with pytest.raises(NotPermittedError):
                refused()
        (listed,) = [one for one in client.tokens() if one["id"] == made["id"]]
        assert listed == {name: made[name] for name in listed} | {"last_used": listed["last_used"]}
        assert listed["last_used"] is not None
        client.revoke_token(made["id"])
        with pytest.raises(NotPermittedError):
            other.me()
    with pytest.raises(UnknownIdError):
        client.revoke_token(made["id"])
    with pytest.raises(RejectedError, match="/role"):
        client.create_token("ada", role="king")


def test_the_audit_is_paged_and_filtered(client: Client) -> None:
    made = [client.create_token("eve", label=str(k)) for k in range(3)]
    for one in made:
        client.revoke_token(one["id"])
    lines = list(client.audit(limit=6))
    assert [line["action"] for line in lines] == ["revoke_token"] * 3 + ["create_token"] * 3
    assert list(client.audit(limit=2, action="create_token")) == lines[3:5]
    assert lines[:2] == list(client.audit(limit=2, user="admin"))


def test_the_same_for_asyncio(data_dir: Path) -> None:
    async def conversation() -> None:
        async with connect_async(data_dir=data_dir, environment={}) as client:
            made = await client.create_token("mia", role="reader")
            assert made["id"] in {one["id"] for one in await client.tokens()}
            assert (await client.me())["role"] == "admin"
            await client.revoke_token(made["id"])
            (line,) = [line async for line in client.audit(limit=1)]
            assert line["action"] == "revoke_token"
            with pytest.raises(NotPermittedError, match="Webhooks are off"):
                await client.webhook_secret()

    asyncio.run(conversation())


def test_what_was_computed_with(client: Client, data_dir: Path) -> None:
    async def awaited(job: str, data: str) -> tuple[Arrays, Arrays]:
        async with connect_async(data_dir=data_dir, environment={}) as other:
            return await other.dataset(job), await other.uploaded_arrays(data)

    local, given = Local(), {"X": np.eye(2, 3), "y": np.array([1.0, -2.0])}
    job, data = client.wait(client.submit(EXPERIMENT).id, timeout=60).id, client.upload_dataset(**given)
    assert (local.submit(EXPERIMENT).id, local.upload_dataset(**given)) == (job, data)
    resolved, uploaded = asyncio.run(awaited(job, data))
    assert resolved.keys() == {"X", "y", "w_true", "X_test", "y_test"}
    assert resolved["X_test"].shape == (3, 20)
    for here in (client, local):
        assert_equal(here.dataset(job), resolved)
        assert_equal(here.uploaded_arrays(data), uploaded)
    assert_equal(given, uploaded)
    local.dataset(job)["X"][:] = 0.0  # the caller's own copy
    assert_equal(local.dataset(job), resolved)
    for missing in (local.dataset, local.uploaded_arrays):
        with pytest.raises(UnknownIdError):
            len(missing(UNKNOWN))


def test_without_a_server_one_is_local_and_an_admin(client: Client) -> None:
    local = Local()
    before, there = local.me(), client.me()
    assert before.keys() == there.keys()
    assert {name: before[name].keys() for name in ("limits", "usage")} == {
        name: there[name].keys() for name in ("limits", "usage")
    }
    assert (before["user"], before["role"], before["usage"]["stored_bytes"]) == ("local", "admin", 0)
    local.upload_dataset(X=np.eye(2, 3), y=np.array([1.0, -2.0]))
    assert local.me()["usage"]["stored_bytes"] == 64


def assert_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)
