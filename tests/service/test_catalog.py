"""Catalog, presets, evaluations and figures of regularizers over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from initshape.regularizers import ENTRIES
from initshape.spec.options import REGULARIZER_ORDER
from service import examples

Json = dict[str, Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = {"model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.5}}
PLANE = {"axes": [{"coordinate": 0, "linspace": [-1, 1, 5]}, {"coordinate": 1, "linspace": [-1, 1, 4]}]}


def test_catalog_has_every_kind_with_its_fields(api: httpx2.Client) -> None:
    found = api.get("/v1/catalog").json()
    assert [kind["kind"] for kind in found["models"]] == ["diagonal", "single_neuron", "fully_connected"]
    assert {"gradient_flow", "gradient_descent", "none"} == {kind["kind"] for kind in found["flows"]}
    assert {"square", "exponential", "logistic"} == {kind["kind"] for kind in found["losses"]}
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    for section, name in (("datasets", "dataset"), ("initializations", "init"), ("models", "model")):
        union = schemas["Experiment"]["properties"][name]["discriminator"]["mapping"]
        assert {kind["kind"] for kind in found[section]} == set(union)
        assert all(kind["summary"] for kind in found[section])
    (depth,) = found["models"][0]["fields"]
    assert (depth["name"], depth["required"], depth["default"]) == ("depth", False, 2)
    assert (depth["schema"]["minimum"], depth["schema"]["maximum"]) == (2, 6)
    assert {field["name"] for field in found["settings"]["stop"]} >= {"relative_residual", "max_time"}


def test_catalog_has_every_regularizer_with_formula_and_papers(api: httpx2.Client) -> None:
    found = api.get("/v1/catalog").json()["regularizers"]
    assert {entry["name"] for entry in found} == set(REGULARIZER_ORDER)
    square = [entry for entry in found if entry["losses"] == ["square"]]
    assert [entry["title"] for entry in square] == [entry.title for entry in ENTRIES]
    assert {entry["name"] for entry in found if "exponential" in entry["losses"]} >= {"implicit", "l1", "l2"}
    for entry in found:
        assert entry["latex"]
        assert entry["conditions"]
        assert all(citation.startswith("@") for citation in entry["citations"])
        assert entry["exactness"] in ("exact", "limit", "approximate", "baseline")


@pytest.mark.parametrize("path", ["/v1/catalog", "/v1/presets"])
def test_documents_that_do_not_change_are_kept_by_the_caller(api: httpx2.Client, path: str) -> None:
    first = api.get(path)
    again = api.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_every_preset_is_accepted_where_it_says(api: httpx2.Client) -> None:
    found = api.get("/v1/presets").json()["presets"]
    files = [*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("*/*.yaml")]
    assert len(found) == len(files) >= 8
    for preset in found:
        assert preset["title"]
        assert len(preset["shows"]) > 40
        if preset["kind"] == "regularizers":
            continue  # drawn below
        path = {"experiment": "/v1/experiments/validate", "sweep": "/v1/sweeps/preview"}[preset["kind"]]
        assert preset["post"] == path.rpartition("/")[0]
        assert api.post(path, json=preset["document"]).status_code == 200


def test_published_figures_of_regularizers(api: httpx2.Client) -> None:
    for preset in api.get("/v1/presets").json()["presets"]:
        if preset["kind"] == "regularizers":
            answer = api.post(preset["post"], json=preset["document"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
            assert answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", examples.EVALUATIONS)
def test_examples_of_evaluations(api: httpx2.Client, name: str) -> None:
    answer = api.post("/v1/regularizers/evaluate", json=examples.EVALUATIONS[name]["value"])
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "evaluated"


@pytest.mark.parametrize("name", examples.REGULARIZER_FIGURES)
def test_examples_of_figures(api: httpx2.Client, name: str) -> None:
    answer = api.post("/v1/regularizers/figure.svg", json=examples.REGULARIZER_FIGURES[name]["value"])
    assert answer.status_code == 200
    assert answer.content.startswith(b"<?xml")


def test_arrays_have_the_shape_of_the_grid(api: httpx2.Client) -> None:
    answer = api.post("/v1/regularizers/evaluate", json=MODEL | {"grid": PLANE, "what": ["value", "gradient"]}).json()
    assert [len(axis) for axis in answer["axes"]] == [5, 4]
    assert answer["coordinates"] == [0, 1]
    assert answer["start"] == [0.0, 0.0]
    assert len(answer["arrays"]["value"]) == 5
    assert {len(row) for row in answer["arrays"]["value"]} == {4}
    assert len(answer["arrays"]["gradient"][4][3]) == 2
    assert answer["arrays"]["value"][2][1] < answer["arrays"]["value"][4][3]


def test_what_is_not_finite_is_null(api: httpx2.Client) -> None:
    """A coordinate that keeps its sign: Q is infinite on the other side."""
    init = {"kind": "explicit", "u_plus": [1.0], "v_plus": [1.0], "u_minus": [1.0], "v_minus": [-1.0]}
    document = {"model": {"kind": "diagonal"}, "init": init, "points": [[-1.0], [3.0]], "what": ["value", "gradient"]}
    arrays = api.post("/v1/regularizers/evaluate", json=document).json()["arrays"]
    assert arrays["value"][0] is None
    assert arrays["value"][1] > 0.0
    assert arrays["gradient"][0] == [None]


def test_no_closed_form(api: httpx2.Client) -> None:
    network = MODEL | {"model": {"kind": "fully_connected", "width": 3, "activation": "relu"}, "points": [[1.0, 2.0]]}
    answer = api.post("/v1/regularizers/evaluate", json=network).json()
    assert (answer["outcome"], answer["exactness"], answer["arrays"]) == ("none_known", "none", {})
    assert "relu" in answer["reason"]
    for undrawable in (network, network | {"points": None}, network | {"grid": PLANE, "points": None}):
        assert api.post("/v1/regularizers/figure.png", json=undrawable).status_code == 422


def test_a_figure_needs_a_grid(api: httpx2.Client) -> None:
    answer = api.post("/v1/regularizers/figure.png", json=MODEL | {"points": [[1.0]]})
    assert (answer.status_code, "grid" in answer.json()["detail"]) == (422, True)


BAD: dict[str, tuple[Json, str]] = {
    "a shape outside": ({"init": {"kind": "scale_shape", "scale": 0.1, "shape": 1.5}}, "/init/shape"),
    "an unknown name": ({"regularizer": "l3"}, "/regularizer"),
    "an unknown key": ({"grd": 1}, "/grd"),
    "too much": ({"points": None, "dimension": 1000, "grid": {"axes": [{"linspace": [0, 1, 1001]}]}}, "/grid"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_evaluation_is_refused_with_pointer_and_hint(api: httpx2.Client, name: str) -> None:
    change, pointer = BAD[name]
    document = {key: value for key, value in (MODEL | {"points": [[1.0]]} | change).items() if value is not None}
    for path in ("/v1/regularizers/evaluate", "/v1/regularizers/figure.png"):
        answer = api.post(path, json=document)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-document")
        found = {error["pointer"]: error["hint"] for error in answer.json()["errors"]}
        assert found[pointer]


def test_wrong_figure_is_refused_with_pointer_and_hint(api: httpx2.Client) -> None:
    base = {"parameters": {"kind": "single_neuron"}, "what": ["profile"], "grid": {"axes": [{"linspace": [0, 1, 3]}]}}
    for sweep, pointer in (
        ({"base": base, "axes": [{"path": "parameters.delta", "values": [1, "2"]}]}, "/sweep/axes/0/values/1"),
        ({"base": base, "axes": [{"path": "parameters.delta", "linspace": [0, 1, 13]}]}, "/sweep"),
        ({"base": base | {"grid": {"axes": []}}, "list": [{"parameters.delta": 1}]}, "/sweep/base/grid/axes"),
        ({"base": base | {"what": ["valu"]}, "list": [{"parameters.delta": 1}]}, "/sweep/base/what/0"),
        (
            {
                "base": base
                | {
                    "grid": {"axes": [{"linspace": [0, 1, 10_000]}, {"coordinate": 1, "linspace": [0, 1, 21]}]},
                    "what": ["value"],
                },
                "list": [{"parameters.delta": 1}],
            },
            "/sweep/base/grid",
        ),
    ):
        answer = api.post("/v1/regularizers/figure.png", json={"sweep": sweep})
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    for body in (b"[]", b"null", b'"x"', b'{"sweep": 1}', b'{"sweep": {"base": {}}}'):
        answer = api.post("/v1/regularizers/figure.png", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


def test_a_figure_of_one_distance_a_cell(api: httpx2.Client, worker: Any, document: Json) -> None:
    sweep = {"base": document["experiment"], "axes": [{"path": "init.scale", "values": [0.01, 0.1]}]}
    sweep_id = api.post("/v1/sweeps", json={"sweep": json.loads(json.dumps(sweep))}).json()["id"]
    path = f"/v1/sweeps/{sweep_id}/figure.svg"
    nothing = api.get(path, params={"kind": "distance"})
    assert (nothing.status_code, nothing.json()["type"]) == (422, "/problems/invalid-parameter")
    worker.compute(2)
    drawn = api.get(path, params={"kind": "distance"})
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
    assert api.get(path, params={"kind": "limit_distance"}).status_code == 200
    assert api.get(path, params={"kind": "margins"}).status_code == 422
