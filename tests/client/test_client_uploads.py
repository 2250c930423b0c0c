"""Uploads by the client and by `Local()`: the same ids, the same experiment, the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from initshape.client import Client, Local, RejectedError, UnknownIdError
from initshape.spec.problem import SpecError
from tests.sameness import assert_same_arrays

X = np.random.default_rng(8).normal(size=(3, 7))
Y = np.array([1.0, -2.0, 0.5])
FACTORS = {name: np.full(7, 0.1) for name in ("u_plus", "v_plus", "u_minus", "v_minus")}


def document(data: str, init: str) -> dict[str, Any]:
    return {
        "experiment": {
            "dataset": {"kind": "uploaded", "dataset_id": data},
            "model": {"kind": "diagonal"},
            "init": {"kind": "uploaded", "init_id": init},
            "flow": {"kind": "none"},
            "regularizers": ["implicit", "l2"],
        }
    }


def test_with_and_without_a_server(client: Client, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    table = np.column_stack([X, Y]).tolist()
    (tmp_path / "data.csv").write_text("\n".join(["a,b,c,d,e,f,g,y", *(",".join(map(repr, row)) for row in table)]))
    np.savez(tmp_path / "init.npz", **FACTORS)
    found: list[tuple[str, dict[str, Any]]] = []
    for where in (client, Local()):
        data = where.upload_dataset(X=X.tolist(), y=Y)
        assert data == where.upload(tmp_path / "data.npz") == where.upload(tmp_path / "data.csv", label="y")
        init = where.upload_init(**FACTORS)
        assert init == where.upload(tmp_path / "init.npz", init=True)
        assert where.uploaded(data)["arrays"] == {"X": [3, 7], "y": [3]}
        job = where.submit(document(data, init))["id"]
        assert where.wait(job)["status"] == "succeeded"
        assert where.delete_upload(data)["answer"] == "deleted"
        with pytest.raises(UnknownIdError):
            where.uploaded(data)
        found.append((job, where.arrays(job)))
    (ours, arrays), (theirs, others) = found
    assert ours == theirs
    assert_same_arrays(arrays, others)


def test_mistakes_are_told(client: Client, tmp_path: Path) -> None:
    for where, error in ((client, RejectedError), (Local(), SpecError)):
        with pytest.raises(error, match="transposed"):
            where.upload_dataset(X=X.T, y=Y)
        with pytest.raises(error, match="did you mean"):
            where.upload_dataset(X=X, y=Y, w_tru=Y)
        with pytest.raises(error):
            where.upload_init(X=X)
        with pytest.raises(SpecError, match="npz or CSV"):
            where.upload(tmp_path / "data.pkl")
        with pytest.raises(SpecError, match="no array of numbers"):
            where.upload_dataset(X=[[1.0], [1.0, 2.0]], y=Y)
        with pytest.raises(error, match="send it again"):
            where.submit(document("d-" + "a" * 26, "i-" + "a" * 26))


def test_a_sweep_of_uploads_without_a_server() -> None:
    local = Local(processes=1)
    data = [local.upload_dataset(X=X, y=scale * Y) for scale in (1.0, 2.0)]
    base = document(data[0], local.upload_init(**FACTORS))["experiment"]
    sweep = {"sweep": {"base": base, "axes": [{"path": "dataset.dataset_id", "values": data}]}}
    table = local.table(local.submit_sweep(sweep)["id"])
    assert [row["dataset_id"] for row in table.rows] == data
    assert len({row["id"] for row in table.rows}) == 2
