"""Wrong documents: each is refused with a pointer and a hint, and none of them reaches the queue."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from initshape.store import Queue, Store, leases

Json = dict[str, Any]


def at(path: str, value: Any) -> Callable[[Json], None]:
    """Writes a value into the experiment."""

    def spoil(document: Json) -> None:
        *parents, last = path.split("/")
        node = document["experiment"]
        for name in parents:
            node = node[name]
        node[last] = value

    return spoil


def without(name: str) -> Callable[[Json], None]:
    def spoil(document: Json) -> None:
        del document["experiment"][name]

    return spoil


def top(name: str, value: Any) -> Callable[[Json], None]:
    def spoil(document: Json) -> None:
        document[name] = value

    return spoil


def explicit(**fields: Any) -> Callable[[Json], None]:
    data = {"kind": "explicit", "X": [[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]], "y": [1.0, 2.0]}
    return at("dataset", data | fields)


NAN, INF = float("nan"), float("inf")
BAD: dict[str, tuple[Callable[[Json], None], str]] = {
    "number as text": (at("init/scale", "0.001"), "/experiment/init/scale"),
    "NaN": (at("init/scale", NAN), "/experiment/init/scale"),
    "infinity": (at("init/scale", INF), "/experiment/init/scale"),
    "scale zero": (at("init/scale", 0), "/experiment/init/scale"),
    "scale negative": (at("init/scale", -1e-3), "/experiment/init/scale"),
    "scale beyond binary64": (at("init/scale", 10**400), "/experiment/init/scale"),
    "scale null": (at("init/scale", None), "/experiment/init/scale"),
    "scale true": (at("init/scale", True), "/experiment/init/scale"),
    "scale list empty": (at("init/scale", []), "/experiment/init/scale"),
    "scale list too short": (at("init/scale", [0.1, 0.2]), "/experiment/init/scale"),
    "scale list with text": (at("init/scale", [0.1] * 11 + ["x"]), "/experiment/init/scale/11"),
    "shape one": (at("init/shape", 1.0), "/experiment/init/shape"),
    "shape minus one": (at("init/shape", -1), "/experiment/init/shape"),
    "shape NaN": (at("init/shape", NAN), "/experiment/init/shape"),
    "shape missing": (at("init", {"kind": "scale_shape", "scale": 0.1}), "/experiment/init/shape"),
    "unknown key": (at("init/shap", 0.5), "/experiment/init/shap"),
    "unknown kind": (at("model/kind", "diagnal"), "/experiment/model/kind"),
    "kind missing": (at("model", {"depth": 2}), "/experiment/model/kind"),
    "kind of the wrong type": (at("model/kind", 3), "/experiment/model/kind"),
    "dimension zero": (at("dataset/dimension", 0), "/experiment/dataset/dimension"),
    "dimension negative": (at("dataset/dimension", -5), "/experiment/dataset/dimension"),
    "dimension fractional": (at("dataset/dimension", 1.5), "/experiment/dataset/dimension"),
    "dimension as text": (at("dataset/dimension", "12"), "/experiment/dataset/dimension"),
    "dimension huge": (at("dataset/dimension", 10**9), "/experiment/dataset/dimension"),
    "more memory than there is": (
        lambda d: d["experiment"]["dataset"].update(dimension=1_000_000, samples=20_000),
        "/experiment/dataset",
    ),
    "more samples than features": (at("dataset/samples", 13), "/experiment/dataset/samples"),
    "sparsity above dimension": (at("dataset/sparsity", 13), "/experiment/dataset/sparsity"),
    "noise negative": (at("dataset/noise_variance", -0.1), "/experiment/dataset/noise_variance"),
    "seed negative": (at("dataset/seed", -1), "/experiment/dataset/seed"),
    "seed beyond 2^53": (at("dataset/seed", 2**60), "/experiment/dataset/seed"),
    "dataset missing": (without("dataset"), "/experiment/dataset"),
    "dataset null": (at("dataset", None), "/experiment/dataset"),
    "dataset a list": (at("dataset", []), "/experiment/dataset"),
    "X ragged": (explicit(X=[[1.0, 2.0], [1.0]]), "/experiment/dataset/X/1"),
    "X empty": (explicit(X=[]), "/experiment/dataset/X"),
    "X with NaN": (explicit(X=[[NAN, 1.0, 1.0], [0.0, 1.0, 1.0]]), "/experiment/dataset/X/0/0"),
    "X one-dimensional": (explicit(X=[1.0, 2.0]), "/experiment/dataset/X/0"),
    "X transposed": (explicit(X=[[1.0, 0.0], [2.0, 1.0], [0.5, -1.0]]), "/experiment/dataset/y"),
    "y zero": (explicit(y=[0.0, 0.0]), "/experiment/dataset/y"),
    "y inconsistent": (explicit(X=[[1.0, 2.0, 0.5], [1.0, 2.0, 0.5]]), "/experiment/dataset/y"),
    "w_true of the wrong length": (explicit(w_true=[1.0]), "/experiment/dataset/w_true"),
    "X_test without y_test": (explicit(X_test=[[1.0, 1.0, 1.0]]), "/experiment/dataset/y_test"),
    "explicit init incomplete": (
        at("init", {"kind": "explicit", "u_plus": [1.0] * 12, "v_plus": [1.0] * 12, "u_minus": [1.0] * 12}),
        "/experiment/init/v_minus",
    ),
    "explicit init of the wrong length": (
        at("init", {"kind": "explicit", **{name: [1.0] for name in ("u_plus", "v_plus", "u_minus", "v_minus")}}),
        "/experiment/init/u_plus",
    ),
    "rtol zero": (at("flow", {"kind": "gradient_flow", "rtol": 0}), "/experiment/flow/rtol"),
    "completion unknown": (at("flow", {"kind": "gradient_flow", "completion": "of"}), "/experiment/flow/completion"),
    "key of another kind": (at("flow", {"kind": "none", "rtol": 1e-8}), "/experiment/flow/rtol"),
    "residual one": (at("stop", {"relative_residual": 1.0}), "/experiment/stop/relative_residual"),
    "steps zero": (at("stop", {"max_steps": 0}), "/experiment/stop/max_steps"),
    "time infinite": (at("stop", {"max_time": INF}), "/experiment/stop/max_time"),
    "regularizers empty": (at("regularizers", []), "/experiment/regularizers"),
    "regularizer unknown": (at("regularizers", ["l3"]), "/experiment/regularizers/0"),
    "too many points": (at("trajectory", {"points": 10**6}), "/experiment/trajectory/points"),
    "device unknown": (at("resources", {"device": "tpu"}), "/experiment/resources/device"),
    "a typing error at the top": (top("experimnt", {}), "/experimnt"),
    "a sweep": (top("sweep", {}), "/sweep"),
    "schema of the future": (top("schema_version", 2), "/schema_version"),
    "tag with a comma": (top("tags", ["a,b"]), "/tags/0"),
    "name too long": (top("name", "n" * 201), "/name"),
    "priority out of range": (top("priority", 99), "/priority"),
    "experiment missing": (lambda d: d.pop("experiment"), "/experiment"),
    "experiment a list": (top("experiment", [1]), "/experiment"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_experiment_is_refused_with_pointer_and_hint(
    api: httpx2.Client, store: Store, document: Json, name: str
) -> None:
    spoil, pointer = BAD[name]
    spoil(document)
    body = json.dumps(document).encode()  # httpx would refuse NaN
    for path in ("/v1/experiments", "/v1/experiments/validate"):
        answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        assert problem["type"] == "/problems/invalid-document"
        assert problem["status"] == 422
        found = {error["pointer"]: error["hint"] for error in problem["errors"]}
        assert pointer in found
        assert found[pointer]
    assert store.run(leases.waiting(Queue.cpu)) == store.run(leases.waiting(Queue.gpu)) == 0
    assert api.get("/v1/experiments").json()["items"] == []


def axis(**fields: Any) -> Callable[[Json], None]:
    return lambda sweep: sweep["axes"][0].update(fields)


BAD_SWEEPS: dict[str, tuple[Callable[[Json], None], str]] = {
    "a value out of bounds": (lambda s: s["axes"][1].update(values=[0.5, 1.0]), "/sweep/axes/1/values/1"),
    "a path that is no field": (axis(path="init.scal"), "/sweep/axes/0/values/0"),
    "a path into a number": (axis(path="dataset.dimension.x"), "/sweep/axes/0/values/0"),
    "two sources": (axis(logspace=[0, 1, 2]), "/sweep/axes/0"),
    "no values": (axis(values=[]), "/sweep/axes/0/values"),
    "nothing to vary": (lambda s: s.update(axes=[]), "/sweep"),
    "a path twice": (lambda s: s["axes"].append({"path": "init.scale", "values": [1]}), "/sweep"),
    "a base that is wrong": (lambda s: s["base"].update(model={"kind": "cubic"}), "/sweep/base/model/kind"),
    "too many cells": (
        lambda s: s.update(axes=[{"path": f"init.{n}", "linspace": [0.1, 0.2, 101]} for n in ("scale", "shape")]),
        "/sweep",
    ),
    "a key that is no key": (lambda s: s.update(axis=[]), "/sweep/axis"),
    "memory": (axis(path="dataset.dimension", values=[12, 1_000_000]), "/sweep/base/dataset"),
}


@pytest.mark.parametrize("name", BAD_SWEEPS)
def test_wrong_sweep_is_refused_with_pointer_and_hint(
    api: httpx2.Client, store: Store, document: Json, name: str
) -> None:
    base = copy.deepcopy(document["experiment"]) | {"init": {"kind": "scale_shape"}}
    if name == "memory":
        base["dataset"]["samples"] = 10_000
        base["dataset"]["noise_variance"] = 0
        base["init"] = {"kind": "scale_shape", "scale": 0.1, "shape": 0.5}
    sweep: Json = {"base": base, "axes": [
        {"path": "init.scale", "values": [0.1]}, {"path": "init.shape", "values": [0.5]},
    ]}  # fmt: skip
    spoil, pointer = BAD_SWEEPS[name]
    spoil(sweep)
    for path in ("/v1/sweeps", "/v1/sweeps/preview"):
        answer = api.post(path, json={"sweep": sweep})
        assert answer.status_code == 422, answer.text
        found = {error["pointer"]: error["hint"] for error in answer.json()["errors"]}
        assert pointer in found
        assert found[pointer]
    assert store.run(leases.waiting(Queue.cpu)) == 0
    assert api.get("/v1/sweeps").json()["items"] == []


UNPARSABLE = {
    "empty": b"",
    "no JSON": b"{experiment: 1}",
    "cut off": b'{"experiment": {',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "a key twice": b'{"name": "a", "name": "b", "experiment": {}}',
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "a number of 5000 digits": b'{"priority": ' + b"1" * 5000 + b"}",
    "trailing words": b"{} {}",
}


@pytest.mark.parametrize("name", UNPARSABLE)
def test_unparsable_body(api: httpx2.Client, name: str) -> None:
    for path in ("/v1/experiments", "/v1/experiments/validate", "/v1/sweeps", "/v1/sweeps/preview"):
        answer = api.post(path, content=UNPARSABLE[name], headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [b"a: [", b"a: *b", b"\x00", b"2020-01-01", b"!!python/object:os.system {}", b"? [1]\n: 2", b"- .nan\n- !!set {a}"],
)
def test_yaml_that_is_no_document(api: httpx2.Client, body: bytes) -> None:
    answer = api.post("/v1/experiments", content=body, headers={"Content-Type": "application/yaml"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


HOSTILE = {
    "nested YAML": (b"[" * 120_000 + b"]" * 120_000, "application/yaml"),
    "nested YAML blocks": (b"- " * 100_000, "application/yaml"),
    "180,000 wrong numbers": (
        json.dumps({"experiment": {"dataset": {"kind": "explicit", "X": [[1]], "y": [None] * 180_000}}}).encode(),
        "application/json",
    ),
    "60,000 unknown keys": (
        json.dumps({"experiment": {f"k{k}": 1 for k in range(60_000)}}).encode(),
        "application/json",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_document_costs_little(api: httpx2.Client, name: str) -> None:
    body, media = HOSTILE[name]
    begin = time.process_time()  # the server runs in this process
    answer = api.post("/v1/experiments", content=body, headers={"Content-Type": media})
    assert answer.status_code in (400, 422)
    assert len(answer.json()["errors"]) <= 20
    assert time.process_time() - begin < 15  # without the bounds: minutes


@pytest.mark.parametrize("document", [None, 1, "text", [], True, {}, {"experiment": None}])
def test_json_that_is_no_document(api: httpx2.Client, document: Any) -> None:
    for path in ("/v1/experiments", "/v1/sweeps"):
        answer = api.post(path, content=json.dumps(document), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-document")


def test_lone_surrogates_are_refused_in_readable_words(api: httpx2.Client, document: Json) -> None:
    for body in (b'{"name": "\\ud800", "experiment": {}}', b'{"\\udfff": 1}', b'{"sweep": {"base": {"\\ud800": 1}}}'):
        for path in ("/v1/experiments", "/v1/sweeps"):
            answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422
            assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({"Content-Type": "text/plain"}, "/header/content-type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "/header/content-type"),
        ({"Content-Type": "application/json; charset=latin-1"}, "/header/content-type"),
        ({"Content-Type": "application/octet-stream"}, "/header/content-type"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "/header/content-encoding"),
    ],
)
def test_media_types(api: httpx2.Client, headers: dict[str, str], pointer: str) -> None:
    for path in ("/v1/experiments", "/v1/sweeps/preview"):
        answer = api.post(path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert error["hint"]


@pytest.mark.parametrize("media", ["application/json; charset=UTF-8", "application/vnd.x+json", "APPLICATION/JSON"])
def test_media_types_of_json(api: httpx2.Client, document: Json, media: str) -> None:
    answer = api.post("/v1/experiments/validate", content=json.dumps(document), headers={"Content-Type": media})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/v1/experiments", "/v1/experiments/validate", "/v1/sweeps"])
def test_body_too_large(api: httpx2.Client, path: str) -> None:
    read = 0

    def endless() -> Any:
        nonlocal read
        while read < 200_000_000:
            read += 65_536
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    announced = api.post(path, content=b" " * 2_000_000, headers=headers)
    streamed = api.post(path, content=endless(), headers=headers)
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert read < 50_000_000  # it was answered before all of it was sent
    yaml = api.post(path, content=b"a: 1\n" * 100_000, headers={"Content-Type": "application/yaml"})
    assert yaml.status_code == 413


def test_one_megabyte_of_inline_data_is_accepted(api: httpx2.Client, document: Json) -> None:
    row = [round(0.001 * k, 3) + 1 for k in range(1000)]
    data = {"kind": "explicit", "X": [row[k:] + row[:k] for k in range(110)], "y": [1.0] * 110}
    document["experiment"] |= {"dataset": data, "flow": {"kind": "none"}}
    body = json.dumps(document).encode()
    assert 900_000 < len(body) < 1_048_576
    answer = api.post("/v1/experiments", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
