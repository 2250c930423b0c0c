"""The client against a real server with a real worker, and `Local` against the client."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from initshape.client import (
    Client,
    Local,
    NotPermittedError,
    RejectedError,
    UnknownIdError,
)
from initshape.spec.problem import SpecError

EXPERIMENT: dict[str, Any] = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    }
}
SWEEP: dict[str, Any] = {
    "name": "fits only",
    "sweep": {
        "base": {**EXPERIMENT["experiment"], "init": {"kind": "scale_shape"}, "flow": {"kind": "none"}},
        "axes": [{"path": "init.scale", "values": [1e-3, 1e-2, 1e-1]}, {"path": "init.shape", "values": [0, 0.9]}],
    },
}
UNKNOWN = "x-" + "a" * 26


@pytest.fixture(scope="module")
def local() -> Local:
    """Computes in this process, once for all tests here."""
    return Local()


def numbers(value: Any, path: str = "") -> dict[str, float]:
    """Every number of a document by its path, but the times that differ from run to run."""
    if isinstance(value, dict):
        items: list[tuple[str, Any]] = list(value.items())
    elif isinstance(value, list):
        items = [(str(k), entry) for k, entry in enumerate(value)]
    else:
        timed = path.endswith("seconds") or "provenance" in path
        return {path: float(value)} if isinstance(value, (int, float)) and not timed else {}
    return {name: number for key, entry in items for name, number in numbers(entry, f"{path}/{key}").items()}


def test_an_experiment_from_submission_to_arrays(client: Client, local: Local) -> None:
    sent = client.submit(EXPERIMENT)
    done = client.wait(sent["id"], timeout=120)
    assert (done["status"], done["outcome"], done["attempt"]) == ("succeeded", "converged", 1)
    found, arrays = client.result(sent["id"]), client.arrays(sent["id"])
    assert {name: list(a.shape) for name, a in arrays.items()} == {n: i["shape"] for n, i in found["arrays"].items()}

    # sent again it is the same job, stored
    assert client.submit(copy.deepcopy(EXPERIMENT))["status"] == "succeeded"
    assert client.status(sent["id"])["attempt"] == 1

    # and the same without a server
    here = local.submit(EXPERIMENT)
    assert here["id"] == sent["id"]
    expected = numbers(local.result(here["id"]))
    assert expected.keys() == numbers(found).keys()
    for name, number in numbers(found).items():
        assert number == pytest.approx(expected[name], rel=1e-10, abs=1e-10), name
    assert np.allclose(local.arrays(here["id"])["w_flow"], arrays["w_flow"], rtol=1e-10, atol=1e-12)
    for kind in ("distance", "loss", "coordinates"):
        assert client.figure(sent["id"], kind, "png")[:4] == local.figure(here["id"], kind, "png")[:4] == b"\x89PNG"


def test_a_sweep_from_submission_to_table_and_figure(client: Client, local: Local) -> None:
    sent = client.submit_sweep(SWEEP)
    states = list(client.updates(sent["id"], every=0.1, timeout=60))
    assert states[-1]["status"] == "succeeded"
    assert states[-1]["counts"]["succeeded"] == 6
    table = client.table(sent["id"])
    assert table.axes == ("scale", "shape")
    assert [(row["scale"], row["shape"]) for row in table.rows] == [
        (a, s) for a in (1e-3, 1e-2, 1e-1) for s in (0, 0.9)
    ]
    assert all(row["outcome"] == "converged" for row in table.rows)
    assert client.table_csv(sent["id"]).decode().splitlines()[0].split(",") == list(table.columns)
    assert client.figure(sent["id"], form="svg").startswith(b"<?xml")
    assert client.submit_sweep(SWEEP)["counts"]["cached"] == 6

    here = local.submit_sweep(SWEEP)
    assert here["id"] == sent["id"]
    same = local.table(here["id"])
    assert (same.axes, same.columns) == (table.axes, table.columns)
    for mine, theirs in zip(same.rows, table.rows, strict=True):
        assert numbers(mine) == pytest.approx(numbers(theirs), rel=1e-10, abs=1e-10)
    assert local.figure(here["id"], form="png").startswith(b"\x89PNG")


def test_wrong_documents_come_back_with_pointers(client: Client, local: Local) -> None:
    wrong = copy.deepcopy(EXPERIMENT)
    wrong["experiment"]["init"]["shape"] = 1.5
    with pytest.raises(RejectedError) as remote:
        client.submit(wrong)
    with pytest.raises(SpecError) as here:
        local.submit(wrong)
    assert remote.value.errors == here.value.errors
    assert remote.value.errors[0].pointer == "/experiment/init/shape"


def test_unknown_ids(client: Client, local: Local) -> None:
    for call in (client.status, client.result, local.result, local.status):
        with pytest.raises(UnknownIdError):
            call(UNKNOWN)
    for where in (client, local):
        arrays = where.arrays(UNKNOWN)  # fetched at the first look
        with pytest.raises(UnknownIdError):
            arrays["w_flow"]


def test_a_wrong_token(client: Client) -> None:
    with Client(client.url, "initshape_wrong") as other, pytest.raises(NotPermittedError):
        other.submit(EXPERIMENT)


def test_the_newest_experiments_come_first(client: Client) -> None:
    for seed in range(3):
        document = copy.deepcopy(EXPERIMENT)
        document["experiment"] |= {"flow": {"kind": "none"}}
        document["experiment"]["dataset"]["seed"] = seed
        document["name"] = f"number {seed}"
        client.wait(client.submit(document)["id"], timeout=60)
    assert [job["name"] for job in client.experiments(limit=3)] == ["number 2", "number 1", "number 0"]
    assert len(list(client.experiments(limit=2, status="succeeded"))) == 2
    with pytest.raises(RejectedError):
        list(client.experiments(colour="red"))


def test_validation_computes_nothing(client: Client) -> None:
    document = copy.deepcopy(EXPERIMENT)
    document["experiment"]["dataset"]["seed"] = 77
    found = client.validate(document)
    with pytest.raises(UnknownIdError):
        client.status(found["id"])
