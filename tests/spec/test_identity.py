"""Identity: equal computations have equal ids, whatever the spelling; golden ids pin the canonical form for ever."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from initshape.spec.canonical import canonical_text
from initshape.spec.experiment import Experiment, Submission
from initshape.spec.identity import experiment_id, resolved, text_id

MINIMAL: dict[str, Any] = {
    "dataset": {"kind": "sparse_regression", "dimension": 1000, "samples": 100},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 1e-3, "shape": 0.5},
}
EXPLICIT: dict[str, Any] = {
    "dataset": {"kind": "explicit", "X": [[1, 2, 3], [0, 1, -1]], "y": [1, 2]},
    "model": {"kind": "diagonal", "depth": 2},
    "init": {"kind": "explicit", "u_plus": [0.1, 0.2, 0.3], "v_plus": [1, 1, 1], "u_minus": [0, 0, 0.5],
             "v_minus": [1, 2, 3]},
    "flow": {"kind": "none"},
    "regularizers": ["l2", "implicit"],
}  # fmt: skip


def identity(document: dict[str, Any]) -> str:
    return experiment_id(Experiment.model_validate(document))


def test_golden_ids() -> None:
    # Computed with numerics version 2; a change here without a new version orphans every stored result.
    assert identity(MINIMAL) == "x-ghlpxbsccigiagkfzcalt7kfkt"
    assert identity(EXPLICIT) == "x-yfufsfeobz2b5e35iwzvux6bpt"


def test_the_id_is_the_documented_hash() -> None:
    experiment = Experiment.model_validate(MINIMAL)
    document = json.loads(json.dumps(resolved(experiment)))
    del document["resources"], document["stop"]["max_seconds"]
    digest = hashlib.sha256(rfc8785.dumps({"experiment": document, "numerics_version": "2"})).digest()
    assert experiment_id(experiment) == "x-" + base64.b32encode(digest).decode().lower()[:26]


def test_defaults_written_out_change_nothing() -> None:
    full = resolved(Experiment.model_validate(MINIMAL))
    assert identity(full) == identity(MINIMAL)
    assert full["stop"] == {"relative_residual": 1e-10, "max_time": 1e9, "max_steps": 200000, "max_seconds": 3600.0}
    assert full["regularizers"] == ["implicit", "l1", "l2", "kernel"]
    assert full["dataset"]["seed"] == 1993
    assert "atol" not in full["flow"]


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("dataset.dimension", 1e3, True),
        ("dataset.seed", 1993, True),
        ("stop.max_seconds", 5, True),
        ("resources.device", "gpu", True),
        ("regularizers", ["kernel", "l1", "implicit", "l2"], True),
        ("init.scale", 0.001, True),
        ("flow", {"rtol": 1e-8}, True),
        ("dataset.seed", 1994, False),
        ("init.scale", 0.0010000000000000002, False),
        ("init.shape", -0.5, False),
        ("flow.rtol", 1e-7, False),
        ("stop.max_time", 1e8, False),
        ("regularizers", ["implicit"], False),
    ],
)
def test_spelling_and_meaning(path: str, value: object, same: bool) -> None:
    document = copy.deepcopy(MINIMAL)
    node = document
    *parents, last = path.split(".")
    for name in parents:
        node = node.setdefault(name, {})
    node[last] = value
    assert (identity(document) == identity(MINIMAL)) is same


def test_submitters_words_are_not_identity() -> None:
    plain = Submission.model_validate({"experiment": MINIMAL})
    named = Submission.model_validate({"name": "a", "tags": ["b"], "notes": "c", "priority": 3, "experiment": MINIMAL})
    assert experiment_id(plain.experiment) == experiment_id(named.experiment)


@given(st.floats(min_value=1e-100, max_value=1e100), st.floats(min_value=-0.999, max_value=0.999))
def test_json_round_trip_keeps_the_id(scale: float, shape: float) -> None:
    experiment = Experiment.model_validate({**MINIMAL, "init": {"kind": "scale_shape", "scale": scale, "shape": shape}})
    again = Experiment.model_validate(json.loads(json.dumps(resolved(experiment))))
    assert experiment_id(again) == experiment_id(experiment)


def test_key_order_is_ignored_and_content_is_not() -> None:
    assert canonical_text({"a": 1, "b": [1.0, 2]}) == canonical_text({"b": [1, 2.0], "a": 1.0}) == b'{"a":1,"b":[1,2]}'
    assert text_id("x-", b'{"a":1}') != text_id("x-", b'{"a":2}')
