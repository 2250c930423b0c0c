"""Tables, labels and small pure parts."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from initshape.figures.table import SCALARS, column_names
from initshape.spec.expand import columns, expand
from initshape.spec.parse import parse_sweep
from service.conditional import tag_of
from service.parameters import cursor_after, cursor_number
from service.schemas import Table
from service.tables import Labels, SweepTable

BASE = {
    "dataset": {"kind": "sparse_regression", "dimension": 6, "samples": 2, "sparsity": 1},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.5},
}


def test_labels_give_every_cell_its_values_back() -> None:
    big = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    document: dict[str, Any] = {
        "base": BASE,
        "axes": [{"path": "init.scale", "values": [1, 1.5, big]}, {"path": "init.shape", "linspace": [0, 0.5, 3]}],
        "replicate": {"path": "dataset.seed", "values": [1, 2]},
        "list": [{"init.scale": big, "stop.max_time": 5.0}],
    }
    sweep = parse_sweep({"sweep": document}).sweep
    cells = expand(sweep)
    labels = Labels.of(cells, column_names(columns(cells)), sweep.replicate)
    stored = Labels.decode(json.loads(json.dumps(labels.encode())))
    assert len(cells) == 19
    shown = [json.loads(json.dumps(cell.values)) for cell in cells]
    for values in shown[:-1]:
        values["stop.max_time"] = 1e9  # what the base has
    shown[-1] |= {"init.shape": 0.5, "dataset.seed": 1993}
    assert [stored.values(k) for k in range(19)] == shown
    assert stored.replicate == "seed"
    assert len(stored.distinct["stop.max_time"]) == 2  # the cells share what they leave to the base, too
    assert stored.distinct["init.scale"].count(big) <= 2  # the axis and the list each brought one; not one a cell


def test_column_of_a_path_never_hides_a_scalar() -> None:
    assert column_names({"stop.relative_residual": "relative_residual", "init.scale": "scale", "a.id": "id"}) == {
        "stop.relative_residual": "stop.relative_residual",
        "init.scale": "scale",
        "a.id": "a.id",
    }
    assert len(set(SCALARS)) == len(SCALARS)


def table(*values: Any) -> SweepTable:
    rows = [{"a": value, **dict.fromkeys(SCALARS)} for value in values]
    return SweepTable("s-", ("a",), None, rows)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_csv_numbers_read_back_the_same(values: list[float]) -> None:
    lines = table(*values).to_csv().decode().splitlines()
    found = [float(line.split(",")[0]) for line in lines[1:]]
    assert [(value, math.copysign(1, value)) for value in found] == [(v, math.copysign(1, v)) for v in values]


def test_csv_fields() -> None:
    rest = "," * len(SCALARS)
    lines = table(None, True, [1, 2.5], 'x,"y"', 3, 1e-05).to_csv().decode().splitlines()
    assert lines[0] == ",".join(["a", *SCALARS])
    assert [line.removesuffix(rest) for line in lines[1:]] == ["", "true", '"[1, 2.5]"', '"x,""y"""', "3", "1e-05"]


def test_json_is_the_documented_form() -> None:
    empty = json.loads(table().to_json())
    assert empty["rows"] == []
    document = json.loads(table(1, None).to_json())
    document["id"] = "s-" + "a" * 26
    assert Table.model_validate(document).model_dump(mode="json") == document


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_tags_are_equal_only_for_equal_parts(first: list[bytes], second: list[bytes]) -> None:
    assert (tag_of(*first) == tag_of(*second)) == (first == second)


@given(st.integers(min_value=0, max_value=2**53 - 1))
def test_cursor_reads_back(number: int) -> None:
    assert cursor_number(cursor_after(number)) == number


def test_no_cursor() -> None:
    assert cursor_number(None) is cursor_after(None) is None
